"""How much is read at once, and how much is held: from what reading has cost so far (pure).

A page is one query of the change stream, so one round trip. It grows while the round trip is a large part of the time
that a full page takes, and shrinks to what may be held in memory or carried within the time limit. What a page holds
says nothing about what the target is given in one transaction: :func:`.portions.split` parts it.
"""

from __future__ import annotations

FIRST_PAGE = 20
"""Changes of the first query: nothing is known of their weight yet, and the source collects them all in its memory."""
QUIET_PAGE = 1_000
"""Changes of a query after one that was not full: what comes after a pause may be of another weight."""
LARGEST_PAGE = 40_000
"""Changes of one query, unless the batch is larger."""
PAGE_BYTES = 16 << 20
"""What one page is meant to weigh at most on its way; the estimate comes from the page before."""
AHEAD_BYTES = 64 << 20
"""What may be read ahead, in the same bytes; one page more may be on its way. In memory it is several times as much."""
ROUND_TRIPS = 10
"""A page that takes less than so many round trips is too small to be worth one."""


class Pace:
    """The size of pages, in changes: at first small, then a batch, then what the way asks for."""

    def __init__(self, batch: int) -> None:
        """``batch``: most changes of one transaction of the target."""
        self.page = min(batch, FIRST_PAGE)
        self._batch = batch

    def read(self, changes: int, weight: int, seconds: float, round_trip: float | None) -> None:
        """A full page of ``changes`` weighing ``weight`` bytes took ``seconds``; a round trip takes ``round_trip``."""
        if weight > PAGE_BYTES:
            self.page = max(1, min(self.page, changes * PAGE_BYTES // weight))
        elif round_trip and seconds < ROUND_TRIPS * round_trip and weight * 2 <= PAGE_BYTES:
            self.page = max(self._batch, min(self.page * 2, LARGEST_PAGE))
        elif self.page < self._batch and weight * 4 <= PAGE_BYTES:
            self.page = min(self.page * 4, self._batch)

    def caught_up(self, changes: int, weight: int) -> None:
        """A page that was not full held ``changes`` weighing ``weight`` bytes: nothing at all, mostly."""
        if weight > PAGE_BYTES:
            self.page = max(1, min(self.page, changes * PAGE_BYTES // weight))
        else:
            self.page = min(self.page, max(QUIET_PAGE, changes * 4))

    def failed(self) -> None:
        """A page was too much for the time limit, or for the source's memory."""
        self.page = max(1, self.page // 4)
