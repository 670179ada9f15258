"""The reading side of a worker: a thread that follows the change stream, ahead of what is being applied."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.replication import lost
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.pace import AHEAD_BYTES, Pace
from neo4j_dr_operator.replication.patience import Patience
from neo4j_dr_operator.replication.portions import split
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.replication.stream import SourceFailure, read_chunk

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.05
"""Pause in seconds between two looks at a stream that had nothing new; the stream cannot be waited on."""

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 0.4
"""Pause in seconds after a failure that may pass: a link that is back is noticed within a second."""

RETRIED = (errors.DatabaseUnreachable, errors.TransientFailure)
LOCKED_OUT = (errors.AuthenticationFailed, errors.CertificateRejected, errors.PlainServer, errors.TlsRequired)
"""What somebody has to mend, here or at the server; a worker goes on looking."""
AHEAD = 4
"""Pages that are read ahead, where they are not heavier than AHEAD_BYTES."""
STILL = 0.5
"""Seconds without a byte after which a connection counts as silent, once a new one has answered."""
TOO_MUCH = (errors.TimedOut, errors.TransientFailure)
"""What a page can meet because it is large: the time limit, the server's memory."""


class Feed(Protocol):
    """What a reader tells about the stream: a part of its worker's status.

    ``caught_up``: the last read found nothing; ``pending``: changes that were read and are not dealt with; ``read_at``:
    when the last read that succeeded began (seconds since 1970), set after everything that it found was queued.
    """

    source_problem: Problem | None
    caught_up: bool
    pending: int
    read_at: float | None
    changed: threading.Event


class Reader(threading.Thread):
    """Reads from ``cursor`` on. Failures that may pass are reported and tried again; others end it."""

    def __init__(
        self,
        database: Database,
        cursor: str,
        batch: int,
        interval: float,
        status: Feed,
        *,
        pause: float = FIRST_PAUSE,
        round_trip: Callable[[], float | None] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        """``batch``: most changes of a chunk; ``interval``: longest pause in seconds between two queries.

        ``pause``: the shortest; ``round_trip``: seconds to the source and back where that is known, for larger pages;
        ``patience``: which failures are hiccups, none without it.
        """
        super().__init__(name="read", daemon=True)
        self._database, self._cursor, self._batch = database, cursor, batch
        self._longest = min(interval, max(LONGEST_PAUSE, pause))
        self._shortest = min(interval, pause)
        self._status = status
        self._pace, self._round_trip = Pace(batch), round_trip
        self._patience = patience or Patience()
        self._asked: float | None = None
        self._chunks: deque[Chunk] = deque()
        self._changed = threading.Condition()
        self._pending = 0
        self._applying = 0
        self._ahead = 0
        self._stopping = threading.Event()
        self._ended = False
        self._failure: Exception | None = None
        status.caught_up = False
        status.pending = 0

    def stop(self) -> None:
        """Read no more; what was read can still be taken."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def take(self, timeout: float) -> list[Chunk] | None:
        """Whole chunks of up to about one batch, as many as are there; [] when nothing came within ``timeout`` seconds.

        What was taken before counts as applied. None: the reader has ended and everything was taken. Raises
        :class:`SourceFailure` once everything read before the failure was taken; likewise what a mistake of ours has
        raised in this thread.
        """
        with self._changed:
            self._applying = 0
            self._count()
            if not self._chunks and not self._ended:
                self._changed.wait(timeout)
            taken: list[Chunk] = []
            size = 0
            while self._chunks and (not taken or size + len(self._chunks[0]) <= self._batch):
                taken.append(self._chunks.popleft())
                size += len(taken[-1])
                self._ahead -= taken[-1].size
            self._pending -= size
            self._applying = size
            self._count()
            self._changed.notify_all()
            if taken or not self._ended:
                return taken
            if self._failure is not None:
                raise self._failure
            return None

    def _count(self) -> None:
        self._status.pending = self._pending + self._applying + (1 if self._chunks and not self._pending else 0)

    def run(self) -> None:
        """Until stopped or failed for good."""
        pause, backoff, ahead = self._shortest, FIRST_BACKOFF, lost.Ahead()
        try:
            while not self._stopping.is_set():
                began, tried = time.time(), time.monotonic()
                try:
                    chunk = self._read()
                except RETRIED as error:
                    if isinstance(error, TOO_MUCH):
                        self._pace.failed()
                    ahead.check(error)
                    hiccup = self._patience.failed(tried, time.monotonic())
                    self._status.source_problem = Problem.of(SourceFailure(error), hiccup=hiccup)
                    self._status.changed.set()
                    self._database.close()
                    self._stopping.wait(backoff)
                    backoff = min(backoff * 2, LONGEST_BACKOFF)
                    continue
                backoff = FIRST_BACKOFF
                ahead.clear()
                self._patience.clear()
                moved = self._offer(chunk, began)
                pause = self._shortest if moved else min(pause * 1.5, self._longest)
                if not chunk.more:
                    self._stopping.wait(pause)
        except errors.DatabaseError as error:
            self._failure = SourceFailure(lost.explained(self._database, self._cursor, error))
        except ValueError as error:
            self._failure = SourceFailure(errors.QueryFailed(str(error)))
        except Exception as error:  # noqa: BLE001 - the boundary of the thread: raised by take(), never a quiet end
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _read(self) -> Chunk:
        """One page."""
        self._asked = began = time.monotonic()
        try:
            chunk = read_chunk(self._database, self._cursor, self._pace.page)
        finally:
            self._asked = None
        if chunk.more:
            self._pace.read(len(chunk), chunk.size, time.monotonic() - began, self._round_trip())
        else:
            self._pace.caught_up(len(chunk), chunk.size)
        return chunk

    def hurry(self, silent: float) -> None:
        """The source answers again on a new connection: ask anew where an answer was due for ``silent`` seconds.

        An answer that is still coming in, as that of a large transaction, is left alone.
        """
        asked, received = self._asked, self._database.traffic.received
        if asked is None or time.monotonic() - asked <= silent:
            return
        self._stopping.wait(STILL)
        if self._asked == asked and self._database.traffic.received == received:
            self._database.close()

    def _offer(self, page: Chunk, began: float) -> bool:
        """Queue what moves the position; wait while too much is queued."""
        moved = page.cursor != self._cursor
        with self._changed:
            if moved:
                self._cursor = page.cursor
                for chunk in split(page, self._batch):
                    self._chunks.append(chunk)
                    self._ahead += chunk.size
                self._pending += len(page)
            self._status.source_problem = None
            self._count()
            self._status.caught_up = not len(page)
            self._status.read_at = began
            self._changed.notify_all()
            while self._full() and not self._stopping.is_set():
                self._changed.wait(1.0)
        return moved

    def _full(self) -> bool:
        return self._pending >= max(self._batch, self._pace.page) * AHEAD or self._ahead >= AHEAD_BYTES
