"""The operator's image, built from the Dockerfile without a registry: a base made of Debian packages, and buildah.

Both are artifacts in the cache, keyed by what goes into them. It takes root, buildah and debootstrap;
``why_not`` says what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import builds, doctor
from lab.builds.recipes import Recipe, digest, run

ROOT = Path(__file__).resolve().parent.parent
SUITE = "bookworm"
BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
BASE_NAME = "localhost/debian-python"
NAME = "localhost/neo4j-dr-operator"
CONTEXT = ("Dockerfile", ".dockerignore", "LICENSE", "requirements.txt", "deploy/image/rootfs.py")
"""What the Dockerfile takes, beside the package."""
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Variables that name this machine's bundle of certificates, where it has one of its own."""
PRIVATE = ["unshare", "--mount"]
"""Mounts of a build tool are seen by nobody else, and go when it is killed."""


def why_not() -> str | None:
    """Why no image can be built and started here, None when one can."""
    if os.geteuid() != 0:
        return "building and starting the image takes root"
    missing = [tool.name for tool in doctor.IMAGE_TOOLS if not tool.there()]
    return f"missing: {', '.join(missing)} (python -m lab doctor --image)" if missing else None


@dataclass(frozen=True)
class DebianBase(Recipe):
    """``base.tar``: a minimal Debian with Python, as a root file system."""

    def key(self) -> str:
        """See ``Recipe.key``. What the mirror has today is no part of it: a base is kept while its list stays."""
        return digest(SUITE, *BASE_PACKAGES)

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """See ``Recipe.build``."""
        root, path = work / "root", f"{os.environ['PATH']}:/usr/sbin:/sbin"
        options = ["--variant=minbase", f"--include={','.join(BASE_PACKAGES)}"]
        run([*PRIVATE, "debootstrap", *options, SUITE, str(root)], work, {"PATH": path})
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / waste, ignore_errors=True)
        tar = ["tar", "--numeric-owner", "--exclude=./dev/*", "-C", str(root), "-cf", str(folder / "base.tar"), "."]
        run(tar, work)


@dataclass(frozen=True)
class OperatorImage(Recipe):
    """``image.tar``: the image as an OCI archive, as it would be pushed to a registry."""

    def key(self) -> str:
        """See ``Recipe.key``."""
        parts = (part for file in _context() for part in (str(file), (ROOT / file).read_bytes()))
        return digest(BASE.key(), *parts)

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """See ``Recipe.build``."""
        context, base = work / "context", builds.make(BASE) / "base.tar"
        for file in _context():
            (context / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, context / file)
        store = ["--storage-driver", "vfs", "--root", str(work / "store"), "--runroot", str(work / "run")]

        def buildah(*arguments: str) -> None:
            run([*PRIVATE, "buildah", *store, *arguments], context)

        buildah("from", "--name", "base", "scratch")
        buildah("add", "-q", "base", str(base), "/")
        buildah("commit", "-q", "base", BASE_NAME)
        options = ["--isolation", "chroot", "--network", "host", "--timestamp", "0", "--build-arg", f"BASE={BASE_NAME}"]
        bundle = next((os.environ[name] for name in CERTIFICATES if os.environ.get(name)), None)
        if bundle:
            options += ["--volume", f"{bundle}:/run/ca.pem:ro", "--build-arg", "PIP_CERT=/run/ca.pem"]
        if "PIP_INDEX_URL" in os.environ:
            options += ["--build-arg", f"PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"]
        buildah("bud", *options, "-t", NAME, ".")
        buildah("push", "-q", NAME, f"oci-archive:{folder / 'image.tar'}:{NAME}")


def _context() -> list[Path]:
    package = (file.relative_to(ROOT) for file in sorted((ROOT / "neo4j_dr_operator").rglob("*")) if file.is_file())
    return [*map(Path, CONTEXT), *(file for file in package if "__pycache__" not in file.parts)]


BASE = DebianBase("debian-base", "1 min", "debootstrap")
IMAGE = OperatorImage("operator-image", "1 min", "buildah")


def archive() -> Path:
    """The image as an OCI archive, built when missing. Raises ``BuildError``; see ``why_not`` first."""
    return builds.make(IMAGE) / "image.tar"


@dataclass(frozen=True)
class Image:
    """An unpacked image. ``root``: its file system; ``config``: what the image says of how it is run (OCI)."""

    root: Path
    config: dict[str, Any]
    compressed: int
    """Bytes of its layers, as a registry keeps them."""

    @property
    def command(self) -> list[str]:
        """Entry point and default arguments."""
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def user(self) -> tuple[int, int]:
        """User and group. Raises ValueError unless both are numbers."""
        user, group = self.config["User"].split(":")
        return int(user), int(group)


def unpack(path: Path, target: Path) -> Image:
    """Unpack an OCI archive of one platform into the new directory ``target``, owners and modes as in the image."""
    with tarfile.open(path) as bundle:

        def document(digest_: str) -> Any:
            return json.loads(_member(bundle, f"blobs/{digest_.replace(':', '/')}").read())

        manifest = document(json.loads(_member(bundle, "index.json").read())["manifests"][0]["digest"])
        config = document(manifest["config"]["digest"])
        target.mkdir(mode=0o755)
        for layer in manifest["layers"]:
            blob = _member(bundle, f"blobs/{layer['digest'].replace(':', '/')}")
            with tarfile.open(fileobj=blob, mode="r:*") as files:
                files.extractall(target, numeric_owner=True, filter="fully_trusted")
    if any(target.rglob(".wh.*")):
        raise ValueError("a layer takes files of another one away, which is not handled here")
    return Image(target, config["config"], sum(layer["size"] for layer in manifest["layers"]))


def _member(bundle: tarfile.TarFile, name: str) -> Any:
    file = bundle.extractfile(name)
    if file is None:
        raise ValueError(f"{bundle.name!r}: {name} is no file")
    return file
