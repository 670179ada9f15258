from __future__ import annotations

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.health.advice import of_link
from neo4j_dr_operator.replication import lost
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.replication.stream import SourceFailure

REFUSED = "Neo.ClientError.ChangeDataCapture.InvalidIdentifier"
SCAN = "Neo.DatabaseError.ChangeDataCapture.ScanFailure"


def at(tx: int, database: str = "a") -> Position:
    return Position("", 5, database, tx, 0, 0)


@pytest.mark.parametrize(
    ("held", "first", "last", "code", "kind"),
    [
        (at(50), at(1, "b"), at(99, "b"), REFUSED, errors.SourceReplaced),
        (at(50), at(60, "b"), at(99, "b"), SCAN, errors.SourceReplaced),
        (at(50), at(1), at(49), REFUSED, errors.SourceRestored),
        (at(50), at(60), at(99), SCAN, errors.PositionPruned),
        (at(50), at(60), at(99), "Neo.ClientError.General.UnknownError", errors.PositionPruned),
        (at(50), at(50), at(99), SCAN, errors.PositionLost),
        (at(50), at(60), at(99), REFUSED, errors.CaptureInterrupted),
        (at(50), at(40), at(99), REFUSED, errors.SourceRestored),
    ],
)
def test_a_lost_position_has_a_cause(
    held: Position, first: Position, last: Position, code: str, kind: type[errors.PositionLost]
) -> None:
    found = lost.cause(held, first, last, code)
    assert type(found) is kind
    assert found.code == code
    assert of_link(Problem.of(SourceFailure(found)).reason) == ("source", kind.reason)


def test_a_member_that_lags_is_no_restore_until_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(lost.time, "monotonic", lambda: clock[0])
    ahead, error = lost.Ahead(), errors.PositionAhead("x")
    ahead.check(error)
    clock[0] += lost.PATIENCE - 1
    ahead.check(error)
    ahead.clear()
    clock[0] += 2
    ahead.check(error)
    ahead.check(errors.TransientFailure("something else"))
    clock[0] += lost.PATIENCE
    with pytest.raises(errors.SourceRestored):
        ahead.check(error)
