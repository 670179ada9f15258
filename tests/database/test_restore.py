"""From a real S3 back into a real database: exact at a snapshot, a time, a transaction; refused where it is not."""

from __future__ import annotations

import itertools
import signal
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from lab import Neo4j
from neo4j_dr_operator.graph.position import Position
from tests.database.archive_process import BackUp, Restore
from tests.database.load import Load, prepare
from tests.database.raw import same
from tests.database.shipping_process import ARCHIVE, PATH, Ship, Store
from tests.database.values import EXTREMES, VALUES
from tests.scenario.world import wait_for

RULES = "SHOW INDEXES YIELD name, type, labelsOrTypes, properties, owningConstraint, state RETURN * ORDER BY name"


KILLS = ("surveyed:1", "begin:1", "page:2", "commit:2", "committed:1", "loaded:1", "begin:3", "commit:4", "committed:3",
         "replayed:1", "ended:1", "checkpoint:4")  # fmt: skip
"""Where a restore dies, in this order: before it writes, in and between transactions, between its parts, at the end."""
HALF_A_MEGABYTE = (
    "UNWIND range(1, 3000) AS i CREATE (:Big {uid: randomUUID(), a: randomUUID(), b: randomUUID(), c: randomUUID()})"
)
"""Enough for the compressor to give something away: what is measured of a segment that is being written."""


def schema(server: Neo4j) -> list[dict[str, object]]:
    """Indexes, those of constraints among them, without the bookkeeping's."""
    return [row for row in server.query(RULES) if not str(row["labelsOrTypes"]).startswith("['__Neo4jDR")]


def rfc3339(seconds: float) -> str:
    """A time as somebody in India would write it."""
    return datetime.fromtimestamp(seconds, timezone(timedelta(hours=5, minutes=30))).isoformat(timespec="milliseconds")


def sides(error: Mapping[str, str]) -> tuple[int | None, int | None]:
    """The epochs of the nearest points that a refusal names, before and after; None for none."""
    found = [part.split(";")[0] for part in error["message"].split("; nearest ")[1:]]
    assert [part.split(": ")[0] for part in found] == ["before", "after"], error
    before, after = (None if part.endswith(": none") else int(part.rpartition(" of epoch ")[2]) for part in found)
    return before, after


def values(source: Neo4j) -> None:
    """Every kind of value, on a node and on a relationship."""
    source.query("CREATE (n:Values)-[r:HAS]->(n) SET n = $v, r = $v", v=VALUES)
    source.query("CREATE (n:Extremes) SET " + ", ".join(f"n.{name} = {text}" for name, text in EXTREMES.items()))


def last_transaction(source: Neo4j) -> int:
    """What was committed last."""
    return Position.decode(source.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"]).tx


def under_load(source: Neo4j, back_up: BackUp, **options: object) -> dict[str, Any]:
    """A backup of a graph that is written to: before its scan, in the middle of it, and behind it, until the backup
    looks at where the source stands. So its position is the state in which the source stays."""
    loads = [Load(source, seed, others=20_000) for seed in (1, 2)]

    def written(more: int) -> None:
        """So many transactions later."""
        goal = sum(load.transactions for load in loads) + more
        wait_for("writes", lambda: sum(load.transactions for load in loads) >= goal, 60)

    for load in loads:
        load.start()
    written(20)
    worker = back_up(environment={"NEO4J_DR_FAULT": "stop@chunk:3 stop@scanned:1"}, **options)
    worker.stopped()
    source.query(HALF_A_MEGABYTE)
    written(200)
    worker.go_on()
    worker.stopped()
    source.query(HALF_A_MEGABYTE)
    written(200)
    for load in loads:
        load.stop()
    last = last_transaction(source)
    worker.go_on()
    report = worker.done()
    assert worker.log.count("fault ") == 2, worker.log
    assert report["positionTx"] >= last
    assert report["transactions"] >= 400
    return report


def test_a_snapshot_of_a_graph_that_is_written_to_is_exact(
    source: Neo4j, target: Neo4j, back_up: BackUp, restore: Restore
) -> None:
    prepare(source, 20_000, 20_000)
    source.query("MATCH (n:Old) WHERE n.uid % 10 = 3 DETACH DELETE n")
    source.stop()
    source.start()  # freed ids are handed out again, into the middle of what is being scanned
    values(source)
    report = under_load(source, back_up, amendment_bytes=5_000)
    assert report["amendments"] >= 2
    restored = restore().done()
    nodes, relationships = same(source, target)
    print(f"{report['transactions']} transactions meanwhile, {nodes} nodes, {relationships} relationships; {report}")
    assert (restored["nodes"], restored["relationships"]) == (nodes, relationships)
    assert schema(source) == schema(target)
    assert restored["schema"] == []
    assert target.query("MATCH (n:__Neo4jDR) RETURN labels(n) AS l") == [{"l": ["__Neo4jDR", "__Neo4jDRRestore"]}]


def test_a_time_a_transaction_and_the_end(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """Between two transactions, with an offset; what the archive cannot know is refused, naming what it can give."""
    shipper = ship(interval=0.2)
    shipper.shipping()
    source.query("CREATE CONSTRAINT uid FOR (n:A) REQUIRE n.uid IS UNIQUE")
    source.query("CREATE (:A {uid: 1})-[:R {w: 1}]->(:A {uid: 2})")
    values(source)
    back_up().done()
    time.sleep(0.1)
    source.query("MATCH (n:A {uid: 1}) SET n.uid = 3 CREATE (n)-[:R {w: 2}]->(:A {uid: 1})")
    time.sleep(0.1)
    between = time.time()
    source.query("MATCH (n:A {uid: 2}) DETACH DELETE n")
    middle = last_transaction(source)
    source.query("CREATE (:A {uid: 4})")
    shipper.shipped()

    def uids() -> list[int]:
        return [row["uid"] for row in target.query("MATCH (n:A) RETURN n.uid AS uid ORDER BY uid")]

    assert restore(name="t", point={"time": rfc3339(between)}).done()["transactions"] == 1
    assert uids() == [1, 2, 3]
    again = restore(name="t", point={"time": rfc3339(between)}).done()
    assert (again["nodes"], again["transactions"]) == (5, 0)
    assert restore(name="other", point={"end": True}).refused()["reason"] == "TargetNotEmpty"
    target.reset()
    restore(name="tx", point={"transaction": middle}).done()
    assert uids() == [1, 3]
    target.reset()
    report = restore(name="end", point={"end": True}).done()
    assert report["positionTx"] == last_transaction(source)
    same(source, target)
    target.reset()
    after = restore(point={"time": rfc3339(time.time() + 60)}).refused()
    assert (after["reason"], sides(after)) == ("PointAfterEnd", (1, None))
    before = restore(point={"time": rfc3339(between - 3600)}).refused()
    assert (before["reason"], sides(before)) == ("PointBeforeStart", (None, 1))
    other = restore(point={"end": True}, database=str(uuid.uuid4())).refused()
    assert other["reason"] == "WrongDatabase"
    assert restore(archive="other/one").refused()["reason"] == "ArchiveMissing"
    marker = store.objects()[f"{PATH.strip('/')}/{ARCHIVE}/archive.json"]
    store.put(f"{PATH.strip('/')}/other/one/archive.json", marker)
    several = restore().refused()
    assert several["reason"] == "ArchiveAmbiguous"
    assert f"{ARCHIVE}, other/one" in several["message"]
    assert target.query("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


def test_rules_that_were_made_changed_and_dropped_behind_the_snapshot(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """Segments hold no schema: it is noted at a shipper's start and end, and every half minute between."""
    seen: list[tuple[int, list[dict[str, object]]]] = []

    def at_work() -> None:
        source.query("CREATE (:B {v: 1})")
        seen.append((tick(source), schema(source)))
        source.query("CREATE (:B {v: 1})")

    source.query("CREATE CONSTRAINT uid FOR (n:A) REQUIRE n.uid IS UNIQUE")
    source.query("CREATE INDEX v FOR (n:B) ON (n.v)")
    first = ship(interval=0.2)
    first.shipping()
    back_up().done()
    at_work()
    source.query("CREATE CONSTRAINT later FOR (n:A) REQUIRE (n.a, n.b) IS UNIQUE")
    assert first.finish() == 0
    at_work()
    source.query("DROP CONSTRAINT uid")
    source.query("DROP INDEX v")
    source.query("CREATE INDEX uid FOR (n:A) ON (n.uid)")
    second = ship(interval=0.2)
    second.shipping()
    wait_for("the start's note", lambda: len(store.schemas()) == 3, 20)
    at_work()
    source.query("DROP CONSTRAINT later")
    wait_for("a note between start and end", lambda: len(store.schemas()) == 4, 40)
    at_work()
    source.query("CREATE CONSTRAINT last FOR (n:C) REQUIRE n.uid IS UNIQUE")
    assert second.finish() == 0
    notes = [{"uid", "v"}, {"uid", "v", "later"}, {"uid", "later"}, {"uid"}, {"uid", "last"}]
    assert store.schemas() == notes
    for millis, rules in seen:
        target.reset()
        report = restore(name=f"at {millis}", point={"time": rfc3339(millis / 1000)}).done()
        assert schema(target) == rules, report["schemaOf"]
        assert report["schema"] == []
    target.reset()
    assert "/schema/0000000001/" in restore(name="end", point={"end": True}).done()["schemaOf"]
    assert schema(target) == schema(source)
    newest = max(key for key in store.objects() if "/schema/" in key)
    store.put(newest, store.objects()[newest].replace(b"UNIQUE", b"UNIQUe"))
    target.reset()
    report = restore(name="damaged", point={"end": True}).done()
    assert [newest.split("/", 1)[1] in each for each in report["schema"]] == [True]
    assert [row["name"] for row in schema(target) if row["type"] != "LOOKUP"] == ["uid"]


def test_what_was_altered_or_is_missing_is_refused_by_name(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    shipper = ship(interval=0.2)
    shipper.shipping()
    source.query("UNWIND range(1, 3000) AS i CREATE (:A {uid: i})-[:R]->(:B {uid: i})")
    back_up().done()
    for number in range(3):
        source.query("CREATE (:C {uid: $n})", n=number)
        shipper.shipped()
    shipper.finish()
    objects = store.objects()
    segments = sorted(key for key in objects if key.endswith(".seg") and "/00000" in key)
    (manifest,) = [key for key in objects if "/snapshots/" in key]
    chunk = min(key for key in objects if "/chunks/" in key)
    for key in (segments[-2], manifest, chunk):
        whole = objects[key]
        for reason, data in (
            # Its checksum: other bits of a deflated chunk may be turned and still say the same, which restores well.
            ("ArchiveObjectAltered", whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]),
            ("ArchiveObjectMissing", None),
        ):
            if key == manifest and data is None:
                continue
            store.put(key, data)
            error = restore(name=f"{key}{reason}", point={"end": True}).refused()
            assert (error["reason"], key.split("/", 1)[1] in error["message"]) == (reason, True), error
            if key == chunk and data is not None:
                target.reset()
            assert target.query("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]
            store.put(key, whole)
    restore(name="whole", point={"end": True}).done()
    same(source, target)


def test_killed_at_twelve_moments_it_goes_on(
    source: Neo4j, target: Neo4j, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    prepare(source, 9_000, 9_000)
    shipper = ship(interval=0.2)
    shipper.shipping()
    report = under_load(source, back_up)
    loads = [Load(source, seed, others=9_000) for seed in (11, 12)]
    for load in loads:
        load.start()
    wait_for("writes", lambda: sum(load.transactions for load in loads) > 800, 120)
    for load in loads:
        load.stop()
    shipper.shipped()
    for fault in KILLS:
        worker = restore(name="k", point={"end": True}, batch=40, environment={"NEO4J_DR_FAULT": fault})
        code = worker.ended(60)
        assert code == -signal.SIGKILL, f"{fault}: ended with {code}: {worker.report}\n{worker.log[-2000:]}"
        assert worker.log.count("fault ") == 1
    last = restore(name="k", point={"end": True}, batch=40).done()
    nodes, relationships = same(source, target)
    print(f"{len(KILLS)} kills; {nodes} nodes, {relationships} relationships equal; {report['transactions']} amended")
    assert (last["nodes"], last["relationships"]) == (nodes, relationships)
    assert target.query("MATCH (n:__Neo4jDR) RETURN labels(n) AS l") == [{"l": ["__Neo4jDR", "__Neo4jDRRestore"]}]


def test_a_failover_is_not_crossed_without_a_snapshot_behind_it(
    source: Neo4j, target: Neo4j, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    first = ship(interval=0.2)
    first.shipping()
    back_up().done()
    source.query("CREATE (:A {uid: 1})")
    first.shipped()
    first.finish()
    before = time.time()
    time.sleep(0.1)
    source.query("CREATE (:A {uid: 2})")
    second = ship(epoch=2, start=source.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"], interval=0.2)
    second.shipping()
    source.query("CREATE (:A {uid: 3})")
    second.shipped()
    for point in ({"end": True}, {"time": rfc3339(time.time())}):
        error = restore(point=point).refused()
        assert (error["reason"], sides(error)) == ("EpochBoundary", (1, None))
    report = restore(name="before", point={"transaction": last_transaction(source), "epoch": 1}).refused()
    assert (report["reason"], sides(report)) == ("PointAfterEnd", (1, None))
    assert restore(name="one", point={"time": rfc3339(before)}).refused()["reason"] == "PointAfterEnd"
    assert restore(name="end of one", point={"end": True, "epoch": 1}).done()["nodes"] == 1
    target.reset()
    back_up(epoch=2).done()
    between = restore(name="between", point={"time": rfc3339(before)}).refused()
    assert (between["reason"], sides(between)) == ("PointAfterEnd", (1, 2))
    early = restore(name="early", point={"transaction": 1, "epoch": 2}).refused()
    assert (early["reason"], sides(early)) == ("EpochBoundary", (1, 2))
    nearest = [part.split(", ")[0] for part in early["message"].split("nearest ")[1:]]
    for name, (side, at) in enumerate(part.split(": ", 1) for part in nearest):
        report = restore(name=f"{side} {name}", point={"time": at}, overwrite=True).done()
        assert report["epoch"] == (1 if side == "before" else 2), "what a refusal names can be restored"
    source.query("CREATE (:A {uid: 4})")
    second.shipped()
    assert restore(name="two", point={"end": True}, overwrite=True).done()["nodes"] == 4
    same(source, target)


def test_points_before_between_and_after_two_failovers_from_the_archive_alone(
    source: Neo4j, target: Neo4j, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """There and back again: the graph goes on in another database, under other ids, then in a third state of the first
    one. Then both are lost."""
    state: dict[int, int] = dict.fromkeys(range(40), 0)
    told: list[tuple[int, dict[int, int]]] = []
    for epoch, server in enumerate((source, target, source), 1):
        replica(server, state, turned=epoch % 2 == 0)
        barrier = server.query("CALL db.cdc.current() YIELD id RETURN id")[0]["id"]
        shipper = ship(origin=server, epoch=epoch, start=barrier, interval=0.2)
        shipper.shipping()
        back_up(of=server, epoch=epoch).done()
        for step in range(3):
            created, changed, deleted = 100 * epoch + step, epoch, epoch * 10 + step
            server.query(
                "CREATE (:A {uid: $new, v: 0}) WITH 1 AS x MATCH (c:A {uid: $changed}) SET c.v = c.v + 1 WITH c "
                "MATCH (d:A {uid: $gone}) DETACH DELETE d",
                new=created,
                changed=changed,
                gone=deleted,
            )
            state = {uid: v for uid, v in {**state, created: 0, changed: state[changed] + 1}.items() if uid != deleted}
            told.append((tick(server), state))
        shipper.shipped()
        shipper.finish()
    source.reset()
    for number, (millis, expected) in enumerate(told):
        if number % 3 == 2:
            continue  # the last one of an epoch: what was committed up to then is known by position only
        target.reset()
        report = restore(name=f"point {number}", point={"time": rfc3339(millis / 1000)}).done()
        assert (report["epoch"], report["nodes"]) == (number // 3 + 1, len(expected))
        assert {row["uid"]: row["v"] for row in target.query("MATCH (a:A) RETURN a.uid AS uid, a.v AS v")} == expected
        chain = sorted(expected)
        rows = target.query("MATCH (a:A)-[:NEXT]->(b:A) RETURN a.uid AS a, b.uid AS b")
        assert {(row["a"], row["b"]) for row in rows} == {
            (a, b) for a, b in itertools.pairwise(range(40)) if a in chain and b in chain
        }


def replica(server: Neo4j, state: Mapping[int, int], *, turned: bool) -> None:
    """The graph of ``state`` in an emptied database: the same elements, in another order under other ids."""
    server.reset()
    uids = sorted(state, reverse=turned)
    server.query("UNWIND $rows AS r CREATE (:A {uid: r[0], v: r[1]})", rows=[[uid, state[uid]] for uid in uids])
    server.query(
        "UNWIND $pairs AS p MATCH (a:A {uid: p[0]}) MATCH (b:A {uid: p[1]}) CREATE (a)-[:NEXT]->(b)",
        pairs=[[a, b] for a, b in itertools.pairwise(range(40)) if a in state and b in state],
    )


def tick(server: Neo4j) -> int:
    """A moment of the server's clock behind everything that was committed, ms since 1970; it is over on return."""
    moment = now = server.query("RETURN timestamp() AS t")[0]["t"]
    while now <= moment + 1:
        now = server.query("RETURN timestamp() AS t")[0]["t"]
    return int(moment)
