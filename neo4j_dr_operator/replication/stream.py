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

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
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

MAX_TRANSACTION = 2_000_000
"""Changes of one source transaction that a worker is willing to hold in memory."""


def current(database: Database) -> Position:
    """The position after everything committed so far."""
    return Position.decode(database.row(CURRENT)[0])


def read_chunk(database: Database, cursor: str, limit: int) -> Chunk:
    """What follows ``cursor``: up to about ``limit`` changes, always whole transactions.

    With nothing there the chunk is empty and its position is the stream's current one. A transaction larger than
    ``limit`` is read whole. Raises :class:`errors.PositionLost`, :class:`errors.ChangeCaptureDisabled` (also for
    capture mode DIFF, which lacks the full state), :class:`errors.QueryFailed` for a transaction beyond
    :data:`MAX_TRANSACTION` changes.
    """
    now, mode, *columns = _capturing(database, cursor, limit)
    _full(mode)
    txs = columns[1]
    if not txs:
        return _chunk(now, columns, more=False)
    if len(txs) < limit:
        return _chunk(columns[0][-1], columns, more=False)
    keep = txs.index(txs[-1])  # the last transaction may be cut by the limit: leave it for the next chunk
    if keep == 0:
        columns = _whole(database, cursor)
        return _chunk(columns[0][-1], columns, more=True)
    return _chunk(columns[0][keep - 1], [column[:keep] for column in columns], more=True)


def _capturing(database: Database, cursor: str, limit: int) -> list[Any]:
    try:
        return database.row(CHUNK, cursor=cursor, limit=limit)
    except errors.NotSupported as error:
        raise errors.ChangeCaptureDisabled("the source has no change data capture", code=error.code) from error


def _full(mode: str | None) -> None:
    if mode not in (None, "FULL"):
        raise errors.ChangeCaptureDisabled(f"change data capture is in mode {mode}; replication needs FULL")


def _chunk(cursor: str, columns: list[list[Any]], *, more: bool) -> Chunk:
    return Chunk(more, cursor, Position.decode(cursor), *columns)


def _whole(database: Database, cursor: str) -> list[list[Any]]:
    """The one transaction after ``cursor``, streamed row by row: no limit on the server's memory."""
    columns: list[list[Any]] = [[] for _ in _COLUMNS]
    rows = database.rows(SINGLE, cursor=cursor)
    try:
        for row in rows:
            if columns[1] and row[1] != columns[1][0]:
                break
            _full(row[8])
            if len(columns[1]) >= MAX_TRANSACTION:
                raise errors.QueryFailed(f"a source transaction has more than {MAX_TRANSACTION} changes")
            for column, value in zip(columns, row[:8], strict=True):
                column.append(value)
    finally:
        rows.close()
    return columns


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
