"""Servers and links that go away and come back."""

from __future__ import annotations

import time

import pytest

from lab import Neo4j, Proxies
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load
from tests.database.process import Address
from tests.database.verified import assert_verified


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
def test_the_target_goes_away_and_comes_back(source: Neo4j, target: Neo4j, start: Start, clean: bool) -> None:
    source.query("CREATE INDEX live_uid FOR (n:Live) ON (n.uid)")
    worker = start(batch=200)
    worker.streaming()
    load = Load(source, 1, pause=0.002)
    load.start()
    for _ in range(2):
        time.sleep(0.5)
        if clean:
            target.stop()
        else:
            target.kill9()
        worker.wait(lambda report: report["error"] is not None and report["error"]["reason"] == "TargetUnreachable")
        target.start()
    load.stop()
    worker.caught_up()
    assert_equal(source.query, target.query)
    assert_verified(source, target)
    assert worker.finish() == 0


def test_the_source_goes_away_and_comes_back(source: Neo4j, target: Neo4j, start: Start) -> None:
    worker = start(batch=200)
    worker.streaming()
    for number in range(2):
        source.query("UNWIND range(1, 500) AS i CREATE (:A {uid: $n * 1000 + i})", n=number)
        if number:
            source.kill9()
        else:
            source.stop()
        worker.wait(lambda report: report["error"] is not None and report["error"]["reason"] == "SourceUnreachable")
        source.start()
        source.query("MATCH (n:A) WHERE n.uid % 7 = $n DETACH DELETE n", n=number)
    worker.caught_up()
    assert_equal(source.query, target.query)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("way", ["cut", "half_open"])
def test_a_link_that_breaks_resumes(
    source: Neo4j, target: Neo4j, proxies: Proxies, start: Start, side: str, way: str
) -> None:
    server = source if side == "source" else target
    link = proxies.proxy("localhost", server.port)
    through = Address(f"bolt+s://{link.address}", server.user, server.password, server.ca_pem)
    ends = (through, target) if side == "source" else (source, through)
    worker = start(ends=ends, timeout=5.0)
    worker.streaming()
    source.query("CREATE (:A {uid: 1})")
    worker.caught_up()
    getattr(link, way)()
    source.query("CREATE (:A {uid: 2})")
    reason = f"{side.capitalize()}Unreachable"
    worker.wait(lambda report: report["error"] is not None and report["error"]["reason"] == reason)
    link.restore()
    back = time.monotonic()
    worker.caught_up()
    print(f"{side} {way}: caught up {time.monotonic() - back:.2f} s after the link was back")
    assert_equal(source.query, target.query)
    if way == "cut":
        assert time.monotonic() - back < 5


def test_latency_is_the_round_trip_of_the_link(source: Neo4j, target: Neo4j, proxies: Proxies, start: Start) -> None:
    link = proxies.proxy("localhost", source.port)
    through = Address(f"bolt+s://{link.address}", source.user, source.password, source.ca_pem)
    worker = start(ends=(through, target))
    worker.streaming()
    link.latency(100)
    report = worker.wait(lambda report: report["latency"] is not None and report["latency"] > 0.09, 20)
    time.sleep(2.5)
    assert 0.08 <= report["latency"] <= 0.12
    assert 0.08 <= worker.report["latency"] <= 0.12
