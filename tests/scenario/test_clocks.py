"""Databases whose clocks are an hour wrong, each to another side: nothing is lost, or late, or said of the future."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import S3, ControlPlane, Lab, Neo4j, clock
from tests.compare import assert_equal
from tests.database.load import Load
from tests.scenario.test_archive import begin, segments
from tests.scenario.world import DR, World, wait_for, world

HOUR = 3600
AHEAD = {"primary": HOUR, "secondary": -HOUR}
SLACK = 20.0
"""Seconds that a busy machine may take for anything: far from an hour."""

pytestmark = pytest.mark.skipif(clock.why_not() is not None, reason=str(clock.why_not()))


@pytest.fixture
def wrong(lab: Lab, plane: ControlPlane, s3: S3, tmp_path: Path) -> Iterator[World]:
    """A world whose primary is an hour ahead and whose standby is an hour behind."""
    pair = Neo4j("fast", ahead=AHEAD["primary"]), Neo4j("slow", ahead=AHEAD["secondary"])
    lab.start(*pair)
    try:
        with world(plane, pair, s3, tmp_path, lab.run.ports.free()) as made:
            yield made
    finally:
        for database in pair:
            database.kill9()


def off(database: Neo4j) -> float:
    """Seconds by which a database's clock is ahead of ours."""
    return float(database.query("RETURN timestamp() AS at")[0]["at"]) / 1000 - time.time()


def lag(dr: World, of: str = "replication_lag") -> float:
    """What the operator says of the standby (or of the archive), seconds."""
    return dr.metrics()[f'neo4j_disaster_recovery_{of}_seconds{{cluster="{DR}",namespace="{dr.namespace}"}}']


def replicates(dr: World, source: str, target: str, seed: int) -> None:
    """Under load the lag stays what it is with good clocks; then both graphs are the same."""
    load, lags = Load(dr.sites[source], seed, pause=0.005), []
    load.start()
    wait_for("writes", lambda: lags.append(lag(dr)) or load.transactions > 150, 120)
    written = load.stop()
    number = time.monotonic_ns()
    dr.sites[source].query("CREATE (:Last {uid: $n})", n=number)
    last = "MATCH (l:Last {uid: $n}) RETURN l.uid AS n"
    wait_for("the last write is there", lambda: dr.sites[target].query(last, n=number), 60)
    wait_for("the lag falls", lambda: 0 <= lag(dr) < SLACK / 4, 60)
    assert min(lags) >= 0, lags
    assert max(lags) < SLACK, f"lags with {written} transactions: {lags}"
    assert_equal(dr.sites[source].query, dr.sites[target].query)


def covers_the_past(dr: World, site: str, epoch: int) -> None:
    """What an epoch says to hold lies in no future, neither its database's nor ours; what is committed gets there."""
    known = wait_for("segments", lambda: segments(dr, epoch), 60)
    now = min(time.time(), time.time() + off(dr.sites[site]))
    for *_, trailer in known:
        assert trailer["covered"] / 1000 <= now + 1, trailer
        assert trailer["last"] is None or abs(trailer["last"] / 1000 - AHEAD[site] - time.time()) < 300, trailer
    dr.await_condition("LogShippingHealthy", "True", "Shipping", 120)
    wait_for("the archive is said to be fresh", lambda: 0 <= lag(dr, "log_shipping_age") < SLACK, 60)


def test_an_hour_apart_to_either_side(wrong: World) -> None:
    begin(wrong)
    for site, database in wrong.sites.items():
        assert off(database) == pytest.approx(AHEAD[site], abs=SLACK)
    wrong.await_condition("FailoverReady", "True", seconds=120)
    replicates(wrong, "primary", "secondary", 1)
    covers_the_past(wrong, "primary", 1)
    status = wrong.status()
    assert (status["epoch"], status["failover"].get("history") or []) == (1, [])
    assert {entry["verdict"] for entry in status["health"]} == {"UP"}
    wrong.kubectl("patch", "n4dr", DR, "--type=merge", "-p", '{"spec":{"failover":{"rpo":"1m"}}}')
    wrong.await_condition("WithinRPO", "True", seconds=60)
    wrong.request("secondary")
    wrong.settled("secondary", 180)
    replicates(wrong, "secondary", "primary", 2)
    covers_the_past(wrong, "secondary", 2)
    entries = wrong.status()["failover"]["history"]
    assert [(entry["epoch"], entry["lostTransactions"]) for entry in entries] == [(2, 0)]
