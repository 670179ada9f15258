"""The log shipper on a real database and a real S3: what an independent reader finds is the primary's graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from lab import S3, Neo4j
from tests.compare import assert_equal
from tests.database.load import Load
from tests.database.shipping_process import ShipProcess, Store
from tests.database.values import NAMES, VALUES

Ship = Callable[..., ShipProcess]


@pytest.fixture
def store(s3: S3) -> Store:
    """An empty bucket."""
    return Store(s3)


@pytest.fixture
def ship(source: Neo4j, store: Store) -> Iterator[Ship]:
    """Start a shipper (from source to store unless said otherwise); all are killed in the end."""
    running: list[ShipProcess] = []

    def begin(*, origin: object = source, to: Store = store, **options: object) -> ShipProcess:
        running.append(ShipProcess(origin, to, **options))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()


def the_same(source: Neo4j, store: Store) -> tuple[int, int, int]:
    """The archive holds the source's graph, under the same ids; numbers of transactions, nodes, relationships."""
    archive = store.archive()
    nodes, relationships = assert_equal(source.query, archive.query)
    ids = source.query("MATCH (n) WHERE NOT n:__Neo4jDR RETURN collect(id(n)) AS ids")[0]["ids"]
    assert set(ids) == archive.nodes.keys()
    assert archive.txs == sorted(set(archive.txs)), "each transaction once, in commit order"
    return len(archive.txs), nodes, relationships


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
    time.sleep(3)
    written = sum(load.stop() for load in loads)
    worker.shipped()
    transactions, nodes, relationships = the_same(source, store)
    print(f"{written} transactions of the load, {transactions} archived, {nodes} nodes, {relationships} relationships")
    assert nodes > 12_000
    assert relationships > 14
    assert worker.finish() == 0
    assert worker.errors == []
    assert worker.report["state"] == "finished"
