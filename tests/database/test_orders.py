"""Orders that bite: unique values that move, ids that are used again, transactions that are large, wide or many.

Existence and key constraints are Enterprise's, so that here only uniqueness stands guard; of the former the order is
right by its reasoning (docs/replication.md), not by a test.
"""

from __future__ import annotations

import time
from pathlib import Path

import neo4j
import pytest

from lab import Lab, Neo4j
from tests.database.conftest import Start
from tests.database.process import LinkProcess
from tests.database.raw import same

LARGE = 100_000
MEMORY = 320 << 20
"""What a worker may grow by while it holds a transaction of LARGE changes: 3.3 kB a change."""
WIDE = 10 << 20
TINY = 5_000


CONSTRAINTS = (
    "CREATE CONSTRAINT p FOR (p:P) REQUIRE p.id IS UNIQUE",
    "CREATE CONSTRAINT r FOR ()-[r:R]-() REQUIRE r.id IS UNIQUE",
    "CREATE CONSTRAINT pair FOR (p:Pair) REQUIRE (p.x, p.y) IS UNIQUE",
)
CARRIED = "SHOW CONSTRAINTS YIELD name WHERE name IN ['p', 'r', 'pair'] RETURN name"


def resident(worker: LinkProcess) -> int:
    """The most memory that a worker has had, in bytes."""
    for line in Path(f"/proc/{worker.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no such process")


def transaction(database: Neo4j, *statements: str) -> None:
    """All in one transaction."""
    with database.driver() as driver, driver.session(database="neo4j") as session:
        session.execute_write(lambda tx: [tx.run(statement).consume() for statement in statements])


MOVES = {
    "swapped": ("MATCH (a:P {n: 1}), (b:P {n: 2}) SET a.id = null, b.id = null SET a.id = 2, b.id = 1",),
    "moved to a new node": (
        "MATCH (p:P {n: 3}) SET p.id = 1000 + p.id",
        "CREATE (:P {id: 3, n: 300})",
    ),
    "moved from a deleted one": ("MATCH (p:P {n: 4}) DETACH DELETE p", "MATCH (p:P {n: 5}) SET p.id = 4"),
    "made again": ("MATCH (p:P {n: 6}) DETACH DELETE p", "CREATE (:P {id: 6, n: 600})-[:R {id: 6}]->(:Q)"),
    "out of the label": ("MATCH (p:P {n: 7}) REMOVE p:P SET p:Was", "CREATE (:P {id: 7, n: 700})"),
    "into the label": (
        "CREATE (:Was {id: 8, n: 800})",
        "MATCH (p:P {n: 8}) REMOVE p:P",
        "MATCH (p:Was {n: 800}) SET p:P",
    ),
    "labels exchanged": (
        "MATCH (p:P {n: 9}) SET p.id = 9000 SET p:Twin",
        "MATCH (p:P {n: 10}) SET p.id = 9",
        "MATCH (p:Twin) SET p.id = 10 REMOVE p:Twin",
    ),
    "of relationships": (
        "MATCH ()-[a:R {n: 11}]->(), ()-[b:R {n: 12}]->() SET a.id = null, b.id = null SET a.id = 12, b.id = 11",
        "MATCH ()-[a:R {n: 13}]->() DELETE a",
        "MATCH (p:P {n: 13}), (q:P {n: 14}) CREATE (p)-[:R {id: 13, n: 1300}]->(q)",
    ),
    "of a pair": (
        "MATCH (a:Pair {n: 1}), (b:Pair {n: 2}) SET a.x = null, b.x = null SET a.y = 2, b.y = 1 SET a.x = 1, b.x = 1",
    ),
}
"""Statements of one transaction each."""


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one batch"])
def test_unique_values_move(source: Neo4j, target: Neo4j, start: Start, together: bool) -> None:
    for statement in CONSTRAINTS:
        source.query(statement)
    worker = start()
    worker.streaming()
    worker.wait(lambda _: len(target.query(CARRIED)) == len(CONSTRAINTS))
    source.query("UNWIND range(1, 20) AS i CREATE (p:P {id: i, n: i})-[:R {id: i, n: i}]->(p)")
    source.query("UNWIND range(1, 3) AS i CREATE (:Pair {x: 1, y: i, n: i})")
    worker.caught_up()
    if together:
        assert worker.finish() == 0
    for what, statements in MOVES.items():
        transaction(source, *statements)
        if not together:
            worker.caught_up()
            print(what)
    for shift in (3, 5, 7):  # the same values through several transactions of one batch
        transaction(
            source,
            "MATCH (p:P) WHERE p.id <= 20 SET p.old = p.id, p.id = -p.id",
            f"MATCH (p:P) WHERE p.id < 0 SET p.id = (p.old + {shift}) % 20 + 1 REMOVE p.old",
        )
    if together:
        worker = start("attach")
        worker.streaming()
    worker.caught_up()
    same(source, target)
    assert worker.errors == []
    assert worker.finish() == 0


AUTUMN = ("1698539400", "1698543000")
"""02:30 in Berlin on 2023-10-29, in summer time and an hour later."""
ALIKE = {
    "zones": tuple(f"datetime({{epochSeconds: {at}, timezone: 'Europe/Berlin'}})" for at in AUTUMN),
    "offsets": ("datetime('2023-10-29T02:30+02:00')", "datetime('2023-10-29T02:30+01:00')"),
    "zone and offset": ("datetime('2023-10-29T02:30+02:00[Europe/Berlin]')", "datetime('2023-10-29T02:30+02:00')"),
    "times": ("time('12:00+01:00')", "time('11:00Z')"),
    "durations": ("duration('P1D')", "duration('PT24H')"),
    "zeros": ("0.0", "-0.0"),
    "numbers": ("1", "1.0"),
    "points": ("point({x: 0.0, y: 1})", "point({x: -0.0, y: 1})"),
}
"""Values, as Cypher has them, that some comparison or other takes for the same."""


@pytest.mark.parametrize("reseeded", [False, True], ids=["folded", "re-seeded"])
def test_values_that_look_the_same(source: Neo4j, target: Neo4j, start: Start, reseeded: bool) -> None:
    """A value that is removed and comes back as another that compares as equal is one update of the copy's."""
    pairs = [pair for one, two in ALIKE.values() for pair in ((one, two), (two, one), (f"[{one}]", f"[{two}]"))]
    for number, (before, _) in enumerate(pairs):
        source.query(f"CREATE (n:V {{k: $k, v: {before}}})-[:R {{k: $k, v: {before}}}]->(n)", k=number)
    worker = start()
    worker.streaming()
    worker.caught_up()
    assert worker.finish() == 0
    if reseeded:
        source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    for number, (_, after) in enumerate(pairs):
        source.query("MATCH (n:V {k: $k})-[r:R]->() REMOVE n.v, r.v", k=number)
        source.query(f"MATCH (n:V {{k: $k}})-[r:R]->() SET n.v = {after}, r.v = {after}", k=number)
    if reseeded:
        source.query("CALL lab.cdc.configure({mode: 'FULL'})")
    worker = start("attach", reseed="anew" if reseeded else None)
    worker.caught_up()
    assert same(source, target) == (len(pairs), len(pairs))


@pytest.mark.usefixtures("ids_from_zero")
def test_ids_are_used_again(source: Neo4j, target: Neo4j, start: Start) -> None:
    """Freed ids are handed out after a restart: first the deletes in one batch and the creates in another, then both in
    one. The test looks at the ids, so that it cannot pass without any being used again."""
    source.query("UNWIND range(1, 400) AS i CREATE (a:Old {n: i})-[:R {n: i}]->(b:Old {n: -i})")
    worker = start()
    worker.streaming()
    ids = "MATCH (n:{0}) RETURN collect(id(n)) AS nodes, COLLECT {{ MATCH (:{0})-[r]->() RETURN id(r) }} AS rels"
    freed = source.query(
        "MATCH (n:Old) WHERE n.n % 2 = 0 "
        "RETURN collect(id(n)) AS nodes, COLLECT { MATCH (:Old)-[r]->() WHERE r.n % 2 = 0 RETURN id(r) } AS rels"
    )[0]
    for made, behind in (("Across", False), ("Within", True)):
        if behind:
            freed = source.query(ids.format("Across"))[0]
            assert worker.finish() == 0
            source.query("MATCH (n:Across) DETACH DELETE n")
        else:
            source.query("MATCH (n:Old) WHERE n.n % 2 = 0 DETACH DELETE n")
            worker.caught_up()
        source.stop()
        source.start()
        source.query(f"UNWIND range(1, 300) AS i CREATE (:{made} {{n: i}})-[:S {{n: i}}]->(:{made} {{n: -i}})")
        found = source.query(ids.format(made))[0]
        reused = [len(set(freed[kind]) & set(found[kind])) for kind in ("nodes", "rels")]
        print(f"{made}: {reused[0]} ids of nodes and {reused[1]} of relationships used again")
        assert min(reused) > 0
        if behind:
            worker = start("attach")
            worker.streaming()
        worker.caught_up()
        same(source, target)
    assert worker.finish() == 0


def test_one_large_transaction(source: Neo4j, target: Neo4j, start: Start) -> None:
    """It arrives as one, also where every batch is smaller, with memory that stays within bounds."""
    worker = start(batch=1000)
    worker.streaming()
    before, seen = resident(worker), set[int]()
    half = LARGE // 2
    source.query("UNWIND range(1, $n) AS i CREATE (a:Big {i: i, name: 'number ' + i})-[:TO {w: i}]->(a)", n=half)

    def arrived(_: object) -> bool:
        seen.add(target.query("MATCH (n:Big) RETURN count(n) AS n")[0]["n"])
        return half in seen

    worker.wait(arrived, 120)
    report = worker.caught_up(120)
    grown = resident(worker) - before
    print(f"{LARGE} changes in one transaction: {grown >> 20} MiB more, {grown // LARGE} B a change")
    assert report["changes"] == LARGE
    assert report["transactions"] == 1
    assert seen <= {0, half}
    assert grown < MEMORY
    source.query("MATCH (n:Big) SET n.name = null, n:Seen WITH n WHERE n.i % 2 = 0 DETACH DELETE n")
    worker.caught_up(120)
    assert same(source, target) == (half // 2, half // 2)


def test_a_transaction_that_is_too_large_is_refused_as_a_whole(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:Before)")
    worker = start(batch=1000)
    worker.streaming()
    worker.caught_up()
    worker.finish()
    source.query("UNWIND range(1, 60000) AS i CREATE (:Big {i: i})")
    small = {"NEO4J_DR_TRANSACTION_BYTES": str(40 << 20)}
    refused = start("attach", batch=1000, environment=small)
    assert refused.ended(120) == 3
    assert refused.report["error"]["reason"] == "TransactionTooLarge"
    assert "more memory" in refused.report["error"]["message"]
    assert target.query("MATCH (n) WHERE NOT n:__Neo4jDR RETURN labels(n) AS l") == [{"l": ["Before"]}]
    again = start("attach", batch=1000)
    again.streaming()
    again.caught_up(120)
    assert same(source, target) == (60001, 0)


def test_very_wide_rows(source: Neo4j, target: Neo4j, start: Start) -> None:
    """One node of 10 MiB, then as much in each of several transactions, then hundreds of 1 MiB in one backlog."""
    worker = start()
    worker.streaming()
    before = resident(worker)
    source.query("CREATE (n:Wide) SET n.text = $t, n.bytes = $b", t="ä" * (WIDE // 4), b=bytes(WIDE // 2))
    worker.caught_up(120)
    for number in range(6):
        source.query("MATCH (n:Wide) SET n.text = $t", t=f"{number}" * (WIDE // 2))
    worker.caught_up(120)
    assert worker.finish() == 0
    megabyte = "m" * (1 << 20)
    for number in range(150):
        source.query("CREATE (n:Mega {n: $n}) SET n.text = $t", n=number, t=megabyte)
    worker = start("attach")
    worker.streaming(60)
    worker.caught_up(120)
    grown = resident(worker) - before
    print(f"150 rows of 1 MiB: {grown >> 20} MiB more than at the start; met on the way: {worker.errors}")
    assert grown < 600 << 20
    assert same(source, target, fetch=4) == (151, 0)
    assert worker.report["error"] is None
    assert set(worker.errors) <= {"SourceUnreachable", "MemoryExhausted"}, "a page that was too much is made smaller"
    for database in (source, target):  # more than one transaction of the next test's cleaning takes
        database.query("MATCH (n) WHERE NOT n:__Neo4jDR CALL (n) { DELETE n } IN TRANSACTIONS OF 5 ROWS")


def test_a_target_with_little_memory_for_a_transaction(lab: Lab, source: Neo4j, start: Start) -> None:
    """A batch that is too much for it is applied in parts; one source transaction that is too much is named, waits, and
    goes in once the target is given more."""
    small = lab.add(Neo4j("small", settings={"db.memory.transaction.max": "3m"}))
    try:
        ends = (source, small)
        worker = start(ends=ends)
        worker.streaming()
        assert worker.finish() == 0
        for number in range(30):
            source.query("UNWIND range(1, 100) AS i CREATE (:Part {i: i, n: $n, t: $t})", n=number, t="t" * 500)
        worker = start("attach", ends=ends)
        worker.streaming()
        seq = worker.report["seq"]
        worker.caught_up()
        assert worker.report["seq"] > seq + 1
        assert worker.errors == []
        source.query("UNWIND range(1, 30000) AS i CREATE (:Whole {i: i})")
        worker.wait(lambda report: report["error"] is not None)
        assert worker.report["error"]["reason"] == "TransactionTooLarge"
        assert "db.memory.transaction.max" in worker.report["error"]["message"]
        assert small.query("MATCH (n:Whole) RETURN count(n) AS n") == [{"n": 0}]
        small.stop()
        small.configure({"db.memory.transaction.max": "0"})
        small.start()
        worker.caught_up()
        assert same(source, small) == (30 * 100 + 30000, 0)
    finally:
        small.stop()


def test_thousands_of_tiny_transactions(source: Neo4j, target: Neo4j, start: Start) -> None:
    """They arrive each as one and in their order: every value that the copy shows is one that the source had."""
    worker = start()
    worker.streaming()
    before = worker.report["transactions"]
    with source.driver() as driver, driver.session(database="neo4j") as session:
        began = time.monotonic()
        for number in range(TINY):
            _tiny(session, number)
        rate = TINY / (time.monotonic() - began)
    worker.caught_up(120)
    print(f"{rate:.0f} transactions a second written, all applied {time.monotonic() - began:.1f} s after the first")
    assert worker.report["transactions"] - before == TINY
    same(source, target)


def _tiny(session: neo4j.Session, number: int) -> None:
    session.run("MERGE (n:Tiny {k: $k}) SET n.v = $v", k=number % 50, v=number).consume()
