"""Two regions: a round trip that costs, connections that break, fall silent, or stay away for longer than any limit."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from lab import Neo4j, Proxies
from lab.proxy import Proxy
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.firewall import Firewall
from tests.database.load import Load
from tests.database.process import Address

ROUND_TRIP = 60
"""Milliseconds between the regions."""
CUT_SECONDS = float(os.environ.get("NEO4J_DR_CUT_SECONDS", "8"))
"""How long the long cut lasts; the link's own limit is 3 s in that test. `make soak` takes 30 minutes."""

Ends = tuple[Address, Address]


@pytest.fixture
def ways(source: Neo4j, target: Neo4j, proxies: Proxies) -> tuple[Proxy, Proxy, Ends]:
    """The ways from the worker to both servers, and its ends over them."""
    first, second = (proxies.proxy("localhost", server.port) for server in (source, target))
    return first, second, (through(first, source), through(second, target))


def through(way: Proxy, server: Neo4j) -> Address:
    return Address(f"bolt+s://{way.address}", server.user, server.password, server.ca_pem)


def cause(report: dict[str, Any]) -> str | None:
    return report["error"]["reason"] if report["error"] else None


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_far_server_is_followed(
    source: Neo4j, target: Neo4j, ways: tuple[Proxy, Proxy, Ends], start: Start, side: str
) -> None:
    """Many small transactions, small batches: with one page or one statement a round trip it would never end."""
    far = ways[0] if side == "source" else ways[1]
    worker = start(ends=ways[2], batch=200)
    worker.streaming()
    far.latency(ROUND_TRIP)
    worker.wait(lambda report: side == "target" or (report["latency"] or 0) > 0.05)
    source.query("CREATE INDEX f IF NOT EXISTS FOR (n:Far) ON (n.uid)")
    source.query(
        "UNWIND range(1, 2000) AS i CALL (i) { CREATE (:Far {uid: i})-[:NEXT {w: i}]->(:Far {uid: -i}) } "
        "IN TRANSACTIONS OF 1 ROWS"
    )
    source.query("MATCH (n:Far) WHERE n.uid % 5 = 0 SET n.v = n.uid")
    began = time.monotonic()
    worker.caught_up(120)
    print(f"{side}: caught up in {time.monotonic() - began:.1f} s")
    assert_equal(source.query, target.query)


@pytest.mark.parametrize("side", ["source", "target"])
def test_connections_lost_in_the_middle_of_batches(
    source: Neo4j, target: Neo4j, ways: tuple[Proxy, Proxy, Ends], start: Start, side: str
) -> None:
    far = ways[0] if side == "source" else ways[1]
    source.query("CREATE INDEX live_uid IF NOT EXISTS FOR (n:Live) ON (n.uid)")
    worker = start(ends=ways[2], batch=100)
    worker.streaming()
    load = Load(source, 1, pause=0.005)
    load.start()
    for number in range(6):
        far.latency(ROUND_TRIP)  # so that a cut mostly meets something that is on its way
        before = worker.report["changes"]
        worker.wait(lambda report, before=before: report["changes"] > before)
        time.sleep(0.03 * number)
        far.cut()
        worker.wait(lambda report: cause(report) == f"{side.capitalize()}Unreachable")
        far.restore()
    load.stop()
    worker.caught_up()
    assert_equal(source.query, target.query)
    assert worker.process.poll() is None


def test_work_goes_on_within_a_second_of_the_links_return(
    source: Neo4j, target: Neo4j, ways: tuple[Proxy, Proxy, Ends], start: Start
) -> None:
    """From the return to the first change applied, several times: a busy machine may miss the second, not by much."""
    worker = start(ends=ways[2])
    worker.streaming()
    took = []
    for number in range(4):
        ways[0].cut()
        source.query("CREATE (:Waits {n: $n})", n=number)
        before = worker.report["changes"]
        time.sleep(1.5 + 0.2 * number)
        ways[0].restore()
        back = time.monotonic()
        while not target.query("MATCH (n:Waits {n: $n}) RETURN n.n AS n", n=number):
            assert time.monotonic() - back < 20, worker.report
            time.sleep(0.01)
        took.append(time.monotonic() - back)
        worker.wait(lambda report, before=before: report["changes"] > before)
    print("applied after", ", ".join(f"{seconds:.2f} s" for seconds in took))
    assert min(took) < 1.0, took
    assert sorted(took)[1] < 3.0, took
    assert worker.report["lastError"]["reason"] == "SourceUnreachable"
    assert worker.report["error"] is None


def test_connections_that_fell_silent_are_left_long_before_their_time_limit(
    source: Neo4j, target: Neo4j, start: Start
) -> None:
    """A firewall forgot the connections: nobody hangs up, and a new connection works."""
    way = Firewall(source.port)
    try:
        far = Address(f"bolt+s://{way.address}", source.user, source.password, source.ca_pem)
        worker = start(ends=(far, target), timeout=60.0)
        worker.streaming()
        source.query("CREATE (:A {uid: 1})")
        worker.caught_up()
        assert way.forget() > 0
        silent = time.monotonic()
        source.query("CREATE (:A {uid: 2})")
        worker.caught_up(40)
        took = time.monotonic() - silent
    finally:
        way.close()
    print(f"left the silent connections after {took:.1f} s")
    assert 1.0 < took < 20, "a look each second and two seconds of patience, not the time limit of 60 s"
    assert_equal(source.query, target.query)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_cut_longer_than_every_time_limit(
    source: Neo4j, target: Neo4j, ways: tuple[Proxy, Proxy, Ends], start: Start, side: str
) -> None:
    """First a black hole, so that waiting runs into the limits, then nothing at all, then the link is back."""
    far = ways[0] if side == "source" else ways[1]
    source.query("CREATE INDEX live_uid IF NOT EXISTS FOR (n:Live) ON (n.uid)")
    worker = start(ends=ways[2], timeout=3.0, batch=500)
    worker.streaming()
    load = Load(source, 2, pause=0.02)
    load.start()
    worker.wait(lambda report: report["changes"] > 0)
    far.half_open()
    began = time.monotonic()
    worker.wait(lambda report: cause(report) == f"{side.capitalize()}Unreachable" and not report["retrying"], 20)
    assert time.monotonic() - began < 15, "a black hole must not hold anything for longer than its limit of 3 s"
    time.sleep(CUT_SECONDS / 2)
    far.cut()
    time.sleep(CUT_SECONDS / 2)
    load.stop()
    far.restore()
    back = time.monotonic()
    worker.caught_up(60 + CUT_SECONDS)
    print(f"{side}: {load.transactions} transactions later caught up {time.monotonic() - back:.1f} s after the return")
    assert_equal(source.query, target.query)
