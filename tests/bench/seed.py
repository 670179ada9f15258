"""Seeding against the best hand-written loop: the same rows, in the same pages, from one server into another.

The loop reads a page of ids, writes it with one ``UNWIND`` and static names, keeps ids in dictionaries, and reads the
next page meanwhile. It checks nothing, keeps no position, resumes nowhere and looks at no stream.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import neo4j

from lab import Lab, Neo4j
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.element_map import ElementMap
from neo4j_dr_operator.replication import checkpoint, link, seed
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.link import LinkWriter
from tests.bench.apply import NODE_C, REL_C, table

NODES, RELATIONSHIPS, PAGE, ROUNDS = 100_000, 100_000, 5_000, 2
LABELS = ("Person", "Account")
READ_NODES = (
    "UNWIND range($a, $b) AS i MATCH (n) WHERE id(n) = i WITH i, n, labels(n)[0] AS l "
    "RETURN l, collect(i), collect(properties(n))"
)
READ_RELS = (
    "UNWIND range($a, $b) AS i MATCH (s)-[r]->(e) WHERE id(r) = i "
    "RETURN type(r), collect(id(s)), collect(id(e)), collect(properties(r))"
)


def fill(server: Neo4j, nodes: int, relationships: int) -> None:
    """Nodes of two label sets with five properties, relationships of one type with two."""
    server.query(
        "UNWIND range(0, $n - 1) AS i CALL (i) { CREATE (n:$($labels[i % 2]) {key: i, name: 'customer ' + i, "
        "mail: 'c' + i + '@example.com', score: i * 0.5, active: i % 2 = 0}) } IN TRANSACTIONS OF 20000 ROWS",
        n=nodes,
        labels=LABELS,
    )
    server.query(
        "UNWIND range(0, $r - 1) AS i CALL (i) { MATCH (a) WHERE id(a) = (i * 7) % $n MATCH (b) "
        "WHERE id(b) = (i * 13 + 1) % $n CREATE (a)-[:KNOWS {since: i, w: 0.5}]->(b) } IN TRANSACTIONS OF 20000 ROWS",
        n=nodes,
        r=relationships,
    )


def by_engine(source: Neo4j, target: Neo4j) -> float:
    """Seconds for the scan; the stream has nothing to catch up with."""
    from_, to = (
        Database(Endpoint(server.uri, server.user, server.password, server.ca_pem)) for server in (source, target)
    )
    link.prepare(to)
    began = time.perf_counter()
    writer = LinkWriter(to, seed.begin(from_, to, "bench", 1), ElementMap(), Faults())

    def go_on() -> bool:
        checkpoint.step(writer)
        return True

    assert seed.scan(from_, writer, PAGE, go_on)
    seconds = time.perf_counter() - began
    from_.close()
    to.close()
    return seconds


def by_loop(source: Neo4j, target: Neo4j) -> float:
    """Seconds for the same rows."""
    with (
        source.driver() as driver,
        target.driver() as other,
        ThreadPoolExecutor(1) as ahead,
        driver.session(database="neo4j") as reading,
        other.session(database="neo4j") as writing,
    ):
        uuid = writing.run("CREATE (n) RETURN elementId(n) AS id").single(strict=True)["id"].split(":")[1]
        writing.run("MATCH (n) DELETE n").consume()
        began = time.perf_counter()
        nodes: dict[int, int] = {}
        for rows in _ahead(ahead, reading, READ_NODES, NODES):
            with writing.begin_transaction() as tx:
                for label, ids, properties in rows:
                    made = tx.run(NODE_C.format(l=f":`{label}`"), p=properties).single(strict=True)[0]
                    nodes.update(zip(ids, made, strict=True))
                tx.commit()
        for rows in _ahead(ahead, reading, READ_RELS, RELATIONSHIPS):
            with writing.begin_transaction() as tx:
                for kind, starts, ends, properties in rows:
                    tx.run(
                        REL_C.format(t=kind),
                        x=f"4:{uuid}:",
                        a=[nodes[i] for i in starts],
                        b=[nodes[i] for i in ends],
                        p=properties,
                    ).consume()
                tx.commit()
        return time.perf_counter() - began


def _ahead(pool: ThreadPoolExecutor, session: neo4j.Session, query: str, end: int) -> Any:
    def read(first: int) -> list[Any]:
        return [record.values() for record in session.run(query, a=first, b=first + PAGE - 1)]

    coming: Future[list[Any]] = pool.submit(read, 0)
    for first in range(PAGE, end + PAGE, PAGE):
        rows = coming.result()
        if first < end:
            coming = pool.submit(read, first)
        yield rows


def main() -> list[dict[str, Any]]:
    """Measure in turns after a warm-up, print a table, give the figures."""
    source, target = (Neo4j(name, fast=False, heap="1g", tls=False) for name in ("seed-from", "seed-to"))
    rows = []
    with Lab(source, target):
        fill(source, NODES, RELATIONSHIPS)
        for number in range(ROUNDS + 1):
            seconds: dict[str, float] = {}
            for who in ("engine", "loop") if number % 2 else ("loop", "engine"):
                empty(target)
                seconds[who] = (by_engine if who == "engine" else by_loop)(source, target)
            if number:
                elements = NODES + RELATIONSHIPS
                rows.append(
                    {
                        "elements": elements,
                        "engine_per_second": round(elements / seconds["engine"]),
                        "loop_per_second": round(elements / seconds["loop"]),
                        "ratio": round(seconds["loop"] / seconds["engine"], 3),
                    }
                )
    print("seeding: elements a second, engine against the best hand-written loop")
    print(table(rows))
    return rows


def empty(server: Neo4j) -> None:
    """Delete everything; the server stays warm."""
    server.query("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS")


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
