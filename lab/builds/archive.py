"""Makes the class archive by a sample run of a server: start, a few queries, clean stop (the JVM writes it then)."""

from __future__ import annotations

from pathlib import Path

import neo4j

from lab.database import Neo4j
from lab.facade import Lab

WARM_UP = (
    "CREATE (:A {x: 1})-[:R {y: 2}]->(:B)",
    "CALL db.cdc.query(db.cdc.earliest())",
    "CALL db.cdc.earliest()",
    "UNWIND $rows AS row CREATE (n:L) SET n = row.p RETURN collect(elementId(n))",
    "UNWIND $rows AS row MATCH (a) WHERE elementId(a) = row.a CREATE (a)-[r:R]->(a) SET r = row.p",
    "CREATE CONSTRAINT FOR (n:K) REQUIRE n.id IS UNIQUE",
    "SHOW DATABASES",
    "SHOW TRANSACTIONS",
    "MATCH (n) DETACH DELETE n",
)
ROWS = [{"p": {"x": 1}, "a": "4:00000000-0000-0000-0000-000000000000:0"}]


def dump(target: Path, work: Path) -> None:
    """Write the archive to ``target``; raises FileNotFoundError when the JVM wrote none."""
    server = Neo4j("archive", fast=False, jvm=[f"-XX:ArchiveClassesAtExit={target}"])
    with Lab() as lab:
        lab.add(server)
        for text in WARM_UP:
            try:
                server.query(text, rows=ROWS)
            except neo4j.exceptions.Neo4jError:
                continue  # only the classes matter
        server.stop(within=120)
    target.stat()
