"""Statements that are sent without waiting: the order of answers and failures, and how many round trips are left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from lab import Neo4j, Proxies
from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database, Row

FAR = 0.2
"""Seconds of a round trip: far more than the server needs for any statement here."""


@pytest.fixture
def database(source: Neo4j) -> Iterator[Database]:
    """The empty server."""
    with Database(Endpoint(source.uri, source.user, source.password, source.ca_pem, timeout=10.0)) as found:
        yield found


def wanting(wanted: object, seen: list[object]) -> Callable[[Row], None]:
    """Notes the row, and minds another value than the wanted one."""

    def look(row: Row) -> None:
        seen.append(row[0])
        if row[0] != wanted:
            raise errors.TargetAltered(f"{row[0]} instead of {wanted}")

    return look


def people(database: Database) -> int:
    count: int = database.row("MATCH (n:Person) RETURN count(n)")[0]
    return count


def test_rows_are_looked_at_in_the_order_of_their_statements(database: Database) -> None:
    seen: list[object] = []
    with database.transaction() as tx:
        for number in (1, 2, 3):
            tx.send(wanting(number, seen), "CREATE (:Person {n: $n}) RETURN $n", n=number)
        assert seen == []
        assert tx.row("MATCH (n:Person) RETURN count(n)") == [3]
        assert seen == [1, 2, 3]
        tx.send(wanting(4, seen), "CREATE (:Person {n: 4}) RETURN 4")
        tx.commit("CREATE (:Person {n: $n}) RETURN 1", n=5)
    assert seen == [1, 2, 3, 4]
    assert people(database) == 5


def test_a_look_that_minds_leaves_nothing_behind(database: Database) -> None:
    seen: list[object] = []
    with database.transaction() as tx:
        tx.send(wanting(7, seen), "CREATE (:Person) RETURN 1")
        tx.send(wanting(2, seen), "CREATE (:Person) RETURN 2")
        with pytest.raises(errors.TargetAltered, match="1 instead of 7"):
            tx.commit()
    assert seen == [1]
    assert people(database) == 0


@pytest.mark.parametrize("last", [False, True], ids=["among others", "with the commit"])
def test_a_statement_that_fails_is_a_clear_no(database: Database, last: bool) -> None:
    database.write("CREATE CONSTRAINT person IF NOT EXISTS FOR (n:Person) REQUIRE n.n IS UNIQUE")
    seen: list[object] = []
    again = "UNWIND [1, 1] AS n CREATE (:Person {n: n}) RETURN count(*)"
    with database.transaction() as tx:
        tx.send(wanting(1, seen), "CREATE (:Person {n: 7}) RETURN 1")
        if not last:
            tx.send(wanting(2, seen), again)
            tx.send(wanting(3, seen), "CREATE (:Person {n: 8}) RETURN 3")
        with pytest.raises(errors.ConstraintViolated):
            tx.commit(again if last else None)
    assert seen == [1]
    assert people(database) == 0
    with database.transaction() as tx:  # the connection serves again
        tx.row("CREATE (:Person {n: 9}) RETURN 1")
        tx.commit()
    assert people(database) == 1


def test_a_transaction_costs_two_round_trips(source: Neo4j, proxies: Proxies) -> None:
    way = proxies.proxy("localhost", source.port)
    seen: list[object] = []
    with Database(Endpoint(f"bolt+s://{way.address}", source.user, source.password, source.ca_pem)) as far:

        def transaction() -> float:
            began = time.perf_counter()
            with far.transaction() as tx:
                for number in range(6):
                    tx.send(wanting(number, seen), "CREATE (:Person {n: $n}) RETURN $n", n=number)
                tx.settle()
                tx.commit("CREATE (:Person {n: -1}) RETURN 1")
            return time.perf_counter() - began

        transaction()
        near = transaction()
        way.latency(int(FAR * 1000))
        took = transaction() - near
    assert 1.8 * FAR < took < 3 * FAR, f"{took / FAR:.1f} round trips"
