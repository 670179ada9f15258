"""Filling an empty database from one that goes on writing."""

from __future__ import annotations

import os
import time

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load, prepare
from tests.database.process import Address
from tests.database.verified import assert_verified
from tests.scenario.world import wait_for

ELEMENTS = int(os.environ.get("NEO4J_DR_SEED_ELEMENTS", "100000"))
PATIENCE = 120 + ELEMENTS / 2_000
TRANSACTIONS = 1_000
"""Committed while the scan runs; on two idle cores that is 300 to 600 a second, here with whatever else runs."""


def test_seeding_under_load_is_exact(source: Neo4j, target: Neo4j, start: Start) -> None:
    prepare(source, ELEMENTS // 2, ELEMENTS // 2 + 1000)
    source.query("MATCH (n:Old) WHERE n.uid % 10 = 3 CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS")
    source.stop()
    source.start()  # now the freed ids are handed out again, into the middle of what is being scanned
    source.query("UNWIND range(0, 11999) AS i CREATE (:Old {uid: i * 10 + 3})-[:LINK]->(:Late {uid: 'l' + i})")
    held = source.query("RETURN COUNT { MATCH (n) } + COUNT { MATCH ()-->() } AS elements")[0]["elements"]
    assert held >= ELEMENTS * 0.8  # a tenth was deleted, with what hung on it
    writers = [Load(source, seed, others=ELEMENTS // 2) for seed in (1, 2, 3, 4)]
    for writer in writers:
        writer.start()
    wait_for("all write", lambda: all(writer.transactions for writer in writers), 30)
    before, began = sum(writer.transactions for writer in writers), time.monotonic()
    worker = start(batch=2000)
    worker.wait(lambda report: report["state"] in ("catching-up", "streaming"), PATIENCE)
    seconds = time.monotonic() - began
    during = sum(writer.transactions for writer in writers) - before
    worker.streaming(PATIENCE)
    verdict = assert_verified(source, target)  # while it is written to
    print(f"verified in {verdict.seconds:.1f} s, {verdict.rechecked} looked at again")
    for writer in writers:
        writer.stop()
    worker.caught_up(PATIENCE)
    nodes, relationships = assert_equal(source.query, target.query)
    print(
        f"scan {seconds:.1f} s with {during / seconds:.0f} transactions/s; {nodes} nodes, {relationships} relationships"
    )
    assert during >= TRANSACTIONS
    assert "catching-up" in worker.states
    assert worker.report["seed"]["nodes"] == worker.report["seed"]["nodesEnd"] >= ELEMENTS // 2
    assert worker.errors == []


def test_a_target_with_data_is_refused(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:A)")
    target.query("CREATE (:B)")
    worker = start()
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "TargetNotEmpty"
    assert target.query("MATCH (n) RETURN labels(n) AS labels") == [{"labels": ["B"]}]


def test_the_same_database_twice_is_refused(source: Neo4j, start: Start) -> None:
    worker = start(ends=(source, source))
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "SameDatabase"
    assert source.query("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


def test_a_link_that_is_not_there_is_not_made_by_attaching(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start("attach")
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "LinkMissing"


def test_capture_switched_off_is_said(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CALL lab.cdc.configure({mode: 'OFF'})")
    worker = start()
    assert worker.ended() == 3
    assert worker.report["error"]["reason"] == "ChangeCaptureDisabled"


def test_wrong_credentials_name_the_side(source: Neo4j, target: Neo4j, start: Start) -> None:
    secret = "not-the-password-4711"
    for ends, reason in (
        ((Address(source.uri, source.user, secret, source.ca_pem), target), "SourceAuthFailed"),
        ((source, Address(target.uri, target.user, secret, target.ca_pem)), "TargetAuthFailed"),
        ((source, Address(target.uri, target.user, target.password, source.ca_pem)), "TargetCertificateUntrusted"),
    ):
        worker = start(ends=ends)
        worker.wait(lambda report: report["state"] == "failed" and report["error"] is not None)
        assert worker.report["error"]["reason"] == reason
        worker.kill()
        assert secret not in worker.log + str(worker.report)


def test_a_graph_of_a_few_elements_under_high_ids(source: Neo4j, target: Neo4j, start: Start) -> None:
    """What is left of a large one: the server looks one id up by going through all that were ever in use."""
    source.query("UNWIND range(1, 30000) AS i CREATE (:Was {uid: i})-[:WAS {uid: i}]->(:Too {uid: i})")
    source.query("MATCH (n) WHERE n.uid < 30000 CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS")
    worker = start()
    worker.caught_up(30)
    assert_equal(source.query, target.query)
