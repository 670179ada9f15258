"""A restore over a standby that is being filled: taken from its link, emptied, restored; then replication resumed.

Real servers, real workers. Graphs are compared element by element: with the source as it was at the point after the
restore, with the source as it is after the resumption.
"""

from __future__ import annotations

import signal

import pytest

from lab import Neo4j
from tests.compare import Graph, differences, read
from tests.database.archive_process import BackUp, Restore, RestoreProcess
from tests.database.conftest import Start
from tests.database.load import Load, prepare
from tests.database.process import FORWARD
from tests.database.raw import same, undecoded
from tests.database.shipping_process import Ship, Store
from tests.database.test_restore import last_transaction, schema, values
from tests.scenario.world import wait_for

NAME = "production/back/3c2f"
"""As the operator calls a restore: namespace, name, uid."""
SITE = "MERGE (s:__Neo4jDR:__Neo4jDRSite {key: 'site'}) SET s.role = $role, s.epoch = 1, s.dr = 'production/dr'"
NOTE = "MATCH (r:__Neo4jDRRestore) RETURN r.complete AS complete, coalesce(r.resumed, '') AS resumed"
LINKS = "MATCH (l:__Neo4jDRLink) RETURN collect(l.link) AS links"
KILLS = ("surveyed:1", "noted:1", "emptying:2", "begin:6", "commit:4", "committed:5", "emptying:9", "emptied:1",
         "page:2", "loaded:1", "replayed:1", "ended:1")  # fmt: skip
"""Where a restore that overwrites dies, in this order: before and behind the note, in and between deletions, behind."""
RESUMED = ("begin:1", "checkpoint:1", "checkpoint:3", "page:1", "committed:2", "commit:3")
"""Where the worker dies that resumes replication: while it takes the map over, and while it compares."""


def graph(server: Neo4j) -> Graph:
    """The graph of now, to compare with later."""
    with undecoded(server) as query:
        return read(query)


def followed(source: Neo4j, target: Neo4j, start: Start, ship: Ship, back_up: BackUp) -> tuple[Graph, int]:
    """A standby that follows a source with an archive; the graph at a point in the past, and its transaction."""
    prepare(source, 1_500, 1_500)
    values(source)
    target.query(SITE, role="standby")
    shipper = ship(interval=0.2)
    shipper.shipping()
    back_up().done()
    load = Load(source, 1, others=1_500)
    load.start()
    wait_for("writes", lambda: load.transactions > 60, 60)
    load.stop()
    then, point = graph(source), last_transaction(source)
    source.query("MATCH (n:Old) WHERE n.uid % 3 = 0 DETACH DELETE n")
    source.query("UNWIND range(1, 500) AS i CREATE (:Mistake {uid: i})-[:OF]->(:Mistake {uid: -i})")
    shipper.shipped()
    return then, point


def test_a_standby_is_taken_from_its_link_and_given_back(
    source: Neo4j, target: Neo4j, start: Start, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    source.query("CREATE INDEX mistake FOR (n:Mistake) ON (n.uid)")
    then, point = followed(source, target, start, ship, back_up)
    alive = start(batch=500)
    alive.caught_up()
    same(source, target)
    target.query("CREATE INDEX foreign FOR (n:Foreign) ON (n.uid)")
    writer = Load(source, 2, pause=0.005, others=1_500)
    writer.start()
    refused = restore(name="other", point={"transaction": point}).refused()
    assert refused["reason"] == "TargetNotEmpty"
    report = restore(name=NAME, point={"transaction": point}, overwrite=True, clean=False, batch=500).done()
    assert report["positionTx"] == point
    assert alive.ended() == 3
    assert "Stale" in alive.errors
    assert alive.report["error"]["reason"] in ("RestoreUnderWay", "Restored")
    assert differences(then, graph(target)) == []
    assert schema(target) == schema(source)
    assert target.query("MATCH (s:__Neo4jDRSite) RETURN s.role AS r, s.dr AS d") == [
        {"r": "standby", "d": "production/dr"}
    ]
    assert target.query(LINKS) == [{"links": [f"restore:{NAME}"]}]

    for origin in ("attach", "seed"):
        kept_out = start(origin, reseed="t0", supersedes="production/another/1")
        assert kept_out.ended() == 3
        assert kept_out.report["error"] == {
            "reason": "Restored",
            "message": "the target holds what restore production/back has put there",
        }
    assert differences(then, graph(target)) == []

    kept = target.query("MATCH (n:Old {uid: 1}) RETURN elementId(n) AS id")
    worker = start("seed", reseed="t1", supersedes=NAME, batch=500)
    worker.streaming(90)
    writer.stop()
    worker.caught_up()
    same(source, target)
    print(f"resumed: {worker.report['changes']} changes from the stream")
    assert target.query("MATCH (n:Old {uid: 1}) RETURN elementId(n) AS id") in (kept, [])  # repaired, not filled anew
    assert target.query(LINKS) == [{"links": [FORWARD]}]
    assert target.query(NOTE) == [{"complete": True, "resumed": "t1"}]
    worker.wait(lambda report: report["schema"] is None)
    assert worker.finish() == 0
    again = start("attach", reseed="t1", supersedes=NAME)
    again.caught_up()
    assert "reseeding" not in again.states
    done = restore(name=NAME, point={"transaction": point}, overwrite=True, clean=False).done()
    assert done["nodes"] == report["nodes"]  # the resource, looked at again: it is not done again
    source.query("CREATE (:After)")
    again.caught_up()
    same(source, target)


def test_killed_while_it_empties_and_while_it_is_resumed(
    source: Neo4j, target: Neo4j, start: Start, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    then, point = followed(source, target, start, ship, back_up)
    worker = start(batch=500)
    worker.caught_up()
    assert worker.finish() == 0
    options = {"name": NAME, "point": {"transaction": point}, "overwrite": True, "clean": False}
    for fault in KILLS:
        dying = restore(**options, batch=50, environment={"NEO4J_DR_FAULT": fault})
        code = dying.ended(60)
        assert code == -signal.SIGKILL, f"{fault}: ended with {code}: {dying.report}\n{dying.log[-2000:]}"
        if fault in ("noted:1", "emptied:1", "ended:1"):
            kept_out = start("seed")
            assert kept_out.ended() == 3
            assert kept_out.report["error"]["reason"] == ("Restored" if fault == "ended:1" else "RestoreUnderWay")
    restore(**options, batch=50).done()
    assert differences(then, graph(target)) == []
    for number, fault in enumerate(RESUMED):
        environment = {"NEO4J_DR_FAULT": fault, "NEO4J_DR_JOURNAL_RECORDS": "5"}
        dying_link = start("seed", reseed="t1", supersedes=NAME, batch=100, environment=environment)
        code = dying_link.ended(60)
        assert code == -signal.SIGKILL, f"{fault}: ended with {code}: {dying_link.report}\n{dying_link.log[-2000:]}"
        if number == 0:
            assert target.query(NOTE) == [{"complete": True, "resumed": "t1"}]
    last = start("seed", reseed="t1", supersedes=NAME, batch=500)
    last.caught_up()
    same(source, target)
    left = "MATCH (n:__Neo4jDR) WHERE n.link IS NOT NULL RETURN DISTINCT n.link AS link"
    assert target.query(left) == [{"link": FORWARD}]


@pytest.mark.parametrize("fault", ["emptying:3", "page:2"])
def test_a_restore_that_was_given_up_is_resumed_over_and_stays_so(
    source: Neo4j, target: Neo4j, start: Start, ship: Ship, back_up: BackUp, restore: Restore, fault: str
) -> None:
    _, point = followed(source, target, start, ship, back_up)
    worker = start(batch=500)
    worker.caught_up()
    assert worker.finish() == 0
    options = {"name": NAME, "point": {"transaction": point}, "overwrite": True, "clean": False}
    dying = restore(**options, batch=50, environment={"NEO4J_DR_FAULT": fault})
    assert dying.ended(60) == -signal.SIGKILL, f"{dying.report}\n{dying.log[-2000:]}"
    alive = start("seed", reseed="t1", supersedes=NAME, batch=500)
    alive.caught_up()
    same(source, target)
    assert restore(**options).refused()["reason"] == "RestoreSuperseded"
    other = restore(**{**options, "name": "production/again/1"}, batch=300)
    other.done()
    source.query("CREATE (:After)")  # a link with nothing to write does not notice that it has lost its target
    assert alive.ended() == 3
    assert alive.report["error"]["reason"] == "Restored"


def test_the_active_site_by_force_only_and_its_standby_does_not_follow_in_silence(
    source: Neo4j, target: Neo4j, store: Store, start: Start, ship: Ship, back_up: BackUp
) -> None:
    then, point = followed(source, target, start, ship, back_up)
    source.query(SITE, role="primary")
    worker = start(batch=500)
    worker.caught_up()
    assert worker.finish() == 0
    before = graph(target)
    options = {"name": NAME, "point": {"transaction": point}, "overwrite": True, "clean": True}
    refused = RestoreProcess(store, source, **options)
    assert refused.refused() == {
        "reason": "ActivePrimary",
        "message": "the target is the active site of production/dr",
    }
    begun = RestoreProcess(store, source, **options, force=True, environment={"NEO4J_DR_FAULT": "emptying:2"})
    assert begun.ended(60) == -signal.SIGKILL
    for reseed in (None, "t0"):
        kept = start("seed", reseed=reseed)
        assert kept.ended() == 3
        assert kept.report["error"]["reason"] == "SourceRestored"
        assert "has not ended" in kept.report["error"]["message"]
    RestoreProcess(store, source, **options, force=True).done()
    assert differences(then, graph(source)) == []
    assert source.query("MATCH (s:__Neo4jDRSite) RETURN s.role AS r") == [{"r": "primary"}]
    kept = start("attach")
    assert kept.ended() == 3
    assert kept.report["error"]["reason"] == "SourceRestored"
    assert differences(before, graph(target)) == []
    copy = start("attach", reseed="t1", batch=500)
    copy.caught_up()
    same(source, target)
    assert copy.finish() == 0
    again = start("attach", reseed="t1")
    again.caught_up()
    source.query("CREATE (:After)")
    again.caught_up()
    same(source, target)
