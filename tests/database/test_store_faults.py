"""A store that misbehaves in every way it can: no transaction twice, none missing, a restore exact.

Each fault is made on the way to a real S3 (see :mod:`tests.database.faulty`), so what was done and what was not is the
store's own doing.
"""

from __future__ import annotations

import collections
import itertools
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import S3, Neo4j
from neo4j_dr_operator.errors import ObjectStoreUnreachable
from neo4j_dr_operator.graph.retention import Retention, headroom
from neo4j_dr_operator.objectstore.objects import Bucket
from tests.database.archive_process import BackUp, BackupProcess, Restore
from tests.database.audit_process import location
from tests.database.faulty import Asked, Fault, Faulty, error
from tests.database.load import Load, prepare
from tests.database.raw import same
from tests.database.shipping_process import Ship, ShipProcess, Store, the_same
from tests.database.test_shipping_faults import resident

AGAIN = [
    error(500, "InternalError"),
    error(500, "InternalError", done=True),
    error(503, "SlowDown"),
    error(503, "ServiceUnavailable", done=True),
    error(400, "RequestTimeout"),
    error(409, "ConditionalRequestConflict"),
    error(409, "OperationAborted", done=True),
    Fault("reset"),
    Fault("cut"),
    Fault("lost"),
]
"""What passes by itself, for any request."""
WAITED = [error(403, "RequestTimeTooSkewed"), error(400, "KMS.DisabledException")]
"""What somebody mends."""


def copy(fault: Fault) -> Fault:
    """One that has not happened yet."""
    return Fault(fault.kind, fault.status, fault.code, fault.message, fault.done)


@pytest.fixture
def faulty(s3: S3) -> Iterator[Faulty]:
    """A way to the store of the lab."""
    way = Faulty(s3.port)
    yield way
    way.close()


@pytest.fixture
def way(store: Store, faulty: Faulty) -> Store:
    """The same bucket, over that way."""
    return Store(store.server, faulty.endpoint, bucket=store.bucket)


def segments(asked: Asked) -> bool:
    """A put of a segment."""
    return asked.method == "PUT" and asked.key.endswith(".seg")


def test_every_fault_of_a_put_leaves_each_transaction_once(
    source: Neo4j, store: Store, way: Store, faulty: Faulty, ship: Ship
) -> None:
    """One segment a fault; then a shipper that has to read what is there over answers that end in the middle."""
    for fault in (error(409, "ConditionalRequestConflict"), error(500, "InternalError", done=True)):
        faulty.next(copy(fault), lambda asked: asked.method == "PUT")
    worker = ship(to=way, interval=0.1, timeout=2.0)
    worker.shipping()
    for number, fault in enumerate([*AGAIN, *WAITED]):
        planned = faulty.next(copy(fault), segments)
        source.query("CREATE (:A {uid: $n})", n=number)
        worker.shipped()
        assert planned.met.is_set(), fault.name
    assert set(worker.errors) == {"ObjectStoreUnreachable", "ClockSkewed", "KmsKeyDisabled"}
    worker.kill()
    for fault in (Fault("cut"), error(500, "InternalError"), error(503, "SlowDown"), Fault("cut")):
        faulty.next(copy(fault), lambda asked: asked.method == "GET" and not asked.listing)
    for fault in (Fault("cut"), error(503, "SlowDown")):
        faulty.next(copy(fault), lambda asked: asked.listing)
    later = ship(to=way, interval=0.1, timeout=2.0)
    later.shipping()
    source.query("CREATE (:A {uid: -1})")
    later.shipped()
    transactions, nodes, _ = the_same(source, store)
    print(f"{len(faulty.struck)} faults, {transactions} transactions: {[what for what, _ in faulty.struck]}")
    assert transactions == nodes == len(AGAIN) + len(WAITED) + 1
    assert later.errors == ["ObjectStoreUnreachable"]


def test_a_backup_and_a_restore_among_faults_are_exact(
    source: Neo4j, target: Neo4j, way: Store, faulty: Faulty, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """One request in seven goes wrong, in each way in turn, of both kinds of worker and of a shipper beside them."""
    prepare(source, 12_000, 8_000)
    kinds = itertools.cycle(each for each in AGAIN if each.kind != "lost")
    dice = random.Random(7)

    def judge(_: Asked) -> Fault | None:
        return copy(next(kinds)) if dice.random() < 1 / 7 else None

    faulty.judge = judge
    shipper = ship(to=way, interval=0.2, timeout=5.0)
    shipper.shipping()
    backup = back_up(to=way, timeout=5.0)
    assert backup.done()["error"] is None
    source.query("MATCH (n:Old) WHERE n.uid % 5 = 0 SET n.name = 'changed'")
    source.query("MATCH (n:Old) WHERE n.uid % 7 = 0 DETACH DELETE n")
    shipper.shipped()
    wrong = len(faulty.struck)
    restored = restore(of=way, point={"end": True}, timeout=5.0).done()
    nodes, relationships = same(source, target)
    assert (restored["nodes"], restored["relationships"]) == (nodes, relationships)
    happened = collections.Counter(what for what, _ in faulty.struck)
    print(f"{wrong} faults while writing, {len(faulty.struck) - wrong} while reading; {dict(happened)}")
    assert len(happened) == len([each for each in AGAIN if each.kind != "lost"])
    assert set(backup.errors) <= {"ObjectStoreUnreachable"}


def test_a_no_that_is_cut_short_is_no_answer(way: Store, faulty: Faulty) -> None:
    bucket = Bucket(location(way), 5.0, None)
    faulty.next(Fault("cut"), lambda asked: asked.method == "GET")
    with pytest.raises(ObjectStoreUnreachable):
        bucket.get("nothing")
    assert bucket.get("nothing") is None
    bucket.close()


OLD, NEW = ({"AWS_SDK_UA_APP_ID": name} for name in ("old-keys", "new-keys"))
"""The store of the lab has one pair of keys: whose have expired is told by the name that a worker gives in its
User-Agent."""


def test_keys_that_expire_are_told_and_new_ones_go_on(
    source: Neo4j, target: Neo4j, way: Store, faulty: Faulty, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """A shipper waits and is replaced by one with new keys; a job ends, and the next one finds what it did."""
    expired, chunks = threading.Event(), itertools.count()

    def judge(asked: Asked) -> Fault | None:
        if "/chunks/" in asked.key and next(chunks) == 3:
            expired.set()
        late = expired.is_set() and "old-keys" in asked.headers["user-agent"]
        return error(400, "ExpiredToken") if late else None

    faulty.judge = judge
    prepare(source, 30_000, 0)
    old = ship(to=way, environment=OLD)
    old.shipping()
    source.query("CREATE (:A {uid: 1})")
    old.shipped()
    broken = back_up(to=way, environment=OLD)
    assert broken.ended() == 3
    assert broken.report["error"]["reason"] == "CredentialsExpired"
    source.query("CREATE (:A {uid: 2})")
    old.wait(lambda report: (report["error"] or {}).get("reason") == "CredentialsExpired")
    new = ship(to=way, environment=NEW)
    new.shipped()
    old.kill()
    whole = back_up(to=way, environment=NEW).done()
    assert 0 < whole["chunksNew"] < whole["chunks"]
    assert restore(of=way, point={"end": True}, environment=OLD).refused()["reason"] == "CredentialsExpired"
    restore(of=way, point={"end": True}, environment=NEW).done()
    same(source, target)


class Deaths:
    """Kills a worker at every put that it makes: before the store has it, and after, before the worker knows.

    Puts are told apart by what they are of and which one of its kind it is in the life of a worker, up to ``most``.
    """

    def __init__(self, faulty: Faulty, most: int) -> None:
        self._faulty, self._most = faulty, most
        self._puts = collections.Counter[str]()
        self._worker: ShipProcess | BackupProcess | None = None
        self._begun = threading.Event()
        self.struck: list[tuple[str, int, bool]] = []
        faulty.judge = self._judge

    def next(self) -> None:
        """Another life begins."""
        self._begun.clear()
        self._puts.clear()

    def of(self, worker: ShipProcess | BackupProcess) -> None:
        """This one's."""
        self._worker = worker
        self._begun.set()

    def _judge(self, asked: Asked) -> Fault | None:
        if asked.method != "PUT":
            return None
        kind = sort(asked.key)
        self._puts[kind] += 1
        for done in (False, True):
            place = (kind, self._puts[kind], done)
            if self._puts[kind] <= self._most and place not in self.struck:
                self.struck.append(place)
                return Fault("call", done=done, then=self._kill)
        return None

    def _kill(self) -> None:
        assert self._begun.wait(10)
        assert self._worker is not None
        self._worker.process.kill()


def sort(key: str) -> str:
    """What an object of an archive is."""
    name = key.rpartition("/")[2]
    kinds = ("snapshots", "chunks", "amendments", "schema")
    return next((kind for kind in kinds if f"/{kind}/" in key), "segment" if name.endswith(".seg") else name)


def test_a_shipper_may_die_at_every_put(source: Neo4j, store: Store, way: Store, faulty: Faulty, ship: Ship) -> None:
    """From an empty bucket on: the format's mark, the segment that opens the epoch, a note of the schema, segments, the
    watermark."""
    deaths, lives = Deaths(faulty, 2), 0
    start = source.query("CALL db.cdc.current()")[0]["id"]
    for lives in range(1, 40):
        source.query("CREATE (:A {uid: $n})", n=lives)
        deaths.next()
        worker = ship(to=way, interval=0.1, start=start)
        deaths.of(worker)
        if lived(worker, lambda report: report["backlogTransactions"] == 0 and faulty.counted("PUT", "mark.json") > 2):
            break
        faulty.asked.clear()
    transactions, *_ = the_same(source, store)
    print(f"{len(deaths.struck)} deaths in {lives} lives: {sorted(deaths.struck)}; {transactions} transactions")
    assert {kind for kind, *_ in deaths.struck} == {"archive.json", "segment", "schema", "watermark.json"}
    assert len(deaths.struck) == lives - 1 >= 2 * 4


def test_a_backup_may_die_at_every_put(
    source: Neo4j, target: Neo4j, way: Store, faulty: Faulty, back_up: BackUp, restore: Restore
) -> None:
    """While the graph is written to, so that there is always something new to put."""
    prepare(source, 5_000, 1_000)
    deaths = Deaths(faulty, 1)
    load = Load(source, 3, pause=0.01, others=5_000)
    load.start()
    lives, code = 0, -signal.SIGKILL
    while code != 0:
        lives += 1
        deaths.next()
        worker = back_up(to=way)
        deaths.of(worker)
        code = worker.ended(60)
        assert code in (0, -signal.SIGKILL), worker.log[-2000:]
    load.stop()
    faulty.judge = lambda _: None
    assert back_up(to=way).done()["error"] is None
    restore().done()
    same(source, target)
    print(f"{len(deaths.struck)} deaths in {lives} lives: {sorted(deaths.struck)}")
    assert {kind for kind, *_ in deaths.struck} == {"archive.json", "chunks", "amendments", "snapshots"}
    assert len(deaths.struck) == lives - 1


def lived(worker: ShipProcess, until: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether it gets so far; False when it was killed before."""
    try:
        worker.wait(until, 30)
        return True
    except AssertionError:
        assert worker.process.poll() == -signal.SIGKILL, worker.log[-2000:]
        return False


MINUTES = 24 * 60
"""Of a day; one transaction is committed in each."""


def test_a_day_without_the_store_is_a_backlog(
    source: Neo4j, store: Store, way: Store, faulty: Faulty, ship: Ship
) -> None:
    """A day's commits in seconds: what grows in an outage is the primary's log, not the time. Memory stays as it is,
    the log of the shipper too, and all of it arrives; and where the primary's log was pruned meanwhile, a gap is told.
    """
    worker = ship(to=way, interval=0.2)
    worker.shipping()
    source.query("CREATE (:A {uid: -1})")
    worker.shipped()
    kinds = itertools.cycle([error(503, "SlowDown"), error(500, "InternalError"), Fault("reset")])
    before, lines = resident(worker.process.pid), worker.log.count("\n")
    faulty.judge = lambda _: copy(next(kinds))
    for minute in range(MINUTES):
        source.query("UNWIND range(1, 20) AS i CREATE (:B {uid: i, minute: $n, text: $t})", n=minute, t="x" * 200)
    worker.wait(lambda report: report["backlogTransactions"] >= MINUTES)
    attempts = len(faulty.struck)
    grown, said = resident(worker.process.pid) - before, worker.log.count("\n") - lines
    faulty.judge = lambda _: None
    worker.shipped(120)
    assert the_same(source, store)[1] == MINUTES * 20 + 1
    print(f"{attempts} attempts at the store, memory grew by {grown} MiB, {said} lines in the log")
    assert grown < 100
    assert said <= 2 * attempts + 2
    faulty.judge = lambda _: copy(next(kinds))
    for number in range(20):
        source.query("UNWIND range(1, 3000) AS i CREATE (:C {uid: i, minute: $n})", n=number)
    source.query("CALL lab.cdc.configure({keepTx: 2})")
    worker.wait(lambda report: report["backlogTransactions"] >= 20)
    report = worker.wait(lambda report: report["retention"]["pace"] is not None)
    left = headroom(Retention(**report["retention"]), report["upTo"], time.time())
    assert left is not None
    assert left.short
    faulty.judge = lambda _: None
    worker.wait(lambda report: report["gap"] is not None, 60)
    source.query("CREATE (:A {uid: -2})")
    worker.shipped()
    archive = store.archive()
    gap = archive.headers[worker.report["gap"] - 1]
    assert gap["start"]["reason"] == "gap"
    assert gap["start"]["lost"] == archive.trailers[worker.report["gap"] - 2]["to"]


def test_a_slow_way_is_no_silent_one(source: Neo4j, store: Store, way: Store, faulty: Faulty, ship: Ship) -> None:
    """One transaction of more than 8 MiB, in one put that takes far longer than the timeout."""
    worker = ship(to=way, interval=0.2, timeout=2.0)
    worker.shipping()
    faulty.rate = 3_000_000
    row = " + ".join(["randomUUID()"] * 12)
    source.query(f"UNWIND range(1, 45000) AS i CREATE (:Big {{uid: i, text: {row}}})")
    worker.shipped()
    large = max(len(data) for data in store.objects().values())
    print(f"{large / 1e6:.1f} MB at 3 MB/s with a timeout of 2 s")
    assert large > 8 << 20
    assert worker.errors == []
    assert faulty.counted("PUT", ".seg") == worker.report["segments"]
    the_same(source, store)


def test_nothing_of_ours_is_written_to_a_disk(
    source: Neo4j, target: Neo4j, store: Store, ship: Ship, back_up: BackUp, restore: Restore
) -> None:
    """So no disk of ours can be full: a process that may not write one byte to any file does its work."""

    def limited(worker: Any) -> Any:
        resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (0, 0))
        return worker

    shipper = limited(ship())
    shipper.shipping()
    source.query("UNWIND range(1, 5000) AS i CREATE (:A {uid: i})")
    limited(back_up()).done()
    source.query("MATCH (n:A) WHERE n.uid < 9 SET n.more = true")
    shipper.shipped()
    limited(restore(point={"end": True})).done()
    assert same(source, target) == (5000, 0)
