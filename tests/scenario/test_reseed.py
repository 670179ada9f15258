"""A standby that lost its place in the stream: told with the line to type, filled anew by it, or by itself."""

from __future__ import annotations

import json
import time

from tests.compare import assert_equal
from tests.scenario.world import DR, World, wait_for


def interrupt(world: World, number: int) -> None:
    """Something is committed that no stream has."""
    primary = world.sites["primary"]
    primary.query("CALL lab.cdc.configure({mode: 'OFF'})")
    primary.query("MATCH (n:Person) WHERE n.uid % 7 = $n DETACH DELETE n", n=number)
    primary.query("UNWIND range(1, 500) AS i CREATE (:Unseen {uid: i, round: $n})", n=number)
    primary.query("CALL lab.cdc.configure({mode: 'FULL'})")


def copied(world: World) -> None:
    """The standby follows again and holds what the primary does."""
    world.settled("primary")
    world.await_condition("FailoverReady", "True")
    primary, secondary = (world.sites[name] for name in ("primary", "secondary"))
    primary.query("CREATE (:Last)")
    count = "MATCH (n) WHERE NOT n:__Neo4jDR RETURN count(n) AS n"
    wait_for("all is there", lambda: primary.query(count) == secondary.query(count), 30)
    assert_equal(primary.query, secondary.query)


def test_a_lost_place_is_told_and_mended(dr: World) -> None:
    dr.sites["primary"].query("UNWIND range(1, 3000) AS i CREATE (:Person {uid: i})-[:KNOWS]->(:Person {uid: -i})")
    dr.set_up()
    dr.operator.start()
    copied(dr)
    interrupt(dr, 1)
    told = dr.await_condition("ReplicationHealthy", "False", "CaptureInterrupted")["message"]
    assert dr.await_condition("FailoverReady", "False")["reason"] == "StandbyBroken"
    end = time.monotonic() + 8  # a worker is started again and again meanwhile
    while time.monotonic() < end:
        assert (dr.condition("Ready")["reason"], dr.condition("FailoverReady")["status"]) == (
            "CaptureInterrupted",
            "False",
        )
    dr.shell(told[told.index("kubectl patch") :])
    copied(dr)
    wait_for(
        "the request is gone from the spec",
        lambda: "reseed" not in dr.kubectl("get", "n4dr", DR, "-o=jsonpath={.spec.sync}"),
        10,
    )

    dr.kubectl(
        "patch", "n4dr", DR, "--type=merge", "-p", json.dumps({"spec": {"replication": {"reseed": "automatic"}}})
    )
    interrupt(dr, 2)
    wait_for(
        "it is filled anew by itself",
        lambda: (
            any(item.get("lastError", {}).get("reason") == "CaptureInterrupted" for item in dr.status()["replication"])
            and dr.status()["phase"] == "Replicating"
            and dr.sites["secondary"].query("MATCH (n:Unseen {round: 2}) RETURN count(n) AS n") == [{"n": 500}]
        ),
        60,
    )
    copied(dr)

    dr.kubectl("patch", "n4dr", DR, "--type=merge", "-p", '{"spec":{"sync":{"reseed":"primary"}}}')
    said = lambda: any(event["reason"] == "ReseedRefused" for event in dr.all("events"))  # noqa: E731
    wait_for("the active site is not overwritten", said, 20)
    copied(dr)
