"""At rest nothing is written, little is read, and a new operator over an unchanged world writes nothing either."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from neo4j_dr_operator.failover import due
from tests.scenario.audit import Requests
from tests.scenario.world import DR, World, wait_for

REST_SECONDS = 30.0
SETTLED_SECONDS = 12.0
"""By then an operator that has just started has judged its world, seen or not."""
DEAF_SECONDS = due.IDLE / 2
"""Whoever tells nothing for so long was waiting for the next round at rest."""


def at_rest(world: World) -> None:
    """A replicating pair that has nothing to say any more: heartbeats and lease go on."""
    world.sites["primary"].query("UNWIND range(1, 100) AS i CREATE (:Person {uid: i})")
    world.set_up()
    world.operator.start()
    world.settled("primary")
    world.await_condition("FailoverReady", "True")
    quiet(world)


def quiet(world: World) -> None:
    """Wait until nothing has been written for 3 s."""
    last, at = None, time.monotonic()

    def steady() -> bool:
        nonlocal last, at
        version = world.kubectl("get", "n4dr,n4c", "-o", "jsonpath={.items[*].metadata.resourceVersion}")
        if version != last:
            last, at = version, time.monotonic()
        return time.monotonic() - at > 3

    wait_for("nothing is written any more", steady, 60, 0.5)


def news(world: World) -> Any:
    """What the world itself has told: conditions with their reasons and times, verdicts with theirs."""
    items = json.loads(world.kubectl("get", "n4dr,n4c", "-o", "json"))["items"]
    statuses = [item.get("status") or {} for item in items]
    verdicts = [[(site["site"], site["verdict"]) for site in status.get("health") or []] for status in statuses]
    return [status.get("conditions") for status in statuses], verdicts


def written(world: World, act: Callable[[Requests], None]) -> list[str]:
    """What is written while ``act`` runs. Again, twice at most, where something was told meanwhile that is to be told:
    a probe that ran into its limit on a busy machine. What is written without news counts the first time."""
    for _ in range(3):
        before, seen = news(world), Requests(world.plane.audit_log, world.namespace)
        act(seen)
        writes = seen.writes()
        if not writes or news(world) == before:
            break
        quiet(world)
    return writes


def test_nothing_is_written_at_rest(dr: World) -> None:
    at_rest(dr)

    def rest(seen: Requests) -> None:
        beats = dr.sites["primary"].query("MATCH (s:__Neo4jDRSite) RETURN s.heartbeat AS at")[0]["at"]
        time.sleep(REST_SECONDS)
        reads = seen.reads()
        assert sum(reads.values()) <= 5, f"the five Secrets of the pair may be read once a minute: {reads}"
        assert all(name.startswith("get secrets ") for name in reads), reads
        later = dr.sites["primary"].query("MATCH (s:__Neo4jDRSite) RETURN s.heartbeat AS at")[0]["at"]
        assert later - beats > 1000 * REST_SECONDS / 2, "it was not at rest, it was dead"
        dr.sites["primary"].query("CREATE (:Last {uid: $n})", n=(number := time.monotonic_ns()))
        arrived = lambda: dr.sites["secondary"].query("MATCH (l:Last {uid: $n}) RETURN l.uid AS n", n=number)  # noqa: E731
        wait_for("it replicates", arrived, 30)

    assert written(dr, rest) == [], "neither rest, nor a heartbeat or a transaction more, is worth a write"
    label = f'cluster="{DR}",namespace="{dr.namespace}"'
    assert dr.metrics()[f"neo4j_disaster_recovery_replication_lag_seconds{{{label}}}"] < 5


def test_a_new_operator_writes_nothing(dr: World) -> None:
    """Stopped, or killed, and started over an unchanged world: adopted silently, down to the last condition."""
    at_rest(dr)
    before: list[str] = []

    def again(seen: Requests, clean: bool) -> None:
        before.append(dr.kubectl("get", "n4dr,n4c", "-o", "json"))
        if clean:
            assert dr.operator.stop() == 0
        else:
            dr.operator.kill9()
        dr.operator.start()
        wait_for("it replicates again", lambda: len(dr.operator.workers()) == 1, 30)
        number = time.monotonic_ns()
        dr.sites["primary"].query("CREATE (:Again {uid: $n})", n=number)
        wait_for(
            "it replicates",
            lambda: dr.sites["secondary"].query("MATCH (a:Again {uid: $n}) RETURN a.uid AS n", n=number),
            30,
        )
        time.sleep(SETTLED_SECONDS)

    for clean in (True, False):
        assert written(dr, lambda seen, clean=clean: again(seen, clean)) == []
        assert dr.kubectl("get", "n4dr,n4c", "-o", "json") == before[-1]


def test_news_still_count_at_rest(dr: World) -> None:
    """Quiet is not deaf: what changes is told long before the next round at rest would come."""
    at_rest(dr)
    dr.kubectl("annotate", "n4dr", DR, "note=1")
    dr.kubectl("patch", "n4dr", DR, "--type=merge", "-p", '{"spec":{"failover":{"automatic":false}}}')
    dr.await_condition("FailoverReady", "False", "AutomaticDisabled", DEAF_SECONDS)
    generation = json.loads(dr.kubectl("get", "n4dr", DR, "-o", "json"))["metadata"]["generation"]
    assert dr.status()["observedGeneration"] == generation
    dr.sites["secondary"].pause()
    try:
        dr.await_condition("StandbyAvailable", "False", seconds=DEAF_SECONDS)
    finally:
        dr.sites["secondary"].resume()
    dr.await_condition("StandbyAvailable", "True", seconds=DEAF_SECONDS)
    dr.settled("primary")
    began = time.monotonic()
    dr.request("secondary")
    dr.settled("secondary", 60)
    assert time.monotonic() - began < DEAF_SECONDS
