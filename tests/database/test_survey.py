"""What is looked at before anything is written: which database it is, whether it is empty, whether it can capture."""

from __future__ import annotations

import asyncio

import pytest

from lab import Lab, Neo4j
from neo4j_dr_operator.cluster.survey import survey
from neo4j_dr_operator.failover.view import Survey
from neo4j_dr_operator.graph.bolt import AsyncDatabase, Endpoint


@pytest.fixture(scope="module")
def bare(lab: Lab) -> Neo4j:
    """A server without change data capture of any kind."""
    return lab.add(Neo4j("bare", tls=False, fast=False, capture=False))


def look(server: Neo4j, uri: str | None = None) -> Survey:
    """One survey; the server must not know more afterwards than before."""

    async def once() -> Survey:
        async with AsyncDatabase(Endpoint(uri or server.uri, server.user, server.password, ca=server.ca_pem)) as db:
            return await survey(db, 10.0)

    counts = "MATCH (n) RETURN count(n) AS nodes"
    before = server.query(counts), server.query("SHOW CONSTRAINTS YIELD name")
    found = asyncio.run(once())
    assert (server.query(counts), server.query("SHOW CONSTRAINTS YIELD name")) == before
    return found


def test_two_databases_are_told_apart_by_whatever_address(databases: tuple[Neo4j, Neo4j]) -> None:
    first, second = databases
    found = look(first)
    assert found == Survey(found.database, empty=True, capture=True)
    assert found.database
    assert look(first, f"neo4j+s://127.0.0.1:{first.port}").database == found.database
    assert look(second).database not in ("", found.database)
    first.kill9()
    first.start()
    assert look(first).database == found.database


def test_bookkeeping_is_no_data(databases: tuple[Neo4j, Neo4j]) -> None:
    server = databases[0]
    server.query("CREATE (:__Neo4jDR:__Neo4jDRSite {key: 'site'})")
    assert look(server).empty
    server.query("CREATE (:Person)")
    assert not look(server).empty


def test_capture_that_is_off_or_not_there(databases: tuple[Neo4j, Neo4j], bare: Neo4j) -> None:
    server = databases[0]
    server.query("CALL lab.cdc.configure({mode: 'OFF'})")
    assert not look(server).capture
    server.query("CALL lab.cdc.configure({mode: 'FULL', keepTx: 9223372036854775807})")
    assert look(server).capture
    assert look(bare) == Survey(look(bare).database, empty=True, capture=False)
