"""The segment that is open: what has been read beyond the end of the chain, and when it is to be cut (no I/O)."""

from __future__ import annotations

from dataclasses import replace

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping.chain import Tail
from neo4j_dr_operator.shipping.config import ShipperConfig
from neo4j_dr_operator.shipping.segment import Header, Segment, SegmentWriter, Start


class OpenSegment:
    """What follows ``tail``. ``now`` is a monotonic time in seconds, ``at`` one in seconds since 1970, on this host.

    What it covers never lies ahead of ``at``: a source whose clock is fast, and is set right one day, commits once more
    at times that have been.
    """

    def __init__(self, config: ShipperConfig, tail: Tail) -> None:
        self._config = config
        self.tail = tail
        """The end of the chain; ``seen`` and ``covered`` move on while there is nothing to ship."""
        self.cursor = tail.seen
        """After everything that was read."""
        self._covered = tail.covered
        self._writer: SegmentWriter | None = None
        self._since: float | None = None

    @property
    def filled(self) -> bool:
        """Whether it holds anything to ship."""
        return self._since is not None

    def add(self, chunk: Chunk, now: float, at: float) -> None:
        """Take what was read. Raises ValueError for a value or an identifier unknown to us."""
        if self._writer is None:
            self._writer = SegmentWriter(
                header(self._config, self.tail.number + 1, self.tail.position, self.tail.sha256, None, at)
            )
        self._writer.add(chunk)
        self.cursor = chunk.position
        self._covered = max(self._covered, min(chunk.position.commit_millis, int(at * 1000)))
        if not self._writer.changes:
            self.tail = replace(self.tail, seen=self.cursor, covered=self._covered)
        elif self._since is None:
            self._since = now

    def quiet(self, clock: int, at: float) -> None:
        """Nothing that is to be shipped was committed before ``clock`` (ms since 1970, the source's)."""
        self._covered = max(self._covered, min(clock, int(at * 1000)))
        self.tail = replace(self.tail, covered=self._covered)

    def due_in(self, now: float) -> float | None:
        """Seconds until it has to be cut, None while there is nothing in it."""
        if self._writer is None or self._since is None:
            return None
        if self._writer.size >= self._config.segment_bytes:
            return 0.0
        return max(0.0, self._since + self._config.interval - now)

    def close(self) -> tuple[Segment, Tail]:
        """The segment, and the end of the chain once it is in S3."""
        assert self._writer is not None
        segment = self._writer.close(self.cursor, self._covered)
        return segment, Tail(segment.header.number, segment.sha256, self.cursor, self.cursor, self._covered)


def without_transactions(
    config: ShipperConfig, number: int, previous: str | None, start: Start, at: Position, now: float
) -> tuple[Segment, Tail]:
    """A segment that says where, and why, the chain of positions begins (again). ``now``: seconds since 1970, here."""
    writer = SegmentWriter(header(config, number, at, previous, start, now))
    covered = min(at.commit_millis, int(now * 1000))
    segment = writer.close(at, covered)
    return segment, Tail(number, segment.sha256, at, at, covered)


def header(
    config: ShipperConfig, number: int, position: Position, previous: str | None, start: Start | None, at: float
) -> Header:
    """The header of a segment made at ``at``."""
    return Header(
        archive=config.archive,
        epoch=config.epoch,
        site=config.site,
        number=number,
        database=position.database,
        position=position.text,
        previous=previous,
        start=start,
        created=int(at * 1000),
    )
