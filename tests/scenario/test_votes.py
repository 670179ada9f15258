"""Only death kills (P6): what must not cause a failover, and what must not prevent one."""

from __future__ import annotations

import os
import time

from tests.compare import assert_equal
from tests.scenario.world import World, wait_for

CUT_SECONDS = float(os.environ.get("NEO4J_DR_CUT_SECONDS", "45"))
"""How long the operator's own path stays cut; `make soak` takes 300."""


def test_the_operators_path_alone_is_cut(linked: World) -> None:
    """The stream still flows and heartbeats go through the worker: the lease stays, nothing is promoted."""
    linked.set_up()
    linked.operator.start()
    linked.settled("primary")
    linked.links["operator"].cut()
    linked.await_condition("PrimaryAvailable", "False", seconds=30)
    end = time.monotonic() + CUT_SECONDS
    number = 0
    while time.monotonic() < end:
        number += 1
        linked.sites["primary"].query("CREATE (:Still {uid: $n})", n=number)
        wait_for(
            "the stream flows",
            lambda n=number: linked.sites["secondary"].query("MATCH (s:Still {uid: $n}) RETURN s.uid AS n", n=n),
            20,
        )
        status = linked.status()
        assert (status["activeSite"], status["epoch"]) == ("primary", 1)
        assert status["phase"] in ("Degraded", "Replicating")
    linked.links["operator"].restore()
    linked.settled("primary")
    assert linked.status()["failover"].get("history", []) == []


def test_a_stopped_witness_stops_the_failover_until_it_is_back(dr: World) -> None:
    dr.sites["primary"].query("UNWIND range(1, 500) AS i CREATE (:Person {uid: i})")
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    dr.s3.stop()
    try:
        dr.await_condition("FailoverReady", "False", "WitnessUnreachable", 30)
        dr.sites["primary"].kill9()
        dr.await_condition("PrimaryAvailable", "False", seconds=60)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            assert dr.status()["activeSite"] == "primary"
            assert dr.condition("FailoverReady")["reason"] == "WitnessUnreachable"
    finally:
        dr.s3.start()
    wait_for("promoted once the witness is back", lambda: dr.status().get("activeSite") == "secondary", 60, 0.2)
    dr.sites["primary"].start()
    dr.settled("secondary")
    entry = dr.status()["failover"]["history"][-1]
    assert (entry["kind"], entry["fencedBy"], entry["lostTransactions"]) == ("failover", "time", 0)
    assert_equal(*(site.query for site in dr.sites.values()))


def test_wrong_password_and_operator_restart_are_no_death(dr: World) -> None:
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    good = dr.sites["primary"]
    dr.secret("primary-admin", username=good.user, password="wrong")
    dr.operator.kill9()
    dr.operator.start()
    dr.await_condition("PrimaryAvailable", "False", "Degraded", 60)
    end = time.monotonic() + 15
    while time.monotonic() < end:
        assert dr.status()["activeSite"] == "primary"
        assert dr.status().get("failover", {}).get("history", []) == []
    dr.secret("primary-admin", username=good.user, password=good.password)
    dr.settled("primary", 90)


def test_latency_is_measured_on_the_link(linked: World) -> None:
    linked.set_up()
    linked.operator.start()
    linked.settled("primary")
    linked.links["replication"].latency(100)

    def within() -> bool:
        found = [v for k, v in linked.metrics().items() if "network_latency_seconds" in k]
        return len(found) == 1 and abs(found[0] - 0.1) <= 0.02

    wait_for("latency within 20 % of 100 ms", within, 30)
    series = linked.metrics()
    for name in ("replication_lag_seconds", "health_check_failures_total", "failover_total", "health_status"):
        assert any(key.startswith(f"neo4j_disaster_recovery_{name}{{") for key in series), name
    assert all('cluster="cross-region-dr"' in key for key in series if key.startswith("neo4j_disaster_recovery"))
