"""A process whose clock is wrong: a library of forty lines of C, preloaded, shifts what it is told of the time of day.

Timers go on as they did, because they count on clocks that only measure. The kernel's namespaces of time cannot do it:
they shift those other clocks, and not the time of day.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import builds
from lab.builds.recipes import Recipe, digest, run

SOURCE = Path(__file__).with_name("shifted.c")
LIBRARY = "shifted.so"
FLAGS = ("-shared", "-fPIC", "-O2", "-Wall")


@dataclass(frozen=True)
class _Library(Recipe):
    def key(self) -> str:
        """See ``Recipe.key``."""
        return digest(SOURCE.read_bytes(), *FLAGS)

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """See ``Recipe.build``."""
        run([str(shutil.which("cc")), *FLAGS, "-o", str(folder / LIBRARY), str(SOURCE)], cwd=work)


RECIPE = _Library("shifted-clock", "1 s", "cc")


def why_not() -> str | None:
    """Why no clock can be shifted here, None when one can."""
    return None if shutil.which("cc") else "missing: cc, a C compiler (python -m lab doctor --image)"


def environment(seconds: int) -> dict[str, str]:
    """What a process has to be started with to be so many seconds ahead (behind, below zero).

    Raises ``BuildError`` when the library cannot be built.
    """
    if seconds == 0:
        return {}
    return {"LD_PRELOAD": str(builds.make(RECIPE) / LIBRARY), "CLOCK_SHIFT_SECONDS": str(seconds)}
