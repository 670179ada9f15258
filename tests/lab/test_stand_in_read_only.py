"""Making a database read-only under load: every commit is either whole or refused, and the server lives."""

from __future__ import annotations

import threading

import neo4j

from lab import Neo4j


def test_the_switch_never_meets_a_commit(databases: tuple[Neo4j, Neo4j]) -> None:
    """Without the stand-in's lock a switch met a commit that was being applied, and the database panicked (seen)."""
    database = databases[0]
    end, acknowledged, refused = threading.Event(), [0] * 4, [0] * 4

    def write(which: int) -> None:
        with database.driver() as driver, driver.session(database="neo4j") as session:
            while not end.is_set():
                try:
                    session.run("CREATE (:Flip {w: $w})-[:R]->(:Flop {w: $w})", w=which).consume()
                    acknowledged[which] += 1
                except neo4j.exceptions.Neo4jError:
                    refused[which] += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(150):
            for value in ("neo4j", ""):
                database.query("CALL dbms.setConfigValue('server.databases.read_only', $v)", "system", v=value)
    finally:
        end.set()
        for thread in threads:
            thread.join(30)
    assert min(acknowledged) > 0
    assert min(refused) > 0
    assert database.query("MATCH (f:Flip) RETURN count(f) AS n") == [{"n": sum(acknowledged)}]
