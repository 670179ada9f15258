"""A look at an archive before anything is touched, and a restore of a snapshot alone, by time."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import Neo4j
from neo4j_dr_operator.graph.position import Position
from tests.database.archive_process import BackUp, Restore
from tests.database.process import JobProcess
from tests.database.shipping_process import ARCHIVE, PATH, Ship, Store
from tests.database.test_restore import rfc3339
from tests.scenario.world import wait_for

Survey = Callable[..., JobProcess]


@pytest.fixture
def survey(store: Store) -> Iterator[Survey]:
    """Start a look at the store; all are killed in the end."""
    running: list[JobProcess] = []

    def begin(point: dict[str, Any], archive: str | None = None, held: tuple[str, int] | None = None) -> JobProcess:
        asked = {"database": held[0], "transaction": held[1]} if held else None
        config = {"archive": archive, "database": None, "source": store.destination(), "timeout": 10.0, "held": asked}
        running.append(JobProcess("survey", None, point=point, **config))
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()


def moment(source: Neo4j) -> str:
    """A time between two commits, on the source's clock."""
    ask = lambda: source.query("RETURN datetime().epochMillis AS at")[0]["at"]  # noqa: E731
    at = ask()
    wait_for("the next millisecond", lambda: ask() > at + 1, 5, 0.002)
    return rfc3339((at + 1) / 1000)


def end(source: Neo4j) -> Position:
    """The end of the source's change stream."""
    return Position.decode(source.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"])


def test_which_snapshot_and_what_is_within(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore, survey: Survey
) -> None:
    shipper = ship(interval=0.2)
    shipper.shipping()
    before = moment(source)
    source.query("CREATE (:A {uid: 1})-[:R]->(:A {uid: 2})")
    first = back_up().done()["snapshot"]
    between = moment(source)
    source.query("CREATE (:A {uid: 3})")
    second = back_up().done()["snapshot"]
    source.query("CREATE (:A {uid: 4})")
    shipper.shipped()
    last = end(source)

    assert survey({"snapshot": "newest", "time": between}).done()["snapshot"] == first
    assert survey({"snapshot": "newest", "time": moment(source)}).done()["snapshot"] == second
    newest = survey({"end": True}, held=(last.database, last.tx)).done()
    assert (newest["archive"], newest["snapshot"], newest["newest"]) == (ARCHIVE, second, last.database)
    assert (newest["within"], newest["lacking"]) == (True, "")
    early = survey({"snapshot": "newest", "time": before}).refused()
    assert (early["reason"], "no snapshot from before" in early["message"]) == ("PointBeforeStart", True)

    ahead = survey({"end": True}, held=(last.database, last.tx + 1000)).done()
    assert (ahead["within"], "does not know yet" in ahead["lacking"]) == (False, True)
    other = survey({"end": True}, held=(str(uuid.uuid4()), last.tx)).done()
    assert other["within"] is False
    assert survey({"end": True}, archive="other/one").refused()["reason"] == "ArchiveMissing"

    report = restore(name="alone", point={"snapshot": "newest", "time": between}).done()
    assert (report["transactions"], report["nodes"], report["relationships"]) == (0, 2, 1)
    assert report["check"] == "each of 2 nodes and 1 relationships that were restored is there, and no other"
    assert target.query("MATCH (n:A) RETURN n.uid AS uid ORDER BY uid") == [{"uid": 1}, {"uid": 2}]
    again = restore(name="alone", point={"snapshot": "newest", "time": between}).done()
    assert (again["nodes"], again["snapshot"]) == (2, first)

    segment = max(key for key in store.objects() if key.endswith(".seg") and key.startswith(f"{PATH.strip('/')}/"))
    store.put(segment, store.objects()[segment][:-9])
    altered = survey({"snapshot": "newest"}, held=(last.database, last.tx)).done()
    assert (altered["within"], segment.removeprefix(f"{PATH.strip('/')}/") in altered["lacking"]) == (False, True)


def test_an_element_that_somebody_has_replaced_is_missed(
    source: Neo4j, target: Neo4j, back_up: BackUp, restore: Restore
) -> None:
    """As many as before, and not the same."""
    source.query("UNWIND range(1, 20) AS i CREATE (:A {uid: i})-[:R]->(:B)")
    back_up().done()
    assert restore(environment={"NEO4J_DR_FAULT": "replayed:1"}).ended() == -signal.SIGKILL
    target.query("CREATE (:Stranger)-[:R]->(:Stranger)")
    target.query("MATCH (a:A {uid: 7})-[:R]->(b:B) DETACH DELETE a, b")
    said = restore().refused()
    assert said["reason"] == "TargetAltered"
    assert "2 nodes that were restored are not in the target" in said["message"]
