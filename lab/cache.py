"""Where the lab keeps what outlives a run: built programs, locks, run directories, logs of past runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """The cache directory: ``$NEO4J_DR_CACHE``, else ``~/.cache/neo4j-dr-operator``. Made when absent."""
    named = os.environ.get("NEO4J_DR_CACHE")
    path = Path(named).expanduser().resolve() if named else Path.home() / ".cache" / "neo4j-dr-operator"
    path.mkdir(parents=True, exist_ok=True)
    return path


def folder(name: str) -> Path:
    """A directory of the cache, made when absent."""
    path = root() / name
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock that excludes other threads and other processes.

    The kernel lets go of it when the holder dies, so a killed build blocks nobody.
    """
    with (folder("locks") / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
