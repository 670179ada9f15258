"""What arrives: values to the last bit, names whatever they hold, moved unique values, reused ids, big transactions."""

from __future__ import annotations

from typing import Any

import pytest

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.values import NAMES, VALUES


def write_values(database: Neo4j, uid: int) -> None:
    """One node with all values, and one relationship; each value also alone on a node and in a list."""
    database.query("CREATE (n:All {uid: $uid}) SET n += $p CREATE (n)-[r:R]->(:End {uid: -$uid}) SET r = $p",
                   uid=uid, p=VALUES)  # fmt: skip
    rows = [{"uid": f"{uid}-{name}", "value": value} for name, value in VALUES.items()]
    database.query("UNWIND $rows AS row CREATE (n:One {uid: row.uid, value: row.value})", rows=rows)


def write_names(database: Neo4j, uid: int) -> None:
    """Every awkward name as label, as type and as property key."""
    for number, name in enumerate(NAMES):
        database.query(
            "CREATE (a:$($name) {uid: $uid}) SET a[$name] = $name "
            "CREATE (a)-[r:$($name)]->(b:$([$name, 'Other']) {uid: $other}) SET r[$name] = $uid",
            name=name, uid=f"{uid}-{number}", other=f"{uid}-{number}-b",
        )  # fmt: skip


def test_values_and_names_arrive_bit_for_bit(source: Neo4j, target: Neo4j, start: Start) -> None:
    write_values(source, 1)
    write_names(source, 1)
    worker = start()
    worker.streaming()
    write_values(source, 2)
    write_names(source, 2)
    source.query("MATCH (n:All {uid: 1}) SET n = {uid: 1} SET n:Changed")
    source.query("MATCH (n:All {uid: 1})-[r]->() SET r = $p, n += $p", p=VALUES)
    for number, name in enumerate(NAMES):
        source.query(
            "MATCH (n {uid: $uid})-[r]->(m) REMOVE n:$($name), n[$name] SET m:$($other)",
            uid=f"1-{number}", name=name, other=NAMES[number - 1],
        )  # fmt: skip
    worker.caught_up()
    nodes, relationships = assert_equal(source.query, target.query)
    assert nodes > 2 * len(VALUES)
    assert relationships == 2 + 2 * len(NAMES)
    labels = {label for row in target.query("CALL db.labels() YIELD label RETURN label") for label in row.values()}
    assert {label for label in labels if "DR" in label} == {
        "__Neo4jDR", "__Neo4jDRLink", "__Neo4jDRLog", "__Neo4jDRMap"
    } & labels  # fmt: skip


@pytest.mark.usefixtures("ids_from_zero")
def test_unique_values_move_and_ids_are_reused(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE CONSTRAINT p_id FOR (n:P) REQUIRE n.id IS UNIQUE")
    source.query("CREATE CONSTRAINT r_id FOR ()-[r:R]-() REQUIRE r.id IS UNIQUE")
    source.query("UNWIND range(1, 20) AS i CREATE (:P {id: i, uid: i})-[:R {id: i}]->(:Q {uid: -i})")
    worker = start()
    worker.streaming()
    worker.wait(lambda _: len(target.query("SHOW CONSTRAINTS YIELD name WHERE name IN ['p_id', 'r_id']")) == 2)
    swap = (
        "MATCH (a:P {uid: 1}), (b:P {uid: 2}) WITH a, b, a.id AS x, b.id AS y SET a.id = null, b.id = null "
        "SET a.id = y, b.id = x"
    )
    source.query(swap)
    source.query("MATCH (n:P {id: 5}) DETACH DELETE n CREATE (:P {id: 5, uid: 500})-[:R {id: 5}]->(:Q {uid: -500})")
    source.query("MATCH (n:P {id: 6}) SET n.id = 66 CREATE (:P {id: 6, uid: 600})")
    source.query("MATCH ()-[r:R {id: 7}]->(), ()-[s:R {id: 8}]->() SET r.id = null, s.id = 7 SET r.id = 8")
    source.query("MATCH (n:P {uid: 9}) REMOVE n:P SET n:Was CREATE (:P {id: 9, uid: 900})")
    for round_ in range(30):  # deletes free ids, a restart makes them available, the next creates take them
        source.query("MATCH (q:Q {uid: $uid}) DETACH DELETE q", uid=-(round_ % 20) - 1)
        source.query("CREATE (:Q {uid: $uid})<-[:R]-(:New {uid: $new})", uid=-(round_ % 20) - 1, new=1000 + round_)
    source.stop()
    source.start()
    source.query("UNWIND range(1, 50) AS i CREATE (:Reused {uid: 5000 + i})-[:R]->(:Reused {uid: 6000 + i})")
    worker.caught_up()
    assert_equal(source.query, target.query)
    assert worker.finish() == 0


def test_a_value_gives_way_to_one_that_compares_as_equal(source: Neo4j, target: Neo4j, start: Start) -> None:
    """5.26 passes over SET of -0.0 where 0.0 stands: a removal in between, folded away, must not be missed."""
    source.query("CREATE (:A {uid: 1, x: 0.0})-[:R {uid: 1, x: -0.0}]->(:B {uid: 2, x: 0.0})")
    first = start()
    first.caught_up()
    assert first.finish() == 0
    source.query("MATCH (n)-[r]->(m) REMOVE n.x, r.x, m.x")
    source.query("MATCH (n:A)-[r]->(m) SET n.x = -0.0, r.x = 0.0, m.x = -0.0, m:C")
    start("attach").caught_up()
    assert [str(row["x"]) for row in target.query("MATCH (n) WHERE n.uid > 0 RETURN n.x AS x")] == ["-0.0"] * 2
    assert_equal(source.query, target.query)


def test_one_transaction_larger_than_a_batch(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start(batch=100)
    worker.streaming()
    source.query("UNWIND range(1, 5000) AS i CREATE (:Big {uid: i})-[:TO {w: i}]->(:Big {uid: -i})")
    source.query("MATCH (n:Big) WHERE n.uid > 4000 DETACH DELETE n")
    source.query("UNWIND range(1, 100) AS i CREATE (:Exactly {uid: 'e' + i})")
    source.query("CREATE (:Last {uid: 'last'})")
    report = worker.caught_up()
    assert assert_equal(source.query, target.query) == (9101, 4000)
    assert report["transactions"] == 4
    assert report["changes"] == 15000 + 2000 + 101


def test_schema_follows(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE INDEX by_name FOR (n:A) ON (n.name)")
    source.query("CREATE CONSTRAINT unique_id FOR (n:A) REQUIRE n.id IS UNIQUE")
    target.query("CREATE INDEX of_somebody_else FOR (n:Z) ON (n.z)")
    worker = start()
    worker.streaming()
    names: list[str] = []

    def there(*wanted: str) -> bool:
        names[:] = [row["name"] for row in target.query("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'")]
        return set(wanted) <= set(names)

    worker.wait(lambda _: there("by_name", "unique_id", "of_somebody_else"))
    source.query("DROP CONSTRAINT unique_id")
    source.query(
        "UNWIND [1, 2] AS i CREATE (:A {id: 7, uid: i})"
    )  # the copy's constraint refuses this until it is gone
    worker.wait(lambda _: not there("unique_id"))
    worker.caught_up()
    assert there("by_name", "of_somebody_else")
    assert_equal(source.query, target.query)


@pytest.mark.parametrize(
    ("harm", "change"),
    [
        ("MATCH (n:A {uid: 1}) DETACH DELETE n", "MATCH (n:A {uid: 1}) SET n.x = 1"),
        ("MATCH (n:A {uid: 1}) DETACH DELETE n", "MATCH (n:A {uid: 1}) DETACH DELETE n"),
        ("MATCH (n:A {uid: 1}) CREATE (n)-[:FOREIGN]->(n)", "MATCH (n:A {uid: 1}) DETACH DELETE n"),
    ],
)
def test_a_target_that_others_wrote_to_is_noticed(
    source: Neo4j, target: Neo4j, start: Start, harm: str, change: str
) -> None:
    source.query("CREATE (:A {uid: 1})-[:R]->(:B {uid: 2})")
    worker = start()
    worker.streaming()
    worker.caught_up()
    target.query(harm)
    source.query(change)
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "TargetAltered"
    before: list[dict[str, Any]] = target.query("MATCH (l:__Neo4jDRLink) RETURN l.phase AS phase")
    assert before == [{"phase": "streaming"}]
