"""What was committed while a snapshot was read, kept beside its chunks in the segment format of the archive.

The chunks mix states of different times; with these transactions, applied in idempotent mode, they are the graph at the
snapshot's position (docs/archive-format.md, "Why a snapshot is exact"). They are cut by bytes, so a snapshot takes no
memory for them whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.manifest import AmendmentRef
from neo4j_dr_operator.graph.position import Position, commit_times
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping.segment import Header, Segment, SegmentWriter, Start

REASON = "snapshot"


class Amendments:
    """Takes chunks of the stream from ``start`` on."""

    def __init__(self, config: BackupConfig, start: Position, created: int, put: Callable[[Segment], None]) -> None:
        """``created``: ms since 1970; ``put`` is given every segment that is full."""
        self._config, self._created, self._put = config, created, put
        self.start = start
        self._writer: SegmentWriter | None = None
        self.position = start
        """After everything that was taken."""
        self.latest = 0
        """Commit time of the latest transaction among it, ms since 1970."""
        self.refs: list[AmendmentRef] = []
        self.transactions = 0

    def add(self, chunk: Chunk) -> None:
        """Whole transactions, in their order. Raises :class:`errors.ReplicationError` for a value unknown to us."""
        if self._writer is None:
            self._writer = SegmentWriter(self._header())
        before = self._writer.transactions
        try:
            self._writer.add(chunk)
            self.latest = max(self.latest, *commit_times(chunk.ids), 0)
        except ValueError as error:
            raise errors.ReplicationError(f"a transaction cannot be written: {error}") from error
        self.transactions += self._writer.transactions - before
        self.position = chunk.position
        if self._writer.size >= self._config.amendment_bytes:
            self.close()

    def close(self) -> None:
        """Put what is left, if there is anything."""
        writer, self._writer = self._writer, None
        if writer is None or not writer.transactions:
            return
        segment = writer.close(self.position, self.latest)
        self._put(segment)
        header, trailer = segment.header, segment.trailer
        self.refs.append(
            AmendmentRef(segment.sha256, header.position, trailer.position, trailer.transactions, trailer.changes)
        )

    def _header(self) -> Header:
        number, config = len(self.refs) + 1, self._config
        begin = self.refs[-1].to if self.refs else self.start.text
        previous = self.refs[-1].sha256 if self.refs else None
        start = None if self.refs else Start(REASON)
        database = self.start.database
        return Header(
            config.archive, config.epoch, config.site, number, database, begin, previous, start, self._created
        )
