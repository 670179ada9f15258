"""What ``spec.replication`` says of a link, held against a running one: batchSize, timeout, retries, interval."""

from __future__ import annotations

import time
from typing import Any

from lab import Neo4j, Proxies
from tests.database.conftest import Start
from tests.database.process import FORWARD, Address

SEQ = "MATCH (l:__Neo4jDRLink {link: $link}) RETURN l.seq AS seq"


def through(proxies: Proxies, server: Neo4j) -> tuple[Any, Address]:
    way = proxies.proxy("localhost", server.port)
    return way, Address(f"bolt+s://{way.address}", server.user, server.password, server.ca_pem)


def test_batch_size_bounds_what_one_transaction_applies(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start(batch=50)
    worker.streaming()
    worker.caught_up()
    began = target.query(SEQ, link=FORWARD)[0]["seq"]
    source.query("UNWIND range(1, 1000) AS i CALL (i) { CREATE (:A {uid: i}) } IN TRANSACTIONS OF 1 ROWS")
    worker.caught_up()
    assert target.query(SEQ, link=FORWARD)[0]["seq"] - began >= 1000 / 50
    began = target.query(SEQ, link=FORWARD)[0]["seq"]
    source.query("UNWIND range(1, 1000) AS i CREATE (:B {uid: i})")
    worker.wait(lambda report: report["changes"] == 2000)
    steps = target.query(
        "MATCH (l:__Neo4jDRLog {link: $link}) WHERE l.seq > $seq RETURN count(*) AS n", link=FORWARD, seq=began
    )
    assert steps == [{"n": 1}], "a source transaction is never divided, however large"


def test_retries_say_how_many_failures_are_a_hiccup(
    source: Neo4j, target: Neo4j, proxies: Proxies, start: Start
) -> None:
    way, far = through(proxies, source)
    worker = start(ends=(far, target), retries=6, timeout=30.0)
    worker.streaming()
    worker.caught_up()
    seen: list[bool] = []
    way.cut()
    began = time.monotonic()
    worker.wait(lambda report: bool(seen.append(report["retrying"]) if report["error"] else None) or any(seen))
    worker.wait(lambda report: report["error"] is not None and not report["retrying"])
    assert 0.5 < time.monotonic() - began < 15, "six attempts, 0.1 to 0.4 s apart"
    way.restore()
    worker.caught_up()
    assert worker.report["retrying"] is False


def test_without_retries_the_first_failure_counts(source: Neo4j, target: Neo4j, proxies: Proxies, start: Start) -> None:
    way, far = through(proxies, source)
    worker = start(ends=(far, target), retries=0)
    worker.streaming()
    way.cut()
    report = worker.wait(lambda report: report["error"] is not None)
    assert report["retrying"] is False


def test_timeout_bounds_a_wait_whatever_retries_say(
    source: Neo4j, target: Neo4j, proxies: Proxies, start: Start
) -> None:
    way, far = through(proxies, source)
    worker = start(ends=(far, target), retries=100, timeout=2.0)
    worker.streaming()
    way.half_open()
    began = time.monotonic()
    worker.wait(lambda report: report["error"] is not None and not report["retrying"], 20)
    assert time.monotonic() - began < 10


def test_interval_is_no_delay(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start(interval=300.0)
    worker.streaming()
    worker.caught_up()
    time.sleep(1.0)
    source.query("CREATE (:A {uid: 1})")
    began = time.monotonic()
    while not target.query("MATCH (n:A) RETURN n.uid AS uid"):
        assert time.monotonic() - began < 10
        time.sleep(0.01)
    assert time.monotonic() - began < 5


def test_lag_is_true_on_an_idle_primary_and_so_is_the_distance(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:__Neo4jDR:__Neo4jDRSite {key: 'site', role: 'primary', epoch: 1})")
    worker = start()
    worker.streaming()
    worker.caught_up()
    for number in range(3):
        at = int(time.time() * 1000)
        worker.send(do="heartbeat", id=number, epoch=1, at=at)
        worker.wait(lambda report, at=at: report["heartbeat"] == at, 20)
        age = time.time() - worker.report["heartbeat"] / 1000
        assert age < 5, "nobody else writes, and what the standby holds is as young as the heartbeat"
    assert worker.report["changes"] == 0
    worker.wait(lambda report: report["behind"] == 0, 20)
    source.query("UNWIND range(1, 3000) AS i CREATE (:A {uid: i})")
    report = worker.wait(lambda report: (report["changesPerSecond"] or 0) > 100, 30)
    assert report["bytesPerSecond"] > 0
    assert report["received"] > 100_000
    worker.wait(lambda report: report["changes"] == 3000 and report["behind"] == 0, 20)
    assert report["lastError"] is None
