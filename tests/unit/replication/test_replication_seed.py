"""From where a scan may begin: no member may show it what is older than the scan's position."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import lost, scan, seed, stream
from neo4j_dr_operator.replication.stream import SourceFailure


def at(tx: int, database: str = "a") -> Position:
    return Position("", 5, database, tx, 0, 0)


def waited(monkeypatch: pytest.MonkeyPatch, answers: Iterable[Position]) -> list[float]:
    """The pauses until a scan from transaction 50 may begin."""
    left, pauses = iter(answers), list[float]()
    monkeypatch.setattr(stream, "current", lambda _: next(left))
    seed.reached(cast(Database, None), at(50), pauses.append)
    return pauses


def test_a_scan_waits_for_a_member_that_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited(monkeypatch, [at(50)]) == []
    assert waited(monkeypatch, [at(48), at(49), at(51)]) == [seed.LAGGING] * 2


@pytest.mark.parametrize(
    ("answers", "kind"),
    [([at(99, "b")], errors.SourceReplaced), ([at(49)] * 1000, errors.SourceRestored)],
)
def test_a_scan_never_goes_on_over_an_older_or_another_graph(
    monkeypatch: pytest.MonkeyPatch, answers: list[Position], kind: type[errors.DatabaseError]
) -> None:
    with pytest.raises(SourceFailure) as failure:
        waited(monkeypatch, answers)
    assert type(failure.value.cause) is kind
    assert lost.PATIENCE / seed.LAGGING == 40


def test_the_ends_of_a_graph_are_looked_for_as_long_as_a_whole_graph_takes() -> None:
    asked: list[float | None] = []

    class Large:
        def row(self, query: str, *, within: float | None = None) -> list[int]:
            asked.append(within)
            return [7]

    for query in (scan.NODES_END, scan.RELATIONSHIPS_END):
        assert scan.end(cast(Database, Large()), query) == 7
    assert asked == [stream.WHOLE_SECONDS] * 2
