"""The stand-in under SIGKILL: with writers at work, every acknowledged transaction is served exactly once, in order,
and the graph folded from the events is the graph in the database."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import neo4j
from lab_support import eventually, position, since

from lab import Neo4j

ROUNDS, WRITERS, WRITES = 3, 8, 100
WRITE = (
    "MERGE (c:Counter {w: $w}) SET c.n = coalesce(c.n, 0) + 1 "
    "CREATE (n:W {key: $key, v: $i}) CREATE (c)-[:HAS {key: $key}]->(n)"
)
ERASE = "MATCH (c:Counter {w: $w})-[:HAS]->(n) WITH n ORDER BY n.key LIMIT 1 DETACH DELETE n"


class Writers:
    """Clients that write numbered transactions until the server is gone."""

    def __init__(self, database: Neo4j, round_number: int) -> None:
        self.acknowledged: set[str] = set()
        self.tried: set[str] = set()
        self._database, self._round = database, round_number
        self._threads = [threading.Thread(target=self._write, args=(w,)) for w in range(WRITERS)]

    def run_until_killed(self) -> None:
        """Start all, kill the server in the middle of writing, join all."""
        for thread in self._threads:
            thread.start()
        eventually(lambda: len(self.acknowledged) >= WRITES, 60, f"{WRITES} transactions")
        self._database.kill9()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _write(self, w: int) -> None:
        with self._database.driver() as driver, driver.session(database="neo4j") as session:
            for i in range(1_000_000):
                key = f"{self._round}-{w}-{i}"
                self.tried.add(key)
                try:
                    with session.begin_transaction(metadata={"key": key}) as tx:
                        tx.run(WRITE, w=w, key=key, i=i).consume()
                        if i % 5 == 4:
                            tx.run(ERASE, w=w).consume()
                        tx.commit()
                except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
                    return  # the kill
                self.acknowledged.add(key)


class Folded:
    """The graph that the events describe."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}
        self.relationships: dict[str, Any] = {}
        self.served: Counter[str | None] = Counter()
        self._last = (0, 0)

    def apply(self, row: dict[str, Any]) -> None:
        """Apply one event; AssertionError when it does not fit what came before."""
        at = (row["txId"], row["seq"])
        assert at > self._last
        self._last = at
        if row["seq"] == 0:
            self.served[row["metadata"]["txMetadata"].get("key")] += 1
        event = row["event"]
        model = self.nodes if event["eventType"] == "n" else self.relationships
        before, after = event["state"]["before"], event["state"]["after"]
        assert model.pop(event["elementId"], None) == before
        if after is not None:
            model[event["elementId"]] = after


def stored(database: Neo4j) -> tuple[dict[str, Any], dict[str, Any]]:
    """Nodes and relationships as events would show them, by element id."""
    nodes = database.query("MATCH (n) RETURN elementId(n) AS id, labels(n) AS l, properties(n) AS p")
    relationships = database.query("MATCH ()-[r]->() RETURN elementId(r) AS id, properties(r) AS p")
    return (
        {row["id"]: {"labels": sorted(row["l"]), "properties": row["p"]} for row in nodes},
        {row["id"]: {"properties": row["p"]} for row in relationships},
    )


def test_nothing_is_lost_doubled_or_reordered_by_a_kill(databases: tuple[Neo4j, Neo4j]) -> None:
    """Three rounds of eight writers and SIGKILL."""
    database = databases[0]
    database.reset(fresh=True)
    database.query("CREATE CONSTRAINT FOR (c:Counter) REQUIRE c.w IS UNIQUE")
    cursor, graph = position(database), Folded()
    acknowledged: set[str] = set()
    tried: set[str | None] = set()
    for round_number in range(ROUNDS):
        writers = Writers(database, round_number)
        writers.run_until_killed()
        acknowledged |= writers.acknowledged
        tried |= writers.tried
        database.start()
        rows = since(database, cursor)
        for row in rows:
            graph.apply(row)
        cursor = rows[-1]["id"]
        assert (graph.nodes, graph.relationships) == stored(database)
        assert {key for key in acknowledged if graph.served[key] != 1} == set()
        assert {key for key, times in graph.served.items() if times != 1 or key not in tried} == set()
