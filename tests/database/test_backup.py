"""Snapshots of a live graph in a real S3: exact, deduplicated, resumed."""

from __future__ import annotations

import json
import signal

from lab import Neo4j
from tests.database.archive_process import BackUp, Restore
from tests.database.load import prepare
from tests.database.raw import same
from tests.database.relay import Relay
from tests.database.shipping_process import PATH, Ship, Store


def test_an_unchanged_graph_costs_nothing_and_a_change_little(source: Neo4j, store: Store, back_up: BackUp) -> None:
    prepare(source, 20_000, 20_000)
    first = back_up().done()
    assert first["nodes"] == first["relationships"] == 20_000
    assert first["chunksNew"] == first["chunks"] >= 10
    again = back_up().done()
    assert (again["chunks"], again["chunksNew"]) == (first["chunks"], 0)
    source.query("MATCH (n:Old {uid: 77}) SET n.name = 'another'")
    changed = back_up().done()
    print(f"bytes: first {first['bytes']}, unchanged {again['bytes']}, one node changed {changed['bytes']}")
    assert again["bytes"] <= first["bytes"] / 100
    assert changed["chunksNew"] == 1
    assert len({report["snapshot"] for report in (first, again, changed)}) == 3


def test_a_killed_backup_leaves_no_snapshot_and_its_chunks_serve_the_next(
    source: Neo4j, store: Store, back_up: BackUp
) -> None:
    prepare(source, 20_000, 20_000)
    struck = 0
    for fault in ("attached:1", "chunk:4", "stored:3", "scanned:1", "manifest:1"):
        worker = back_up(environment={"NEO4J_DR_FAULT": fault})
        assert worker.ended() == -signal.SIGKILL, worker.log
        struck += 1
        assert not [key for key in store.objects() if "/snapshots/" in key]
    last = back_up().done()
    print(f"{struck} kills; then {last['chunksNew']} of {last['chunks']} chunks were new")
    assert last["chunksNew"] == 0
    assert last["nodes"] == last["relationships"] == 20_000


def test_retention_deletes_what_nothing_needs_and_no_more(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    shipper = ship(interval=0.2)
    shipper.shipping()
    reports = []
    for number in range(3):
        source.query("UNWIND range(1, 200) AS i CREATE (:A {uid: $n * 1000 + i})", n=number)
        shipper.shipped()
        reports.append(back_up(retention="2").done())
        source.query("CREATE (:B {uid: $n})", n=number)
        shipper.shipped()
    objects = store.objects()
    snapshots = sorted(key for key in objects if "/snapshots/" in key)
    assert snapshots == sorted(f"{PATH.strip('/')}/{report['snapshot']}" for report in reports[1:])
    chunks = {key.rpartition("/")[2].removesuffix(".gz") for key in objects if "/chunks/" in key}
    lines = [json.loads(line) for key in snapshots for line in objects[key].splitlines()]
    assert chunks == {line["chunk"]["sha256"] for line in lines if "chunk" in line}
    segments = sorted(key for key in objects if key.endswith(".seg") and "/amendments/" not in key)
    assert [report["pruned"] for report in reports[:2]] == [2, 1], "a segment before the oldest one, and a note"
    assert not [key for key in objects if "/schema/" in key], "each snapshot has its own"
    print(f"deleted {reports[2]['pruned']} objects: left {len(segments)} segments, {len(chunks)} chunks")
    assert reports[2]["pruneError"] is None
    assert segments[0].endswith("000000000005.seg"), "the oldest snapshot that is kept was begun behind segment 4"
    source.query("CREATE (:C)")
    shipper.shipped()
    assert shipper.errors == []
    restore(point={"end": True}).done()
    same(source, target)
    target.reset()
    restore(name="older", point={"snapshot": reports[1]["snapshot"]}).done()
    assert target.query("MATCH (n:A|B) RETURN count(n) AS n") == [{"n": 401}]
    target.reset()
    assert restore(point={"transaction": 1}).refused()["reason"] == "PointBeforeStart"


def test_a_backup_goes_on_with_the_credentials_and_the_leave_to_delete_that_it_is_told_of(
    source: Neo4j, store: Store, back_up: BackUp
) -> None:
    prepare(source, 20_000, 20_000)
    back_up().done()
    source.query("MATCH (n:Old) SET n.name = 'another'")
    refused = back_up(environment={"NEO4J_DR_FAULT": "stop@chunk:1"})
    refused.stopped()
    refused.send(do="renew", plan={**refused.config, "destination": store.destination(secretKey="of-another-session")})
    refused.go_on()
    assert refused.refused()["reason"] == "CredentialsRejected", "the new ones count, in the middle of a scan"
    told = back_up(retention="1", environment={"NEO4J_DR_FAULT": "stop@chunk:1"})
    told.stopped()
    told.send(do="renew", plan={**told.config, "retention": None})
    told.send(do="renew", plan={"archive": "what makes no sense is passed over"})
    told.go_on()
    assert told.done()["pruned"] == 0
    source.query("MATCH (n:Old) SET n.name = 'a third'")
    allowed = back_up(environment={"NEO4J_DR_FAULT": "stop@chunk:1"})
    allowed.stopped()
    allowed.send(do="renew", plan={**allowed.config, "retention": "1"})
    allowed.go_on()
    assert allowed.done()["pruned"] > 2
    assert len([key for key in store.objects() if "/snapshots/" in key]) == 1


def test_nothing_of_the_graph_goes_to_a_store_that_does_not_encrypt(
    source: Neo4j, store: Store, back_up: BackUp
) -> None:
    """This one takes the wish and does not fulfil it, without an error."""
    source.query("CREATE (:A {secret: 'x'})")
    worker = back_up(encrypted=True)
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "NotEncrypted"
    assert [key.rpartition("/")[2] for key in store.objects()] == ["encryption-probe"]


def test_a_store_that_goes_away_is_waited_for(
    source: Neo4j, target: Neo4j, store: Store, relay: Relay, back_up: BackUp, restore: Restore
) -> None:
    """In the middle of a backup, and in the middle of a restore."""
    prepare(source, 40_000, 20_000)
    way = Store(store.server, relay.endpoint, bucket=store.bucket)
    server = relay.upstream
    for worker in (lambda: back_up(to=way), lambda: restore(of=way)):
        running = worker()
        running.wait(lambda report: report["state"] in ("scanning", "loading"))
        relay.upstream = 1  # where nobody listens
        relay.break_off()
        running.wait(lambda report: report["error"] is not None)
        assert running.report["error"]["reason"] == "ObjectStoreUnreachable"
        relay.upstream = server
        assert running.done()["error"] is None
    assert same(source, target) == (40_000, 20_000)
