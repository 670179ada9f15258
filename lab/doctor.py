"""Looks for the tools the lab needs; installs them where that is nobody's business but ours.

As root on Debian and its children, and wherever ``CI=true``, what is missing is installed: JDK and Maven by the
package manager, Go from the Python package index into the cache (distributions carry one that is too old). Elsewhere
nothing is touched: one line per missing tool says what is wanted and how to get it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import cache
from lab.builds import toolchain
from lab.builds.progress import say

GO_PIN = Path(toolchain.__file__).with_name("go.txt")
PACKAGES = {
    "java": ["default-jdk-headless"],
    "maven": ["maven"],
    "venv": ["python3-venv"],
    "buildah": ["buildah"],
    "debootstrap": ["debootstrap", "debian-archive-keyring"],
    "cc": ["gcc", "libc6-dev"],
}


@dataclass(frozen=True)
class Tool:
    """A tool that has to be there: its name, the lowest version, how a person gets it, how to see that it is there."""

    name: str
    wanted: str
    advice: str
    there: Callable[[], bool]


def main(*, install: bool | None = None, image: bool = False) -> int:
    """Exit code: 0 when everything is there (now), 1 when something is missing.

    ``image``: also see to what builds and starts the operator's image, and to what single tests need. That takes root,
    and is skipped without.
    """
    if image and (may_install() if install is None else install) and os.geteuid() == 0:
        _install({tool.name for tool in (*IMAGE_TOOLS, *TEST_TOOLS) if not tool.there()})
    missing = [tool for tool in TOOLS if not tool.there()]
    if missing and (may_install() if install is None else install):
        _install({tool.name for tool in missing})
        missing = [tool for tool in TOOLS if not tool.there()]
    for tool in missing:
        say(f"missing: {tool.name} {tool.wanted} or newer - {tool.advice}")
    return 1 if missing else 0


def may_install() -> bool:
    """Whether this machine is one to install on: CI, or root on a Debian."""
    return os.environ.get("CI") == "true" or (os.geteuid() == 0 and Path("/etc/debian_version").exists())


def _python() -> bool:
    return sys.version_info >= (3, 11)


def _venv() -> bool:
    try:
        import ensurepip  # noqa: F401  # the part that distributions split off
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def _go() -> bool:
    try:
        return toolchain.go_version() != ""
    except toolchain.MissingTool:
        return False


def _java() -> bool:
    try:
        return (toolchain.java_major() or 0) >= toolchain.JAVA_WANTED
    except toolchain.MissingTool:
        return False


def _maven() -> bool:
    return shutil.which("mvn") is not None


TOOLS = (
    Tool("python", "3.11", "install python3.11 and run make PYTHON=python3.11", _python),
    Tool("venv", "(of that python)", "Debian: apt-get install python3-venv", _venv),
    Tool("go", "1.26 (1.21 and up fetch it themselves)", "https://go.dev/dl", _go),
    Tool("java", "17 (a JDK)", "Debian: apt-get install default-jdk-headless", _java),
    Tool("maven", "3.6", "Debian: apt-get install maven", _maven),
)
"""What the lab needs, in the order in which it is reported."""

IMAGE_TOOLS = (
    Tool("buildah", "1.28", "Debian: apt-get install buildah", lambda: shutil.which("buildah") is not None),
    Tool("debootstrap", "1.0", "Debian: apt-get install debootstrap", lambda: _system("debootstrap") is not None),
)
"""What the layer of tests needs that builds the image."""

TEST_TOOLS = (Tool("cc", "(a C compiler)", "Debian: apt-get install gcc", lambda: shutil.which("cc") is not None),)
"""What single tests need, which are skipped without."""


def _system(name: str) -> str | None:
    """A program for administrators, whose directories not everybody has on the path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _install(names: set[str]) -> None:
    packages = [package for name in sorted(names) for package in PACKAGES.get(name, ())]
    if packages and shutil.which("apt-get"):
        say(f"installing {' '.join(packages)}")
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # start no service
        for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
            _run([*root, "apt-get", *command], environment)
    if "go" in names:
        say(f"installing {toolchain.GO_PINNED} into the cache")
        target = cache.root() / "go"
        shutil.rmtree(target, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", str(GO_PIN)]
        if _run([*pip, "--target", str(target)], dict(os.environ)):
            return
        # a distribution's Python may refuse or lack pip; a virtual environment has its own
        scratch = cache.root() / "go-venv"
        if _run([sys.executable, "-m", "venv", str(scratch)], dict(os.environ)):
            pip[0] = str(scratch / "bin" / "python")
            _run([*pip, "--target", str(target)], dict(os.environ))
        shutil.rmtree(scratch, ignore_errors=True)


def _run(command: list[str], environment: dict[str, str]) -> bool:
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        say(f"{' '.join(command[:4])} ... ended with {done.returncode}: {done.stdout.strip()[-500:]}")
    return done.returncode == 0
