"""At rest nothing is written, little is read, and a new operator over an unchanged world writes nothing either."""

from __future__ import annotations

import json
import time

from tests.scenario.audit import Requests
from tests.scenario.world import DR, World, wait_for

REST_SECONDS = 30.0


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


def test_nothing_is_written_at_rest(dr: World) -> None:
    at_rest(dr)
    beats = dr.sites["primary"].query("MATCH (s:__Neo4jDRSite) RETURN s.heartbeat AS at")[0]["at"]
    seen = Requests(dr.plane.audit_log, dr.namespace)
    time.sleep(REST_SECONDS)
    assert seen.writes() == []
    reads = seen.reads()
    assert sum(reads.values()) <= 5, f"the five Secrets of the pair may be read once a minute: {reads}"
    assert all(name.startswith("get secrets ") for name in reads), reads
    later = dr.sites["primary"].query("MATCH (s:__Neo4jDRSite) RETURN s.heartbeat AS at")[0]["at"]
    assert later - beats > 1000 * (REST_SECONDS - 5), "it was not at rest, it was dead"
    assert (
        dr.metrics()[f'neo4j_disaster_recovery_replication_lag_seconds{{cluster="{DR}",namespace="{dr.namespace}"}}']
        < 5
    )
    dr.sites["primary"].query("CREATE (:Last {uid: 1})")
    wait_for("it replicates", lambda: dr.sites["secondary"].query("MATCH (l:Last) RETURN l.uid AS n"), 20)
    assert seen.writes() == [], "a heartbeat or a transaction more was worth a write"


def test_a_new_operator_writes_nothing(dr: World) -> None:
    """Stopped and started over an unchanged world: adopted silently, down to the last condition."""
    at_rest(dr)
    before = dr.kubectl("get", "n4dr,n4c", "-o", "json")
    for clean in (True, False):
        seen = Requests(dr.plane.audit_log, dr.namespace)
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
            lambda n=number: dr.sites["secondary"].query("MATCH (a:Again {uid: $n}) RETURN a.uid AS n", n=n),
            30,
        )
        time.sleep(12)
        assert seen.writes() == []
        assert dr.kubectl("get", "n4dr,n4c", "-o", "json") == before


def test_news_still_count_at_rest(dr: World) -> None:
    """Quiet is not deaf: what changes is told within a moment, each within two probes at most."""
    at_rest(dr)
    dr.kubectl("annotate", "n4dr", DR, "note=1")
    dr.kubectl("patch", "n4dr", DR, "--type=merge", "-p", '{"spec":{"failover":{"automatic":false}}}')
    dr.await_condition("FailoverReady", "False", "AutomaticDisabled", 3)
    generation = json.loads(dr.kubectl("get", "n4dr", DR, "-o", "json"))["metadata"]["generation"]
    assert dr.status()["observedGeneration"] == generation
    dr.sites["secondary"].pause()
    try:
        dr.await_condition("StandbyAvailable", "False", seconds=25)
    finally:
        dr.sites["secondary"].resume()
    dr.await_condition("StandbyAvailable", "True", seconds=25)
    dr.settled("primary")
    began = time.monotonic()
    dr.request("secondary")
    dr.settled("secondary", 60)
    assert time.monotonic() - began < 20
