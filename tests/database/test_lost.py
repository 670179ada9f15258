"""A change stream that does not hold the link's position any more: each cause is told apart, nothing is applied."""

from __future__ import annotations

import shutil

from lab import Neo4j
from tests.database.conftest import Start
from tests.database.process import LinkProcess

CREATE = "UNWIND range($a, $b) AS i CALL (i) { CREATE (:A {uid: i}) } IN TRANSACTIONS OF 1 ROW"


def followed(source: Neo4j, start: Start) -> None:
    """A link that has applied five nodes and then ended."""
    source.query(CREATE, a=1, b=5)
    worker = start()
    worker.streaming()
    worker.caught_up()
    assert worker.finish() == 0


def refused(worker: LinkProcess, reason: str, target: Neo4j) -> str:
    """It ends with this reason, and the copy is what it was; gives the message."""
    assert worker.ended(40) == 3, worker.log
    assert worker.report["error"]["reason"] == reason, worker.report
    assert target.query("MATCH (n:A) RETURN count(n) AS n") == [{"n": 5}]
    return str(worker.report["error"]["message"])


def test_a_pruned_log(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start)
    source.query(CREATE, a=6, b=20)
    source.query("CALL lab.cdc.configure({keepTx: 2})")
    assert "transaction log begins at" in refused(start("attach"), "PositionPruned", target)


def test_capture_that_was_off_for_a_while(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start)
    source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    source.query(CREATE, a=6, b=6)
    source.query("CALL lab.cdc.configure({mode: 'FULL'})")
    assert "captured from transaction" in refused(start("attach"), "CaptureInterrupted", target)


def test_capture_that_is_off(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start)
    source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    refused(start("attach"), "ChangeCaptureDisabled", target)


def test_another_database_in_the_sources_place(source: Neo4j, target: Neo4j, start: Start) -> None:
    followed(source, start)
    source.reset(fresh=True)
    source.query(CREATE, a=1, b=200)
    assert "is database" in refused(start("attach"), "SourceReplaced", target)


def test_a_source_that_was_taken_back(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query(CREATE, a=100, b=100)
    source.query("MATCH (n) DELETE n")
    source.stop()
    backup = source.home / "backup"
    shutil.copytree(source.home / "data", backup)
    source.start()
    followed(source, start)
    source.stop()
    shutil.rmtree(source.home / "data")
    backup.rename(source.home / "data")
    source.start()
    short = start("attach")
    short.wait(lambda report: (report["error"] or {}).get("reason") == "PositionAhead")
    assert "ended before the link's position" in refused(short, "SourceRestored", target)
    source.query(CREATE, a=1, b=20)  # another history now, longer than the one that was followed
    assert "another transaction" in refused(start("attach"), "SourceRestored", target)
