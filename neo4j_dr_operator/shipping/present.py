"""Where a source's change stream ends now."""

from __future__ import annotations

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.stream import from_source

_PRESENT = "CALL db.cdc.current() YIELD id RETURN id, timestamp()"


def present(source: Database) -> tuple[Position, int]:
    """The end of the stream, and the source's clock then (ms since 1970), by the member that takes writes: behind what
    any other has shown.

    Raises :class:`SourceFailure`, of :class:`errors.ChangeCaptureDisabled` for a source without change data capture,
    and :class:`errors.ConfigInvalid` for an identifier of a version unknown here.
    """
    with from_source():
        try:
            text, clock = source.row(_PRESENT, leading=True)
        except errors.NotSupported as error:
            raise errors.ChangeCaptureDisabled("the source has no change data capture", code=error.code) from error
    return decoded(text), clock


def decoded(text: str) -> Position:
    """As :meth:`Position.decode`. Raises :class:`errors.ConfigInvalid`."""
    try:
        return Position.decode(text)
    except ValueError as error:
        raise errors.ConfigInvalid(f"a position that cannot be read: {error}") from error
