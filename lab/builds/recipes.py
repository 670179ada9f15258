"""What each artifact is made from, and how.

Go programs come from a module directory beside this file whose go.mod and go.sum pin every source; ``-mod=readonly``
refuses anything else, and ``-trimpath`` with fixed flags makes the result the same to the bit on every machine. The
Neo4j server comes from Maven Central (checksums enforced), together with our stand-in for change capture.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import cache
from lab.builds import toolchain

HERE = Path(__file__).resolve().parent
NEO4J_SOURCES = HERE.parent / "neo4j"
JARS = NEO4J_SOURCES / "jars.sha256"
KEY_DIGITS = 16
OUR_JAR = "neo4j-lab.jar"
KUBERNETES = "v1.35.4"
HELM = "v3.21.4"


_RUNNING: set[subprocess.Popen[str]] = set()
_ABANDONED = threading.Event()


class BuildError(RuntimeError):
    """A build tool ended with an error; the message holds the end of its output."""


@dataclass(frozen=True)
class Recipe:
    """How one artifact is made; ``cold`` says how long that takes with nothing cached, on two cores."""

    name: str
    cold: str
    tool: str
    needs: tuple[str, ...] = ()

    def key(self) -> str:
        """Digest (16 hex digits) of everything that goes into the artifact."""
        raise NotImplementedError

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """Make the artifact in the empty ``folder``; ``work`` is thrown away afterwards."""
        raise NotImplementedError


@dataclass(frozen=True)
class GoProgram(Recipe):
    """An executable built by Go from a pinned module."""

    module: str = ""
    package: str = ""
    flags: tuple[str, ...] = field(default=("-ldflags", "-s -w"))

    def key(self) -> str:
        """See ``Recipe.key``."""
        source = HERE / self.module
        parts = [(source / "go.mod").read_bytes(), (source / "go.sum").read_bytes()]
        return digest(*parts, toolchain.go_version(), self.package, *self.flags)

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """See ``Recipe.build``."""
        command = [toolchain.go(), "build", *self.flags, "-o", str(folder / self.name), self.package]
        run(command, cwd=HERE / self.module, env=toolchain.go_environment())


@dataclass(frozen=True)
class Neo4jServer(Recipe):
    """The jars of a Community server and of the stand-in, in ``lib``."""

    def key(self) -> str:
        """See ``Recipe.key``."""
        return digest(*(path.read_bytes() for path in (*_java_sources(), JARS)), toolchain.java_version())

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """See ``Recipe.build``."""
        for path in _java_sources():
            copy = work / path.relative_to(NEO4J_SOURCES)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        # strict checksums: a download that does not match the repository's digest ends the build
        run([toolchain.maven(), "-B", "-ntp", "-q", "--strict-checksums", "package"], cwd=work)
        check_jars(work / "target" / "lib")
        shutil.move(work / "target" / "lib", folder / "lib")


@dataclass(frozen=True)
class ClassArchive(Recipe):
    """``server.jsa``: the server's classes, parsed and verified, for a start with less than half the CPU."""

    def key(self) -> str:
        """See ``Recipe.key``. The JVM refuses an archive of another build of itself or of other jars."""
        return digest(RECIPES["neo4j"].key(), toolchain.java_version())

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """See ``Recipe.build``."""
        from lab.builds import archive  # it starts a server, and so imports what imports this module

        archive.dump(folder / "server.jsa", work)


def check_jars(folder: Path) -> None:
    """Compare downloaded jars with ``jars.sha256``: the same set, the same bytes. BuildError names what differs.

    ``pom.xml`` pins two versions only; what they pull in is pinned by this list.
    """
    pinned = {name: digest for digest, _, name in (line.partition("  ") for line in JARS.read_text().splitlines())}
    found = {jar.name: cache.sha256(jar) for jar in folder.glob("*.jar") if jar.name != OUR_JAR}
    wrong = sorted(name for name in pinned.keys() | found.keys() if pinned.get(name) != found.get(name))
    if wrong:
        raise BuildError(f"not the pinned jars: {', '.join(wrong)}")


def _java_sources() -> list[Path]:
    return sorted([NEO4J_SOURCES / "pom.xml", *(p for p in (NEO4J_SOURCES / "src").rglob("*") if p.is_file())])


def digest(*parts: bytes | str) -> str:
    """``KEY_DIGITS`` hex digits of SHA-256 over the parts, each preceded by its length, and this machine's kind."""
    total = hashlib.sha256()
    for part in (*parts, platform.system(), platform.machine()):
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8) + data)
    return total.hexdigest()[:KEY_DIGITS]


def run(command: list[str], cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a build tool; raises BuildError with the last 20 lines when it fails."""
    if _ABANDONED.is_set():
        raise BuildError("interrupted")
    tool = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    _RUNNING.add(tool)
    try:
        output = tool.communicate()[0]
    finally:
        _RUNNING.discard(tool)
    if tool.returncode:
        tail = "\n".join(output.splitlines()[-20:])
        raise BuildError(f"{' '.join(command[:2])} in {cwd} ended with {tool.returncode}:\n{tail}")


def abandon() -> None:
    """End the build tools that run, and what they started; these builds and those that wait for their turn fail."""
    _ABANDONED.set()
    for tool in list(_RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tool.pid, signal.SIGKILL)


@functools.cache
def _kubernetes_flags() -> tuple[str, ...]:
    """Flags that make the binaries say their version, which clients and the API server compare."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    facts = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "gomodule",
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    settings = " ".join(f"-X {package}.{key}={value}" for package in packages for key, value in facts.items())
    return ("-tags", "selinux,notest,grpcnotrace", "-ldflags", f"-s -w {settings}")


def _helm_flags() -> tuple[str, ...]:
    """Flags that make helm say its version, and take the lab's Kubernetes for the one that charts are made for."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    facts = {"internal/version.version": HELM}
    for package in ("pkg/chartutil", "pkg/lint/rules"):
        facts |= {f"{package}.k8sVersionMajor": major, f"{package}.k8sVersionMinor": minor}
    settings = " ".join(f"-X helm.sh/helm/v3/{name}={value}" for name, value in facts.items())
    return ("-ldflags", f"-s -w {settings}")


def _kubernetes(name: str, cold: str) -> GoProgram:
    return GoProgram(name, cold, "go", (), "kube", f"k8s.io/kubernetes/cmd/{name}", _kubernetes_flags())


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        GoProgram("etcd", "1.5 min", "go", (), "etcd", "go.etcd.io/etcd/server/v3"),
        GoProgram("etcdctl", "10 s", "go", (), "etcd", "go.etcd.io/etcd/etcdctl/v3"),
        _kubernetes("kube-apiserver", "6 min"),
        _kubernetes("kubectl", "0.5 min"),
        _kubernetes("kube-controller-manager", "1.5 min"),
        GoProgram("helm", "2.5 min", "go", (), "helm", "helm.sh/helm/v3/cmd/helm", _helm_flags()),
        GoProgram("toxiproxy", "0.3 min", "go", (), "toxiproxy", "github.com/Shopify/toxiproxy/v2/cmd/server"),
        GoProgram("versitygw", "1.5 min", "go", (), "versitygw", "github.com/versity/versitygw/cmd/versitygw"),
        GoProgram("minio", "5 min", "go", (), "minio", "github.com/minio/minio"),
        Neo4jServer("neo4j", "0.5 min", "maven"),
        ClassArchive("neo4j-archive", "0.5 min", "java", ("neo4j",)),
    )
}
"""Every artifact by name."""
