"""One line when a long step begins, one now and then, one at its end; always with the time it took."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

EVERY = 15.0
"""Seconds between two lines of a step that says nothing itself."""


def clock(seconds: float) -> str:
    """``8.1 s`` below a minute, else ``6:13``."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


class Progress:
    """Context of a long step; ``begin`` is called once its turn has come."""

    def __init__(self, name: str, expected: str) -> None:
        self._name, self._expected = name, expected
        self._done = threading.Event()
        self._start = time.monotonic()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        return self

    def begin(self) -> None:
        """The step starts now (what it waited for before is not counted)."""
        self._start = time.monotonic()
        say(f"{self._name}: building ({self._expected} on an empty cache)")
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        took = clock(time.monotonic() - self._start)
        say(f"{self._name}: ready after {took}" if kind is None else f"{self._name}: failed after {took}")

    def _tick(self) -> None:
        while not self._done.wait(EVERY):
            say(f"{self._name}: still building, {clock(time.monotonic() - self._start)}")


def say(line: str) -> None:
    """One line of progress, on standard error so that output can be piped."""
    sys.stderr.write(f"lab: {line}\n")
    sys.stderr.flush()
