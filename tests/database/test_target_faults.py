"""A target that refuses for a while: locks of somebody else, deadlocks, transactions ended by an administrator."""

from __future__ import annotations

import time
from collections.abc import Callable

import neo4j

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load

HEAVY = 2_000
TRIES = 4


def until(what: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it becomes true within ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.005)
    return False


def test_a_lock_of_somebody_else_is_waited_for(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("UNWIND range(1, 20) AS i CREATE (:A {uid: i})")
    worker = start(timeout=5.0)
    worker.streaming()
    with target.driver() as driver, driver.session(database="neo4j") as session:
        other = session.begin_transaction()
        other.run("MATCH (n:A {uid: 7}) SET n.mine = true").consume()
        source.query("MATCH (n:A) SET n.v = n.uid CREATE (:B {uid: n.uid})")
        # the server ends a transaction that waits too long, unless the link has given it up first
        worker.wait(lambda report: (report["error"] or {}).get("reason") in ("TargetUnreachable", "TransientFailure"))
        time.sleep(6.0)  # another attempt
        assert target.query("MATCH (n:B) RETURN count(n) AS n") == [{"n": 0}]
        assert worker.process.poll() is None, worker.log
        other.rollback()
    worker.caught_up()
    assert_equal(source.query, target.query)
    assert target.query("MATCH (n:B) RETURN count(n) AS n") == [{"n": 20}]
    assert worker.finish() == 0


def test_a_worker_that_loses_a_deadlock_does_it_again(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:A {uid: 0}) WITH 1 AS one UNWIND range(1, $n) AS i CREATE (:Heavy {uid: i})", n=HEAVY)
    worker = start()
    worker.streaming()
    worker.caught_up()
    lost = [_cross(source, target, number) for number in range(TRIES)]
    worker.caught_up()
    print(f"the worker lost {lost.count('worker')} of {TRIES} deadlocks; said: {worker.errors}")
    assert "worker" in lost
    assert_equal(source.query, target.query)
    assert target.query("MATCH (n:Row) RETURN count(n) AS n") == [{"n": TRIES}]
    assert worker.finish() == 0


def _cross(source: Neo4j, target: Neo4j, number: int) -> str:
    """Hold a user's node that the worker wants, and ask for the link node that the worker holds: who lost. The server
    keeps the side with more locks, which is ours every other time."""
    with target.driver() as driver, driver.session(database="neo4j") as session:
        other = session.begin_transaction()
        other.run("MATCH (n:A) SET n.mine = true").consume()
        if number % 2:
            other.run("MATCH (n:Heavy) SET n.mine = true").consume()
        source.query("MATCH (n:A) SET n.v = $n CREATE (:Row {uid: $n})", n=number)
        waiting = (
            "SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery CONTAINS 'SET n = $p[i]' RETURN count(*) AS n"
        )
        assert until(lambda: target.query(waiting)[0]["n"] > 0)
        try:
            other.run("MATCH (l:__Neo4jDRLink) SET l.look = true").consume()
        except neo4j.exceptions.TransientError:
            return "we"
        other.rollback()
        return "worker"


def test_transactions_that_an_administrator_ends_are_done_again(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE INDEX live_uid FOR (n:Live) ON (n.uid)")
    worker = start(batch=200)
    worker.streaming()
    load, ended = Load(source, 1, pause=0.005), 0
    load.start()
    end = time.monotonic() + 60
    while ended < 40 and time.monotonic() < end:
        for row in target.query(
            "SHOW TRANSACTIONS YIELD transactionId, currentQuery, username WHERE NOT currentQuery CONTAINS 'SHOW ' "
            "RETURN transactionId AS id"
        ):
            ended += target.query("TERMINATE TRANSACTIONS $id", id=row["id"])[0]["message"] == "Transaction terminated."
        time.sleep(0.01)
        assert worker.process.poll() is None, worker.log
    written = load.stop()
    worker.caught_up()
    print(f"{ended} transactions ended by hand while {written} were written; said: {worker.errors}")
    assert ended > 0
    assert_equal(source.query, target.query)
    assert worker.finish() == 0
