"""Everything that a graph can hold, at its limits and at random: the copy is compared element by element.

``NEO4J_DR_GRAPHS``: how many seeds (4, more in `make soak`); ``NEO4J_DR_GRAPH_SEED``: the first of them, to repeat one
that is printed.
"""

from __future__ import annotations

import os
import random
import struct

from neo4j._codec.packstream import Structure

from lab import Neo4j
from tests.database.conftest import Start
from tests.database.making import SCHEMA, Making
from tests.database.raw import same
from tests.database.values import EXTREMES, NAMES, NANS

GRAPHS = int(os.environ.get("NEO4J_DR_GRAPHS", "4"))
FIRST = int(os.environ.get("NEO4J_DR_GRAPH_SEED", "1"))
TRANSACTIONS = 60
LONG = "long `name` \\u0060 \U0001f600 " + "n" * 60_000


def write_extremes(database: Neo4j, label: str) -> None:
    """Each value alone on a node, and all on a relationship; values that only travel as structures; values of NaN."""
    for name, text in EXTREMES.items():
        database.query(f"CREATE (n:$($label) {{name: $name}}) SET n.value = {text}", label=label, name=name)
    everything = ", ".join(f"r.{name} = {text}" for name, text in EXTREMES.items())
    database.query(f"CREATE (a:$($label))-[r:EVERYTHING]->(a) SET {everything}", label=label)
    for number, bits in enumerate(NANS):
        value = struct.unpack(">d", bytes.fromhex(bits))[0]
        database.query("CREATE (n:$($label) {nan: $n, v: $v, vs: [$v, 0.0]})", label=label, n=number, v=value)
    for value in (Structure(b"I", -1, 999_999_999, 3_723), Structure(b"T", 1, -3_723), Structure(b"E", 1, -400, -1, 5)):
        database.query("CREATE (n:$($label)) SET n.v = $v, n.vs = [$v, $v]", label=label, v=value)


def write_names(database: Neo4j, uid: int) -> None:
    """Names of 60 kB, and all awkward ones on one node."""
    database.query(
        "CREATE (a:$($all) {uid: $uid}) SET a[$long] = $long CREATE (a)-[r:$($long)]->(b:$($long)) SET r[$long] = 1",
        all=[*NAMES, LONG], long=LONG, uid=uid,
    )  # fmt: skip


def test_values_and_names_at_their_limits(source: Neo4j, target: Neo4j, start: Start) -> None:
    write_extremes(source, "Seeded")
    write_names(source, 1)
    worker = start()
    worker.streaming()
    write_extremes(source, "Streamed")
    write_names(source, 2)
    source.query("MATCH (n:Seeded) SET n.again = n.value")
    source.query("MATCH (n {uid: 1}) REMOVE n:$($less), n[$key] SET n:$($more)", less=NAMES, key=LONG, more=["M", LONG])
    worker.caught_up()
    nodes, relationships = same(source, target)
    assert (nodes, relationships) == (2 * (len(EXTREMES) + 1 + len(NANS) + 3 + 2), 4)
    assert worker.finish() == 0
    assert worker.errors == []


def test_random_transactions(source: Neo4j, target: Neo4j, start: Start) -> None:
    for statement in SCHEMA:
        source.query(statement)
    worker = start()
    worker.streaming()
    worker.wait(
        lambda _: len(target.query("SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH 'making'")) == len(SCHEMA)
    )
    with source.driver() as driver, driver.session(database="neo4j") as session:
        for seed in range(FIRST, FIRST + GRAPHS):
            dice = random.Random(seed)
            making = Making(seed, session)
            behind = dice.random() < 0.5  # much in one batch, or little by little
            if behind:
                assert worker.finish() == 0
            for _ in range(TRANSACTIONS):
                making.transaction()
            if behind:
                worker = start("attach", batch=dice.choice((1, 7, 100, 5000)))
                worker.streaming()
            worker.caught_up()
            nodes, relationships = same(source, target)
            print(f"seed {seed}: {nodes} nodes, {relationships} relationships, {making.taken_back} rolled back")
            assert "TargetAltered" not in worker.errors
            assert nodes > 10
    assert worker.finish() == 0


def test_random_transactions_while_a_copy_is_filled(source: Neo4j, target: Neo4j, start: Start) -> None:
    """What the scan sees and what the stream brings meet in every order."""
    for statement in SCHEMA:
        source.query(statement)
    with source.driver() as driver, driver.session(database="neo4j") as session:
        making = Making(FIRST, session)
        for _ in range(5 * TRANSACTIONS):
            making.transaction()
        worker = start(batch=20)
        worker.wait(lambda report: report["state"] == "seeding")
        written = 0
        while worker.report["state"] != "streaming" or written < TRANSACTIONS:
            assert worker.process.poll() is None, worker.report
            making.transaction()
            written += 1
    worker.caught_up()
    nodes, relationships = same(source, target)
    print(f"{written} transactions meanwhile; {nodes} nodes, {relationships} relationships")
    assert worker.finish() == 0
