"""Reading the change stream of a source: whole transactions, in commit order, as columns.

A record costs the driver 40 to 50 µs whatever is in it, so a chunk of changes is collected into columns on the server.
``collect`` drops nulls: every column that may be null is coalesced. ``db.cdc.current()`` is taken in the same
transaction as the changes and before them, on whatever member answers, so that an empty answer proves that nothing
stood between the cursor and that position.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from neo4j_dr_operator import errors, memory
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import room
from neo4j_dr_operator.replication.changes import Chunk

_SOURCE = "CALL db.cdc.query($cursor) YIELD id, txId, metadata, event "
_COLUMNS = (
    "id",
    "txId",
    "event.operation",
    "event.elementId",
    "coalesce(event.labels, event.type)",
    "coalesce(event.start.elementId, '')",
    "coalesce(event.end.elementId, '')",
    "coalesce(event.state.after, 0)",
)
_COLLECTED = ", ".join(f"collect({column}) AS c{i}" for i, column in enumerate(_COLUMNS))
CHUNK = (
    "CALL db.cdc.current() YIELD id AS now CALL (now) { "
    f"{_SOURCE} WITH * LIMIT $limit RETURN {_COLLECTED}, min(metadata.captureMode) AS mode }} "
    "RETURN now, mode, c0, c1, c2, c3, c4, c5, c6, c7"
)
SINGLE = f"{_SOURCE} RETURN {', '.join(_COLUMNS)}, metadata.captureMode"
CURRENT = "CALL db.cdc.current() YIELD id RETURN id"
NEXT = "CALL db.cdc.query($cursor) YIELD id RETURN id LIMIT 1"

LARGEST_COLLECTED = 40_000
"""Changes of a transaction that the source is asked to collect; a larger one is streamed row by row."""
COLLECTED_BYTES = 32 << 20
"""What one query is meant to collect at most: the estimate comes from the chunk that was cut."""
FETCH = 2_000
"""Changes asked for at once while streaming: what follows the transaction is on its way when its end is seen."""
WHOLE_SECONDS = 3600.0
"""Time limit of streaming one large transaction, and of a look at a whole graph: the link's own is meant for chunks."""


def current(database: Database, *, leading: bool = False) -> Position:
    """The position after everything committed so far: as far as the member has got that answers, all of it with
    ``leading``."""
    return Position.decode(database.row(CURRENT, leading=leading)[0])


def at_end(database: Database, cursor: str) -> bool:
    """Whether nothing stands behind ``cursor``."""
    return not list(database.rows(NEXT, cursor=cursor))


def read_chunk(database: Database, cursor: str, limit: int) -> Chunk:
    """What follows ``cursor``: up to about ``limit`` changes, always whole transactions.

    With nothing there the chunk is empty and its position is the stream's current one. A transaction larger than
    ``limit`` is read whole. Raises :class:`errors.PositionLost`, :class:`errors.ChangeCaptureDisabled` (also for
    capture mode DIFF, which lacks the full state), :class:`errors.TransactionTooLarge` for a transaction that this
    process must not hold in memory (:mod:`.room`).
    """
    while True:
        before = database.traffic.received
        now, mode, *columns = _capturing(database, cursor, limit)
        size = database.traffic.received - before
        _full(mode)
        txs = columns[1]
        if not txs:
            return _chunk(now, columns, 0, more=False)
        if len(txs) < limit:
            return _chunk(columns[0][-1], columns, size, more=False)
        keep = txs.index(txs[-1])  # the last transaction may be cut by the limit: leave it for the next chunk
        if keep:
            kept = [column[:keep] for column in columns]
            return _chunk(columns[0][keep - 1], kept, size * keep // len(txs), more=True)
        if limit >= LARGEST_COLLECTED or size * 4 > COLLECTED_BYTES:
            return _whole(database, cursor)
        limit = min(limit * 4, LARGEST_COLLECTED)


def _capturing(database: Database, cursor: str, limit: int) -> list[Any]:
    try:
        return database.row(CHUNK, cursor=cursor, limit=limit)
    except errors.NotSupported as error:
        raise errors.ChangeCaptureDisabled("the source has no change data capture", code=error.code) from error


def _full(mode: str | None) -> None:
    if mode not in (None, "FULL"):
        raise errors.ChangeCaptureDisabled(f"change data capture is in mode {mode}; replication needs FULL")


def _chunk(cursor: str, columns: list[list[Any]], size: int, *, more: bool) -> Chunk:
    chunk = Chunk(more, cursor, Position.decode(cursor), *columns)
    chunk.size = size
    return chunk


def _whole(database: Database, cursor: str) -> Chunk:
    """The one transaction after ``cursor``, streamed row by row: no limit on the server's memory, one on ours."""
    columns: list[list[Any]] = [[] for _ in _COLUMNS]
    before, last = database.traffic.received, ""
    rows = database.stream(SINGLE, {"cursor": cursor}, within=WHOLE_SECONDS, fetch=FETCH)
    try:
        for row in rows:
            if columns[1] and row[1] != columns[1][0]:
                break
            _full(row[8])
            last = row[0]
            for column, value in zip(columns[1:], row[1:8], strict=True):
                column.append(value)
            if len(columns[1]) % room.LOOK_EVERY == 0:
                room.check(len(columns[1]), database.traffic.received - before, memory.MINE.allowed())
    finally:
        rows.close()
    columns[0] = [last] * len(columns[1])  # within a transaction only its end is a position
    return _chunk(last, columns, database.traffic.received - before, more=True)


class SourceFailure(errors.ReplicationError):
    """A database error that came from the source; ``cause`` is that error."""

    reason = "SourceFailure"

    def __init__(self, cause: errors.DatabaseError) -> None:
        super().__init__(cause.message)
        self.cause = cause


@contextlib.contextmanager
def from_source() -> Iterator[None]:
    """Inside, database errors are marked as the source's: everything else that raises talks to the target."""
    try:
        yield
    except errors.DatabaseError as error:
        raise SourceFailure(error) from error
