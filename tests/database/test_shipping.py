"""The log shipper on a real database and a real S3: what an independent reader finds is the primary's graph."""

from __future__ import annotations

import collections
import time

import pytest

from lab import Neo4j
from tests.database.load import Load
from tests.database.relay import Relay
from tests.database.shipping_process import Ship, Store, the_same
from tests.database.values import NAMES, VALUES
from tests.scenario.world import wait_for


def heartbeat(source: Neo4j) -> None:
    """As an operator writes it each second."""
    source.query("MERGE (s:__Neo4jDR:__Neo4jDRSite {key: 'site'}) SET s.heartbeat = timestamp()")


def test_an_independent_reader_folds_the_primarys_graph(source: Neo4j, store: Store, ship: Ship) -> None:
    """Creates, updates, deletes, used-again ids, every type of value, names that need quoting, one big transaction."""
    source.query("CREATE INDEX live_uid FOR (n:Live) ON (n.uid)")
    worker = ship()
    worker.shipping()
    source.query("CREATE (:Live {uid: 1}) SET n += $v".replace("(:", "(n:"), v=VALUES)
    source.query("MATCH (n:Live {uid: 1}) CREATE (n)-[r:HAS]->(n) SET r = $v", v=VALUES)
    for name in NAMES:
        source.query("CREATE (n:$($l))-[r:$($l)]->(:Other) SET n[$l] = 1, r[$l] = null", l=name)
    source.query("UNWIND range(1, 12000) AS i CREATE (:Big {uid: -i, f: i * 0.5})")
    loads = [Load(source, seed, pause=0.002) for seed in (1, 2)]
    for load in loads:
        load.start()
    wait_for("transactions", lambda: sum(load.transactions for load in loads) > 300, 60)
    written = sum(load.stop() for load in loads)
    worker.shipped()
    transactions, nodes, relationships = the_same(source, store)
    print(f"{written} transactions of the load, {transactions} archived, {nodes} nodes, {relationships} relationships")
    assert nodes > 12_000
    assert relationships > 14
    assert worker.finish() == 0
    assert worker.errors == []
    assert worker.report["state"] == "finished"


def test_quiet_intervals_put_no_segment_and_are_known_to_be_quiet(source: Neo4j, store: Store, ship: Ship) -> None:
    """Heartbeats are no segments; a watermark moves on with them, and a later shipper goes on from there."""
    worker = ship()
    worker.shipping()
    source.query("CREATE (:A {uid: 1})")
    worker.shipped()
    quiet = worker.report
    assert quiet["segment"] == 2

    def marked() -> int | None:
        return (store.watermark() or {}).get("covered")

    first = wait_for("a watermark", marked, 20)
    for _ in range(4):
        heartbeat(source)
        time.sleep(0.5)
    beat = source.query("MATCH (s:__Neo4jDRSite) RETURN s.heartbeat AS at")[0]["at"]
    wait_for("the watermark follows", lambda: (marked() or 0) >= beat > first, 20)
    assert worker.report["segment"] == 2
    assert worker.report["position"] == quiet["position"]
    worker.wait(lambda report: report["backlogTransactions"] == 0)
    worker.kill()
    source.query("CALL lab.cdc.configure({keepTx: 2})")  # the end of segment 2 is no position of the stream any more
    later = ship()
    later.shipping()
    source.query("CREATE (:A {uid: 2})")
    later.shipped()
    assert later.errors == []
    archive = store.archive()
    assert [header["start"] and header["start"]["reason"] for header in archive.headers] == ["first", None, None]
    assert archive.trailers[1]["covered"] < beat <= archive.trailers[2]["covered"]
    the_same(source, store)


def test_a_segment_costs_one_put_and_no_look(source: Neo4j, store: Store, ship: Ship, relay: Relay) -> None:
    worker = ship(to=Store(store.server, relay.endpoint), interval=0.3)
    worker.shipping()
    source.query("CREATE (:A {uid: 0})")
    report = worker.shipped()
    before, counted = report["segments"], report["traffic"]["requests"]
    relay.requests.clear()
    for number in range(5):
        source.query("CREATE (:A {uid: $n})", n=number + 1)
        worker.shipped()
    asked = list(relay.requests)
    assert [line for line in asked if not line.endswith("watermark.json")] == [
        line for line in asked if line.startswith("PUT") and line.endswith(".seg")
    ]
    assert sum(line.endswith(".seg") for line in asked) == worker.report["segments"] - before == 5
    own = collections.Counter(worker.report["traffic"]["requests"])
    own.subtract(counted)
    assert {name for name, count in own.items() if count} == {"PutObject"}, "by the client's own hooks, too"
    assert 5 <= own["PutObject"] <= len(relay.requests)


def test_a_segment_is_cut_when_it_is_large(source: Neo4j, store: Store, ship: Ship) -> None:
    worker = ship(interval=60.0, segment_bytes=200_000)
    worker.shipping()
    for number in range(12):
        source.query("UNWIND range(1, 4000) AS i CREATE (:A {uid: i, x: randomUUID(), y: $n})", n=number)
    worker.wait(lambda report: report["segment"] > 3, 30)
    assert worker.finish() == 0
    the_same(source, store)
    sizes = [len(data) for name, data in sorted(store.objects().items()) if name.endswith(".seg")][1:-1]
    assert min(sizes) > 200_000
    assert max(sizes) < 1_000_000


def test_an_epoch_begins_at_the_barrier_it_is_told(source: Neo4j, store: Store, ship: Ship) -> None:
    """What was committed between the barrier and the shipper's start is in the archive."""
    barrier = source.query("CALL db.cdc.current()")[0]["id"]
    source.query("CREATE (:A {uid: 1})")
    worker = ship(epoch=2, start=barrier)
    worker.shipped()
    archive = store.archive(epoch=2)
    assert archive.headers[0]["start"] == {"reason": "promotion", "lost": None}
    assert archive.headers[0]["from"] == barrier
    assert [properties["uid"] for _, properties in archive.nodes.values()] == [1]


@pytest.mark.parametrize("promoted", [True, False], ids=["after a promotion", "before any"])
def test_an_epoch_that_no_promotion_opened_goes_on_where_the_one_before_ended(
    source: Neo4j, store: Store, ship: Ship, promoted: bool
) -> None:
    """An operation that was called off has spent an epoch; the barrier of the last promotion lies far behind."""
    barrier = source.query("CALL db.cdc.current()")[0]["id"] if promoted else None
    first = ship(epoch=2, start=barrier)
    first.shipping()
    source.query("CREATE (:A {uid: 1})")
    first.shipped()
    first.kill()
    source.query("CREATE (:A {uid: 2})")
    ship(epoch=4, start=barrier).shipped()
    before, archive = store.archive(epoch=2), store.archive(epoch=4)
    assert archive.headers[0]["start"] == {"reason": "continuation", "lost": None}
    assert archive.headers[0]["from"] == before.trailers[-1]["to"]
    found = [[properties["uid"] for _, properties in each.nodes.values()] for each in (before, archive)]
    assert found == [[1], [2]]


def test_an_epoch_that_a_promotion_opened_begins_at_its_barrier_whatever_lies_before(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship
) -> None:
    first = ship(epoch=1)
    first.shipped()
    barrier = target.query("CALL db.cdc.current()")[0]["id"]
    target.query("CREATE (:A {uid: 1})")
    ship(origin=target, epoch=2, start=barrier).shipped()
    assert store.archive(epoch=2).headers[0]["from"] == barrier
    again = source.query("CALL db.cdc.current()")[0]["id"]
    source.query("CREATE (:A {uid: 2})")
    ship(epoch=3, start=again).shipped()
    archive = store.archive(epoch=3)
    assert (archive.headers[0]["start"]["reason"], archive.headers[0]["from"]) == ("promotion", again)


def test_a_lost_position_is_a_gap_that_the_archive_names(source: Neo4j, store: Store, ship: Ship) -> None:
    worker = ship()
    worker.shipping()
    source.query("CREATE (:A {uid: 1})")
    worker.shipped()
    worker.kill()
    source.query("UNWIND range(2, 9) AS i CALL (i) { CREATE (:A {uid: i}) } IN TRANSACTIONS OF 1 ROW")
    source.query("CALL lab.cdc.configure({keepTx: 2})")
    later = ship()
    later.wait(lambda report: report["gap"] is not None)
    assert later.errors == ["PositionPruned"]
    source.query("CREATE (:A {uid: 10})")
    later.shipped()
    archive = store.archive()
    gap = archive.headers[later.report["gap"] - 1]
    assert gap["start"] == {"reason": "gap", "lost": archive.trailers[1]["to"]}
    assert [properties["uid"] for _, properties in archive.nodes.values()] == [1, 10]


def test_finishing_ships_what_is_committed(source: Neo4j, store: Store, ship: Ship) -> None:
    worker = ship(interval=600.0)
    worker.shipping()
    source.query("UNWIND range(1, 20000) AS i CREATE (:A {uid: i})")
    began = time.monotonic()
    assert worker.finish() == 0
    print(f"finished after {time.monotonic() - began:.2f} s")
    assert the_same(source, store)[1] == 20_000
    assert worker.report["state"] == "finished"
    assert worker.report["backlogTransactions"] == 0


def test_it_ends_with_its_parent(source: Neo4j, store: Store, ship: Ship) -> None:
    worker = ship()
    worker.shipping()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.ended(5) == 4
