"""Shippers that die, meet, or lose their store or source: every transaction is in the archive exactly once."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from lab import Neo4j
from tests.database.load import Load
from tests.database.relay import Relay
from tests.database.shipping_process import Ship, ShipProcess, Store, the_same
from tests.scenario.world import wait_for

KILLS = 20
POINTS = ("read", "put", "stored", "attached", "put", "stored", "read")
STRUCK = re.compile(r"^fault (\w+):\d+ ", re.MULTILINE)


def loaded(source: Neo4j, count: int = 2) -> list[Load]:
    """Writers at work."""
    source.query("CREATE INDEX live_uid IF NOT EXISTS FOR (n:Live) ON (n.uid)")
    loads = [Load(source, seed, pause=0.01) for seed in range(1, count + 1)]
    for load in loads:
        load.start()
    return loads


def test_every_transaction_once_after_twenty_kills(source: Neo4j, store: Store, ship: Ship, relay: Relay) -> None:
    """Killed after attaching, with transactions read, right before a put and right after it; the store stopped, and
    answers of puts lost, in between."""
    first = ship()
    first.shipping()
    first.kill()
    loads = loaded(source)
    struck: dict[str, int] = {}
    lossy = Store(store.server, relay.endpoint, bucket=store.bucket)
    for number in range(KILLS):
        point = POINTS[number % len(POINTS)]
        at = 1 if point == "attached" else 1 + number % 3
        if number % 5 == 4:
            store.server.stop()
        relay.lose = 1 if number % 2 else 0
        worker = ship(to=lossy, interval=0.1, environment={"NEO4J_DR_FAULT": f"{point}:{at}"})
        if number % 5 == 4:
            worker.wait(lambda report: (report["error"] or {}).get("reason") == "ObjectStoreUnreachable")
            store.server.start()
        code = worker.ended(60)
        found = STRUCK.findall(worker.log)
        assert code == -signal.SIGKILL, f"{point}:{at}: ended with {code}: {worker.report}\n{worker.log}"
        assert found == [point]
        struck[point] = struck.get(point, 0) + 1
    last = ship()
    written = sum(load.stop() for load in loads)
    last.shipped()
    transactions, nodes, relationships = the_same(source, store)
    print(f"killed at {struck}; {written} transactions written, {transactions} archived in {last.report['segment']} "
          f"segments, {nodes} nodes, {relationships} relationships")  # fmt: skip
    assert transactions <= written
    assert transactions > KILLS


def test_lost_answers_are_decided_by_what_is_there(source: Neo4j, store: Store, ship: Ship, relay: Relay) -> None:
    worker = ship(to=Store(store.server, relay.endpoint, bucket=store.bucket))
    worker.shipping()
    for number in range(3):
        relay.lose = 1 + number % 2
        source.query("CREATE (:A {uid: $n})", n=number)
        worker.shipped()
        assert relay.lose == 0
    assert worker.errors == ["ObjectStoreUnreachable"]
    assert len(store.archive().headers) == 1 + 3
    the_same(source, store)


def test_two_that_open_an_epoch_at_once_agree(store: Store, ship: Ship, source: Neo4j) -> None:
    """Whoever is first: there is one first segment, and it is the one that both go on from."""
    workers = [ship(), ship()]
    for worker in workers:
        worker.shipping()
    assert len(store.archive().headers) == 1
    source.query("CREATE (:A {uid: 1})")
    for worker in workers:
        worker.shipped()
    the_same(source, store)


def test_of_two_shippers_one_is_told(source: Neo4j, store: Store, ship: Ship) -> None:
    """Both go on from what is there; nothing is twice in the archive."""
    workers: list[ShipProcess] = []
    for interval in (0.2, 0.3):  # one after the other: first segments made in one millisecond are equal, and both's
        workers.append(ship(interval=interval))
        workers[-1].shipping()
    loads = loaded(source)
    wait_for("a conflict", lambda: any("SegmentConflict" in worker.errors for worker in workers), 60)
    time.sleep(3)
    for load in loads:
        load.stop()
    for worker in workers:
        worker.shipped()
    transactions, *_ = the_same(source, store)
    counts = [worker.report["segments"] for worker in workers]
    print(f"{transactions} transactions in {len(store.archive().headers)} segments, {counts} of them by each")
    assert sum(counts) == len(store.archive().headers)


def test_a_store_that_is_away_is_a_backlog_and_no_loss(source: Neo4j, store: Store, ship: Ship) -> None:
    """The backlog is counted, memory stays bounded, and all of it arrives."""
    worker = ship()
    worker.shipping()
    source.query("CREATE (:A {uid: -1})")
    up_to = worker.shipped()["upTo"]
    store.server.stop()
    try:
        source.query("CREATE (:A {uid: 0})")
        worker.wait(lambda report: (report["error"] or {}).get("reason") == "ObjectStoreUnreachable")
        before = resident(worker.process.pid)
        for number in range(30):
            source.query("UNWIND range(1, 4000) AS i CREATE (:B {uid: i, x: $n, t: $t})", n=number, t="x" * 500)
        worker.wait(lambda report: report["backlogTransactions"] >= 31)
        assert worker.report["upTo"] < up_to + 5
        grown = resident(worker.process.pid) - before
    finally:
        store.server.start()
    worker.shipped()
    print(f"memory grew by {grown} MiB while 120,000 changes waited")
    assert grown < 150
    assert store.archive().changes > 0
    assert the_same(source, store)[1] == 120_002


def test_a_source_that_is_away_comes_back(source: Neo4j, store: Store, ship: Ship) -> None:
    worker = ship()
    worker.shipping()
    source.query("CREATE (:A {uid: 1})")
    source.kill9()
    worker.wait(lambda report: (report["error"] or {}).get("reason") == "SourceUnreachable")
    source.start()
    source.query("CREATE (:A {uid: 2})")
    worker.shipped()
    assert the_same(source, store)[1] == 2


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"secretKey": "wrong"}, "SignatureDoesNotMatch", "CredentialsRejected"),
        ({"bucket": "no-such-bucket"}, "NoSuchBucket", "BucketNotFound"),
    ],
    ids=["wrong key", "no bucket"],
)
def test_what_somebody_has_to_mend_is_reported_and_waited_for(
    source: Neo4j, store: Store, ship: Ship, change: dict[str, str], code: str, reason: str
) -> None:
    wrong = ship(destination=change)
    report = wrong.wait(lambda report: report["error"] is not None)
    assert report["error"]["reason"] == reason
    assert code in report["error"]["message"]
    assert store.server.secret_key not in wrong.log + str(report)
    if code == "NoSuchBucket":
        store.server.make_bucket("no-such-bucket")
        mended = wrong
    else:
        assert wrong.process.poll() is None
        wrong.kill()
        mended = ship()
    mended.shipping()
    source.query("CREATE (:A)")
    mended.shipped()


def test_a_source_without_change_capture_is_given_up(source: Neo4j, store: Store, ship: Ship) -> None:
    source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    worker = ship()
    assert worker.ended() == 3
    assert worker.report["state"] == "failed"
    assert worker.report["error"]["reason"] == "ChangeCaptureDisabled"
    assert store.archive().headers == []


def test_a_wrong_password_is_told_not_shown_and_locks_nobody_out(source: Neo4j, store: Store, ship: Ship) -> None:
    """The server locks an account after three wrong passwords in a row: the shipper asks seldom, and goes on asking."""
    from tests.database.process import Address

    worker = ship(origin=Address(source.uri, source.user, "not-the-password", source.ca_pem))
    worker.wait(lambda report: (report["error"] or {}).get("reason") == "SourceAuthFailed")
    for _ in range(7):
        time.sleep(1)  # time in which it could lock the account
        with source.driver() as driver:
            driver.verify_connectivity()
    assert worker.process.poll() is None
    assert "not-the-password" not in worker.log + str(worker.report)


def resident(pid: int) -> int:
    """MiB of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) // 1024  # type: ignore[index]
