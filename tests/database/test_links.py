"""Two workers on one link, epochs, the reverse direction, commands, and the end of a parent."""

from __future__ import annotations

import os
import time
from typing import Any

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load
from tests.database.process import FORWARD, REVERSE
from tests.database.verified import assert_verified

LINK = "MATCH (l:__Neo4jDRLink {link: $link}) "


def link_of(database: Neo4j, link: str = FORWARD) -> dict[str, Any]:
    """The link node's properties."""
    values: dict[str, Any] = database.query(LINK + "RETURN properties(l) AS p", link=link)[0]["p"]
    return values


def test_two_workers_on_one_link_apply_everything_once(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE INDEX live_uid FOR (n:Live) ON (n.uid)")
    first = start(batch=50)
    second = start(batch=50)
    load = Load(source, 1)
    load.start()
    first.wait(lambda report: report["changes"] > 0 or second.report.get("changes", 0) > 0)
    end = time.monotonic() + 12
    while time.monotonic() < end:
        time.sleep(0.1)
        assert first.process.poll() is None, first.log
        assert second.process.poll() is None, second.log
    written = load.stop()
    whoever = first if second.report["state"] == "attaching" else second
    whoever.caught_up()
    nodes, _ = assert_equal(source.query, target.query)
    print(f"{written} transactions by {first.report['transactions']} + {second.report['transactions']}; {nodes} nodes")
    assert "Stale" in first.errors + second.errors
    assert first.report["transactions"] + second.report["transactions"] <= written


def test_a_worker_of_an_earlier_epoch_ends(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:A {uid: 1})")
    worker = start()
    worker.streaming()
    target.query(LINK + "SET l.epoch = 2", link=FORWARD)
    source.query("CREATE (:A {uid: 2})")
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "Stale"
    assert target.query("MATCH (n:A) RETURN count(n) AS n") == [{"n": 1}]
    follower = start("attach", epoch=2)
    follower.caught_up()
    assert_equal(source.query, target.query)


def test_a_worker_ahead_of_the_epoch_waits_for_it(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start()
    worker.streaming()
    assert worker.finish() == 0
    ahead = start("attach", epoch=2)
    ahead.wait(lambda report: report["error"] is not None and report["error"]["reason"] == "Stale")
    target.query(LINK + "SET l.epoch = 2", link=FORWARD)
    source.query("CREATE (:A {uid: 2})")
    ahead.caught_up()
    assert_equal(source.query, target.query)


def promote(target: Neo4j, epoch: int, link: str = FORWARD) -> str:
    """What the operator does at a promotion; the identifier of that transaction in the new primary's own stream."""
    before = target.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"]
    target.query(
        "MERGE (s:__Neo4jDR:__Neo4jDRSite {key: 'site'}) SET s.role = 'primary', s.epoch = $epoch WITH s "
        "MATCH (l:__Neo4jDRLink {link: $link}) SET l.epoch = $epoch, l.phase = 'frozen'",
        epoch=epoch,
        link=link,
    )
    barrier: str = target.query("CALL db.cdc.query($id) YIELD id RETURN last(collect(id)) AS id", id=before)[0]["id"]
    return barrier


def test_the_reverse_direction_follows_without_a_rebuild(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE CONSTRAINT a_uid FOR (n:A) REQUIRE n.uid IS UNIQUE")
    source.query("UNWIND range(1, 3000) AS i CREATE (:A {uid: i})-[:R {w: i}]->(:B {uid: -i})")
    source.query("MATCH (n:A) WHERE n.uid % 3 = 0 DETACH DELETE n")
    forward = start(batch=500)
    forward.streaming()
    source.query("UNWIND range(5000, 5500) AS i CREATE (:A {uid: i})-[:R {w: i}]->(:B {uid: -i})")
    forward.caught_up()
    assert forward.finish() == 0
    made = source.query("MATCH (n:A {uid: 1}) RETURN elementId(n) AS id")
    sites = (source, target)
    for epoch in range(2, 6):  # there and back and there and back again
        old, new = sites[epoch % 2], sites[1 - epoch % 2]
        inverse, name = (FORWARD, REVERSE) if new is target else (REVERSE, FORWARD)
        barrier = promote(new, epoch, inverse)
        new.query("MATCH (n:A {uid: 1})-[r]->(m) SET n.x = $e, r.x = $e, m:C CREATE (:A {uid: 7000 + $e})", e=epoch)
        new.query("MATCH (n:A {uid: 5000 + $e}) DETACH DELETE n", e=epoch)
        options: dict[str, Any] = {"link": name, "epoch": epoch, "inverse": inverse, "barrier": barrier}
        if epoch == 2:  # a crash in the middle of a handover starts it over
            for point in ("checkpoint:1", "checkpoint:4", "commit:1", "committed:1"):
                killed = start("handover", ends=(new, old), environment={"NEO4J_DR_FAULT": point}, **options)
                assert killed.ended() == -9, killed.log
        reverse = start("handover", ends=(new, old), **options)
        reverse.streaming()
        new.query("MATCH (n:A {uid: 2}) SET n.y = $e CREATE (n)-[:AFTER {w: $e}]->(:B {uid: -70000 - $e})", e=epoch)
        reverse.caught_up()
        assert_equal(new.query, old.query)
        assert assert_verified(new, old).primary.address == new.uri  # found by itself, whichever way the link goes
        assert reverse.finish() == 0
    assert source.query("MATCH (n:A {uid: 1}) RETURN elementId(n) AS id") == made


def test_a_handover_over_a_changed_database_is_refused(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:A {uid: 1})")
    forward = start()
    forward.caught_up()
    assert forward.finish() == 0
    barrier = promote(target, 2)
    source.query("CREATE (:Diverged)")
    options: dict[str, Any] = {"link": REVERSE, "epoch": 2, "inverse": FORWARD, "barrier": barrier}
    reverse = start("handover", ends=(target, source), **options)
    assert reverse.ended() == 3
    assert reverse.report["error"]["reason"] == "TargetAltered"


def test_heartbeats_are_written_only_by_the_primary_of_the_epoch(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:__Neo4jDR:__Neo4jDRSite {key: 'site', role: 'primary', epoch: 1})")
    worker = start()
    worker.streaming()
    at = int(time.time() * 1000)
    worker.send(do="heartbeat", id=1, epoch=1, at=at)
    report = worker.wait(lambda report: report["heartbeat"] == at)
    assert report["changes"] == 0
    worker.send(do="heartbeat", id=2, epoch=2, at=at + 1)
    worker.wait(lambda _: len(worker.beats) == 2)
    assert [(beat["id"], beat["ok"]) for beat in worker.beats] == [(1, True), (2, False)]
    worker.wait(lambda report: report["latency"] is not None)
    assert link_of(target)["heartbeat"] == at
    assert target.query("MATCH (n) WHERE NOT n:__Neo4jDR RETURN count(n) AS n") == [{"n": 0}]


def test_a_worker_ends_with_its_parent(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start()
    worker.streaming()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.ended(5) == 4
    assert not os.path.exists(f"/proc/{worker.process.pid}/cmdline") or worker.process.poll() is not None
