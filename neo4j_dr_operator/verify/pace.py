"""How fast is read, and who is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is: what it does, and how much of it is done; ``total`` 0 where that is not known."""

    doing: str
    done: int = 0
    total: int = 0


class Pace:
    """Keeps the reading below a rate, and tells how far it is."""

    def __init__(self, rate: float | None, tell: Callable[[Progress], None]) -> None:
        """``rate``: elements a second at most, on either side; None for as fast as it goes."""
        self._rate, self.tell = rate, tell
        self._free = time.monotonic()
        self._waiting = threading.Event()

    def spend(self, elements: int) -> None:
        """Wait until so many more elements may be read."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._free = max(self._free, now) + elements / self._rate
        if self._free - now > 0.05:
            self._waiting.wait(self._free - now)
