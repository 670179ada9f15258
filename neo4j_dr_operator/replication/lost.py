"""Why a change stream does not hold a position any more, from what the source itself tells.

The server's own word is coarse: ``InvalidIdentifier`` stands for a replaced database, a restored one and a capture that
was off for a while, and a pruned log answers with one of two codes. Both ends of the stream tell them apart:

==================== ===============================================================================================
cause                how it is seen
==================== ===============================================================================================
SourceReplaced       the stream's positions carry the UUID of another database
SourceRestored       the stream ends before the position (for :data:`PATIENCE` seconds, since a member of a cluster
                     may only lag behind), or has another transaction in its place
PositionPruned       the log answers that it has no entry of the position any more, and begins after the position
CaptureInterrupted   the position is refused, the database is the same, and its stream begins after the position
==================== ===============================================================================================

After the first two the source may lack what the target holds, so nothing is healed without being asked for. The member
that leads is asked for the ends: another one of a cluster may have been refusing because it lags, or prunes earlier.
"""

from __future__ import annotations

import time

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position

PATIENCE = 10.0
"""Seconds for which a stream has to end before the position until that counts as a restore."""

_ENDS = "CALL db.cdc.earliest() YIELD id AS first CALL db.cdc.current() YIELD id AS last RETURN first, last"
_REFUSED = "Neo.ClientError.ChangeDataCapture.InvalidIdentifier"


def explained(source: Database, cursor: str, error: errors.DatabaseError) -> errors.DatabaseError:
    """``error`` with its cause where it says that ``cursor`` is lost, else as it is. Asks the source once."""
    if type(error) is not errors.PositionLost:
        return error
    try:
        first, last = source.row(_ENDS, leading=True)
    except errors.DatabaseError:
        return error  # the next attempt asks again
    return cause(Position.decode(cursor), Position.decode(first), Position.decode(last), error.code)


def cause(held: Position, first: Position, last: Position, code: str) -> errors.PositionLost:
    """The cause, from the position that was refused with ``code`` and the two ends of the stream (pure)."""
    if not held.same_stream(last):
        return errors.SourceReplaced(
            f"the source is database {last.database}, and the link followed database {held.database}", code=code
        )
    if last.tx < held.tx:
        return errors.SourceRestored(
            f"the change stream ends at transaction {last.tx}, and transaction {held.tx} was applied before", code=code
        )
    if code != _REFUSED and first.tx <= held.tx:
        return errors.PositionLost(
            f"one member's transaction log does not hold transaction {held.tx}; the stream begins at {first.tx}",
            code=code,
        )
    if code != _REFUSED:
        return errors.PositionPruned(
            f"the transaction log begins at transaction {first.tx}, and the link is at {held.tx}", code=code
        )
    if first.tx > held.tx:
        return errors.CaptureInterrupted(
            f"changes are captured from transaction {first.tx} on, and the link is at {held.tx}: "
            "what was committed in between is not in the stream",
            code=code,
        )
    return errors.SourceRestored(
        f"the source has another transaction {held.tx} than the one that was applied", code=code
    )


class Ahead:
    """Tells a member that lags behind from a source that was taken back."""

    def __init__(self) -> None:
        self._since: float | None = None

    def check(self, error: errors.DatabaseError) -> None:
        """A read failed with ``error``. Raises :class:`errors.SourceRestored` once it has ended too early for long."""
        if not isinstance(error, errors.PositionAhead):
            return
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since >= PATIENCE:
            raise errors.SourceRestored(
                f"the change stream has ended before the link's position for {PATIENCE:.0f} s", code=error.code
            )

    def clear(self) -> None:
        """A read succeeded."""
        self._since = None
