"""The tools that build and run the lab: Go, a JDK, Maven. Where they are and which version they have."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import cache

GO_WANTED = (1, 26)
"""Lowest Go that builds every module here (their go.mod files say so)."""
GO_PINNED = "go1.26.6"
"""What an older Go (1.21 and up) is told to fetch and run in its own place."""
GO_SELECTS = (1, 21)
"""First Go that can fetch another one."""
JAVA_WANTED = 17
MAVEN_WANTED = (3, 6)


class MissingTool(RuntimeError):
    """A tool is absent or too old; the message names it and the version wanted."""


def go() -> str:
    """The Go command: the one on the path if it can serve, else the one the doctor put into the cache."""
    on_path = shutil.which("go")
    if on_path and (_go_number(on_path) or (0, 0)) >= GO_SELECTS:
        return on_path
    ours = bundled_go()
    if ours is None:
        raise MissingTool(f"go {'.'.join(map(str, GO_WANTED))} or newer")
    return str(ours)


def bundled_go() -> Path | None:
    """The Go command installed into the cache by ``lab doctor``, None when there is none."""
    path = cache.root() / "go" / "go" / "bin" / "go"
    return path if path.exists() else None


def go_environment() -> dict[str, str]:
    """Environment of a reproducible, pinned build; caches and module proxy stay those of the user."""
    enough = (_go_number(go()) or (0, 0)) >= GO_WANTED
    return {
        "GOTOOLCHAIN": "local" if enough else GO_PINNED,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
        "GOWORK": "off",
    }


@functools.cache
def go_version() -> str:
    """Version of the Go that builds, such as ``go1.26.6``."""
    number = _go_number(go()) or (0, 0)
    return _output(go(), "env", "GOVERSION") if number >= GO_WANTED else GO_PINNED


@functools.cache
def java_version() -> str:
    """The running JVM's full version text: class archives belong to one build of it."""
    return _output(java(), "-XshowSettings:none", "-version")


def java() -> str:
    """The java command: ``$JAVA_HOME/bin/java``, else the one on the path."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if found is None:
        raise MissingTool(f"java {JAVA_WANTED} or newer")
    return found


def maven() -> str:
    """The mvn command on the path."""
    found = shutil.which("mvn")
    if found is None:
        raise MissingTool(f"maven {'.'.join(map(str, MAVEN_WANTED))} or newer")
    return found


@functools.cache
def _go_number(command: str) -> tuple[int, int] | None:
    match = re.search(r"go(\d+)\.(\d+)", _output(command, "version", env={"GOTOOLCHAIN": "local"}))
    return (int(match[1]), int(match[2])) if match else None


def java_major() -> int | None:
    """Major version of the JDK (java and javac both have to be there), None without one."""
    compiler = Path(java()).resolve().with_name("javac")
    if not compiler.exists():
        return None
    match = re.search(r"javac (\d+)", _output(str(compiler), "-version"))
    return int(match[1]) if match else None


def _output(*command: str, env: dict[str, str] | None = None) -> str:
    # in a session of its own: cut short by Ctrl-C it would give half an answer, and so another build's key
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    return done.stdout.strip()
