"""Reading a snapshot and segments ahead of what is being written, in the order in which they are needed."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self, TypeVar

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.vault import ObjectAltered, ObjectMissing
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.portions import FIXED, ends, part, weight
from neo4j_dr_operator.restore.chain import Link
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader

READERS, AHEAD = 2, 3
"""Objects that are read at a time, and that wait to be used, the one in use beside them."""
BATCHES = 3
"""Batches of a segment that wait."""
A = TypeVar("A")
B = TypeVar("B")
Fetched = Callable[[str], bytes | None]
Segments = Generator[tuple[str, bytes], None, None]
"""Names and bytes of segments, in their order."""


def ahead(wanted: Sequence[A], read: Callable[[A], B]) -> Iterator[tuple[A, B]]:
    """Each with what ``read`` gives for it, read before it is asked for. Raises what ``read`` raises, in its place."""
    with ThreadPoolExecutor(READERS, thread_name_prefix="read") as pool:
        waiting: deque[tuple[A, Future[B]]] = deque()
        coming = iter(wanted)
        try:
            while True:
                while len(waiting) < AHEAD and (each := next(coming, None)) is not None:
                    waiting.append((each, pool.submit(read, each)))
                if not waiting:
                    return
                at, future = waiting.popleft()
                yield at, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def fetched(link: Link, fetch: Fetched) -> bytes:
    """A segment's bytes, the same as when it was looked at first. Raises ArchiveBroken, which names the object."""
    data = fetch(link.name)
    if data is None:
        raise ObjectMissing(f"{link.name} is not there any more")
    if hashlib.sha256(data).hexdigest() != link.sha256:
        raise ObjectAltered(f"{link.name} is another one than a moment ago")
    return data


def segments(links: Sequence[Link], fetch: Fetched) -> Segments:
    """Each segment's name and bytes, read before it is asked for. Raises as :func:`fetched`."""
    for link, data in ahead(links, lambda link: fetched(link, fetch)):
        yield link.name, data


def transactions(name: str, data: bytes, after: int, point: Point) -> Iterator[Chunk]:
    """Whole transactions of a segment behind ``after``, up to the point.

    Raises ArchiveBroken, which names the object, and :class:`_Passed` at the first transaction beyond the point.
    """
    try:
        for batch in SegmentReader(data).batches():
            chunk = batch.chunk
            bounds = ends(chunk.txs)
            txs = [chunk.txs[end - 1] for end in bounds]
            admitted = point.admits(batch.times, txs)
            skipped = sum(1 for tx in txs[:admitted] if tx <= after)
            begin = bounds[skipped - 1] if skipped else 0
            stop = bounds[admitted - 1] if admitted else 0
            if stop > begin:
                size = sum(FIXED + (weight(after_) if after_ else 0) for after_ in chunk.afters[begin:stop])
                yield part(chunk, begin, stop, size)
            if admitted < len(txs):
                raise _Passed
    except ArchiveBroken as error:
        raise ObjectAltered(f"{name}: {error.message}") from error


class _Passed(errors.DrError):
    """The point was passed: nothing behind it counts."""


class Replay(threading.Thread):
    """Takes segments apart beside the thread that writes."""

    def __init__(self, segments: Segments, after: int, point: Point) -> None:
        """``after``: the last transaction that the target has. The thread takes from ``segments``, and closes it."""
        super().__init__(name="replay", daemon=True)
        self._segments, self._after, self._point = segments, after, point
        self._chunks: queue.Queue[Chunk | errors.DrError | None] = queue.Queue(BATCHES)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until the point, or the last segment's end."""
        end: errors.DrError | None = errors.DrError("taking a segment apart failed")  # unless it ends in another way
        try:
            for name, data in self._segments:
                for chunk in transactions(name, data, self._after, self._point):
                    self._offer(chunk)
                    if self._stopping.is_set():
                        return
            end = None
        except _Passed:
            end = None
        except errors.DrError as error:
            end = error
        finally:
            self._segments.close()
            self._offer(end)

    def _offer(self, what: Chunk | errors.DrError | None) -> None:
        while not self._stopping.is_set():
            try:
                self._chunks.put(what, timeout=0.5)
                return
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks, in their order. Raises what reading raised."""
        while (found := self._chunks.get()) is not None:
            if isinstance(found, errors.DrError):
                raise found
            yield found

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Inside, it reads; afterwards it does not any more."""
        self.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self.join()
