"""Processes killed for real: the operator in every step, the API server, two operators at once, both databases."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

from tests.compare import assert_equal
from tests.scenario.world import Operator, World, wait_for
from tests.scenario.writer import Writer, missing

SWITCHOVER_STEPS = ("Requested", "ReadOnly", "Fencing", "Draining", "Promoting", "Verifying")
FAILOVER_STEPS = ("Detected", "Confirmed", "Fencing", "Promoting")


def other(site: str) -> str:
    return "secondary" if site == "primary" else "primary"


def same_in_the_end(world: World, writer: Writer) -> None:
    """Stop the writer; everything acknowledged is on both sides and the graphs are equal."""
    log = writer.stop()
    for site in world.sites.values():
        wait_for("everything acknowledged is here", lambda s=site: not missing(log, s), 60, 0.2)
    assert len(log.acknowledged) > 20
    assert_equal(*(site.query for site in world.sites.values()))


def one_completion_an_epoch(world: World) -> None:
    """No epoch was completed twice."""
    history = world.status()["failover"]["history"]
    counts = Counter(entry["epoch"] for entry in history if entry["result"] == "Completed")
    assert all(count == 1 for count in counts.values()), history


def die_in_every_step(world: World, steps: tuple[str, ...]) -> None:
    """Restart the operator again and again, each time to be killed when it has just stored the next step."""
    for step in steps:
        process = world.operator.process
        assert process is not None
        wait_for(f"the operator died at {step}", lambda p=process: p.poll() is not None, 90)
        assert process.returncode == -signal.SIGKILL
        following = steps[steps.index(step) + 1 :]
        world.operator.start(NEO4J_DR_FAULT_STEP=following[0] if following else "")


def restart_to_die_at(world: World, step: str) -> None:
    """A clean stop, then an operator that will kill itself at that step."""
    assert world.operator.stop() == 0
    world.operator.start(NEO4J_DR_FAULT_STEP=step)


def test_operator_killed_in_every_step(dr: World) -> None:
    """One switchover and one failover, the operator killed after each step it stored."""
    primary = dr.sites["primary"]
    primary.query("UNWIND range(1, 1000) AS i CREATE (:Person {uid: i})-[:KNOWS {uid: i}]->(:Pet {uid: i})")
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    writer = Writer(dr.sites, lambda: dr.status().get("activeSite", "primary"))
    wait_for("the writer is under way", lambda: len(writer.log.acknowledged) > 20, 30)
    restart_to_die_at(dr, SWITCHOVER_STEPS[0])
    dr.request("secondary")
    die_in_every_step(dr, SWITCHOVER_STEPS)
    dr.settled("secondary", 90)
    restart_to_die_at(dr, FAILOVER_STEPS[0])
    writer.pause()
    wait_for("all is replicated", lambda: not missing(writer.log, primary), 60, 0.2)
    dr.await_condition("FailoverReady", "True")
    dr.sites["secondary"].kill9()
    die_in_every_step(dr, FAILOVER_STEPS)
    wait_for("taken over", lambda: dr.status().get("activeSite") == "primary", 60)
    dr.sites["secondary"].start()
    dr.settled("primary", 90)
    writer.resume()
    same_in_the_end(dr, writer)
    one_completion_an_epoch(dr)
    history = dr.status()["failover"]["history"]
    assert [(entry["kind"], entry["result"], entry.get("lostTransactions")) for entry in history] == [
        ("switchover", "Completed", 0),
        ("failover", "Completed", 0),
    ]


def test_operator_killed_while_seeding(dr: World) -> None:
    """Killed ten times; each new operator's worker goes on where the pages are."""
    primary = dr.sites["primary"]
    for start in range(1, 40_000, 4_000):
        primary.query(
            "UNWIND range($a, $a + 3999) AS i "
            "CREATE (:Person {uid: i, name: 'p' + i})-[:KNOWS {uid: i}]->(:Pet {uid: i})",
            a=start,
        )
    dr.set_up()
    writer = Writer(dr.sites, lambda: "primary")
    for turn in range(10):
        dr.operator.start()
        seen = -1

        def moved() -> bool:
            nonlocal seen
            rows = dr.sites["secondary"].query("MATCH (l:__Neo4jDRLink) RETURN coalesce(l.seq, 0) AS seq")
            seen = seen if seen >= 0 else (rows[0]["seq"] if rows else -1)
            return bool(rows) and rows[0]["seq"] > seen

        wait_for(f"turn {turn} moved", moved, 60, 0.02)
        dr.operator.kill9()
    dr.operator.start()
    dr.settled("primary", 120)
    same_in_the_end(dr, writer)


def test_api_server_away(dr: World) -> None:
    """Replication goes on without it; a death in its absence is acted on when it is back."""
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    primary, secondary = dr.sites["primary"], dr.sites["secondary"]
    dr.plane.stop_apiserver(kill=True)
    try:
        primary.query("CREATE (:During {uid: 1})")
        wait_for("replicated meanwhile", lambda: secondary.query("MATCH (d:During) RETURN d.uid AS n"), 30)
        primary.kill9()
        end = time.monotonic() + 8
        while time.monotonic() < end:
            assert secondary.query("MATCH (s:__Neo4jDRSite) RETURN s.role AS role") == [{"role": "standby"}]
    finally:
        dr.plane.start_apiserver()
    wait_for("taken over", lambda: dr.status().get("activeSite") == "secondary", 90)
    primary.start()
    dr.settled("secondary", 90)
    assert_equal(primary.query, secondary.query)


def test_two_operators_at_once(dr: World, tmp_path: Path) -> None:
    """By mistake: both serve the same resource. One machine moves, nothing is applied twice."""
    dr.sites["primary"].query("UNWIND range(1, 2000) AS i CREATE (:Person {uid: i})")
    dr.set_up()
    dr.operator.start()
    second = Operator(dr.plane, dr.namespace, tmp_path / "second.log", 0)
    second.start()
    try:
        writer = Writer(dr.sites, lambda: dr.status().get("activeSite", "primary"))
        dr.settled("primary", 90)
        for target in ("secondary", "primary", "secondary"):
            dr.request(target)
            dr.settled(target, 120)
        same_in_the_end(dr, writer)
        one_completion_an_epoch(dr)
        assert len(dr.status()["failover"]["history"]) == 3
    finally:
        assert second.stop() == 0


def test_databases_and_worker_killed_while_streaming(dr: World) -> None:
    dr.set_up(automatic=False)
    dr.operator.start()
    dr.settled("primary")
    writer = Writer(dr.sites, lambda: "primary")
    for turn in range(3):
        for pid in dr.operator.workers():
            os.kill(pid, signal.SIGKILL)
        dr.sites["secondary" if turn % 2 else "primary"].kill9()
        dr.sites["secondary" if turn % 2 else "primary"].start()
        dr.settled("primary", 90)
    same_in_the_end(dr, writer)
    assert dr.status()["epoch"] == 1
