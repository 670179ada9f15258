"""How much is read at once, how fast, and who is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

PAGE_BYTES = 4 << 20
"""What a page of elements should weigh, written as text; pages grow and shrink towards it."""
SMALLEST, LARGEST = 8, 5_000
FIRST = 1_000
"""Elements of the first page, before anything is known of their size."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is: what it does, and how much of it is done; ``total`` 0 where that is not known."""

    doing: str
    done: int = 0
    total: int = 0


class Pages:
    """The size of the next page, from the weight of the last."""

    def __init__(self) -> None:
        self.size = FIRST

    def weighed(self, elements: int, weight: int) -> None:
        """A page had so many elements that weighed so many bytes. It at most doubles, and shrinks at once."""
        fitting = elements * PAGE_BYTES // max(weight, 1) if elements else self.size * 2
        self.size = max(SMALLEST, min(LARGEST, self.size * 2, fitting))


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
