"""A standby that is behind takes the rest out of the archive of its dead primary, exactly once, whatever dies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from lab import Neo4j
from neo4j_dr_operator.cluster import site
from neo4j_dr_operator.failover.view import Assessment
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from tests.compare import assert_equal
from tests.database.archive_reader import Archive
from tests.database.conftest import Start
from tests.database.drain_process import TIMEOUT, DrainProcess, ask, fall_behind, link_of, way
from tests.database.process import FORWARD, REVERSE
from tests.database.shipping_process import ARCHIVE, PATH, Ship, Store

KILLS = ("attached:1", "found:1", "begin:1", "commit:1", "committed:1", "begin:1", "commit:2", "committed:3", "begin:4",
         "committed:2", "commit:3", "drained:1")  # fmt: skip
"""Where a drain dies, in this order: before it looks, in and between transactions, after the last one."""
EPOCH = f"{PATH.strip('/')}/{ARCHIVE}/0000000001/"
Drain = Callable[..., DrainProcess]


@pytest.fixture
def drain(target: Neo4j, store: Store) -> Iterator[Drain]:
    """Start a drain of the store into the target; all are killed in the end."""
    running: list[DrainProcess] = []

    def begin(**options: object) -> DrainProcess:
        running.append(DrainProcess(store, target, **options))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()


def test_killed_at_twelve_moments_it_takes_exactly_what_was_shipped_and_the_old_primary_follows(
    source: Neo4j, target: Neo4j, store: Store, start: Start, ship: Ship, drain: Drain
) -> None:
    behind = fall_behind(source, target, start(), ship(interval=0.2), 400)
    source.kill9()
    for fault in KILLS:
        worker = drain(batch=20, environment={"NEO4J_DR_FAULT": fault})
        code = worker.ended(60)
        assert code == -signal.SIGKILL, f"{fault}: ended with {code}: {worker.report}\n{worker.log[-2000:]}"
    report = drain(batch=20).done()
    archive = store.archive()
    lacked = [tx for tx in archive.txs if tx > behind.cursor]
    assert len(lacked) > 200, "some of a load's transactions find nothing to change"
    nodes, relationships = assert_equal(archive.query, target.query)
    assert (report["transactions"], report["cursorTx"]) == (len(lacked), archive.txs[-1])
    again = drain().done()
    assert (again["transactions"], again["cursor"]) == (len(lacked), report["cursor"]), "nothing more the second time"
    assert link_of(target)["drained"] == len(lacked)
    barrier = ask(target, lambda db: site.promote(db, "primary", "secondary", 2, TIMEOUT))
    source.start()
    assert assessed(target, source) == 0
    target.query("CREATE (:After {uid: 1})")
    reverse = start("handover", ends=(target, source), link=REVERSE, epoch=2, inverse=FORWARD, barrier=barrier)
    reverse.caught_up()
    assert_equal(target.query, source.query)
    print(f"{len(KILLS)} kills, {len(lacked)} transactions drained; {nodes} nodes, {relationships} relationships equal")


def test_what_was_not_shipped_is_lost_and_counted_and_a_broken_archive_gives_a_prefix(
    source: Neo4j, target: Neo4j, store: Store, start: Start, ship: Ship, drain: Drain
) -> None:
    behind = fall_behind(source, target, start(), ship(interval=0.1), 60)
    for number in range(4):
        source.query("CREATE (:Last {uid: $n})", n=number)
        behind.shipper.shipped()
    behind.shipper.kill()
    for number in range(3):
        source.query("CREATE (:Lost {uid: $n})", n=number)
    source.kill9()
    wrong = drain(destination={"secretKey": "wrong-4711"})
    assert wrong.refused()["reason"] == "CredentialsRejected"
    assert "wrong-4711" not in wrong.log + str(wrong.report)
    objects = store.objects()
    segments = sorted(key for key in objects if key.startswith(EPOCH) and key.endswith(".seg"))
    bad = segments[-2]
    store.put(bad, objects[bad][:-20])
    cut = drain()
    assert cut.refused()["reason"] == "ArchiveObjectAltered"
    whole = Archive({key: data for key, data in objects.items() if key < bad}, EPOCH)
    assert_equal(whole.query, target.query)
    assert cut.report["transactions"] == len([tx for tx in whole.txs if tx > behind.cursor]) > 0
    store.put(bad, None)
    assert drain().refused()["reason"] == "ArchiveObjectMissing"
    store.put(bad, objects[bad])
    report = drain().done()
    archive = store.archive()
    assert_equal(archive.query, target.query)
    assert report["transactions"] == len([tx for tx in archive.txs if tx > behind.cursor])
    assert target.query("MATCH (n:Last) RETURN count(n) AS n") == [{"n": 4}]
    ask(target, lambda db: site.promote(db, "primary", "secondary", 2, TIMEOUT))
    assert drain().refused()["reason"] == "Stale", "nothing is applied to what was promoted"
    source.start()
    assert assessed(target, source) == 3


def test_what_an_epoch_lacks_that_was_called_off_is_taken_from_the_one_before(
    source: Neo4j, target: Neo4j, store: Store, start: Start, ship: Ship, drain: Drain
) -> None:
    """The way to the standby was cut, a switchover was rolled back for it, and then the primary died."""
    behind = fall_behind(source, target, start(), ship(interval=0.1), 60)
    behind.shipper.kill()
    source.query("CREATE (:Between {uid: 1})")
    last = ship(epoch=3, interval=0.1)
    last.shipping()
    source.query("CREATE (:Last {uid: 1})")
    last.shipped()
    ask(target, lambda db: site.claim(db, "primary", "secondary", 4, TIMEOUT))
    source.kill9()
    died = drain(epoch=4, archive_epoch=3, environment={"NEO4J_DR_FAULT": "found:2"})
    assert died.ended(60) == -signal.SIGKILL, "between the two epochs"
    report = drain(epoch=4, archive_epoch=3).done()
    lacked = [tx for epoch in (1, 3) for tx in store.archive(epoch).txs if tx > behind.cursor]
    assert report["transactions"] == len(lacked) > 10
    for label in ("Between", "Last"):
        assert target.query(f"MATCH (n:{label}) RETURN count(n) AS n") == [{"n": 1}]
    source.start()
    assert_equal(source.query, target.query)


def assessed(active: Neo4j, returning: Neo4j) -> int:
    """How many transactions the old primary holds beyond what was applied, as the operator counts them."""

    async def compare(here: AsyncDatabase) -> Assessment:
        async with AsyncDatabase(way(returning)) as there:
            return await site.assess(here, there, "primary", 2, TIMEOUT)

    found = ask(active, compare)
    assert found.lost is None, found
    return found.transactions
