"""Safety that is asked for and not given makes `Ready` False and names the field, on a pair that replicates."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.scenario.world import CLUSTERS, DR, World, wait_for

UNSAFE: dict[str, dict[str, Any]] = {
    "spec.crossRegion.replicationMode": {"crossRegion": {"replicationMode": "sync"}},
    "spec.crossRegion.networking.encryption.atRest": {"crossRegion": {"networking": {"encryption": {"atRest": True}}}},
    "spec.crossRegion.networking.networkPolicies": {
        "crossRegion": {"networking": {"networkPolicies": {"enabled": True, "allowedCIDRs": ["10.0.0.0/8"]}}}
    },
    "spec.replication.consistency": {"replication": {"consistency": "strong"}},
    "spec.failover.rpo": {"failover": {"rpo": "0s"}},
    "spec.failover.quorum.enabled": {"failover": {"quorum": {"enabled": True}}},
    "spec.failover.quorum.witnesses": {"failover": {"quorum": {"witnesses": 3}}},
    "spec.failover.fencing": {"failover": {"fencing": {"enabled": True}}},
}
"""What asks for it in a resource, by the field that is named."""
NOTHING: dict[str, Any] = {
    "crossRegion": {"replicationMode": None, "networking": None},
    "replication": {"consistency": None},
    "failover": {"rpo": None, "fencing": None, "quorum": {"enabled": None, "witnesses": None}},
}
"""The patch that takes each of them out again."""
REFUSING = {"spec.failover.quorum.enabled": "QuorumNotCounted", "spec.failover.fencing": "FenceNotObservable"}
"""Those without which nothing may be promoted by itself."""


def patch(world: World, what: str, name: str, spec: dict[str, Any]) -> None:
    world.kubectl("patch", what, name, "--type=merge", "-p", json.dumps({"spec": spec}))


def told(world: World, field: str) -> dict[str, str]:
    """`FailoverReady` once `Ready` is False for that field alone."""

    def look() -> dict[str, Any] | None:
        status = world.status()
        found = {each["type"]: each for each in status["conditions"]}
        ready, listed = found["Ready"], status.get("notYetSupported")
        named = ready["reason"] == "NotYetSupported" and f"by {field};" in ready["message"]
        return found["FailoverReady"] if (ready["status"], named, listed) == ("False", True, [field]) else None

    return wait_for(f"{field} is named", look, 15, instead=world.told)


def test_each_field_of_a_resource_is_named(dr: World) -> None:
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "True")
    for field, asked in UNSAFE.items():
        patch(dr, "n4dr", DR, asked)
        able = told(dr, field)
        assert able["status"] == ("False" if field in REFUSING else "True"), field
        assert able["reason"] == REFUSING.get(field, able["reason"])
        patch(dr, "n4dr", DR, NOTHING)
        dr.await_condition("Ready", "True", seconds=15)


def test_roles_of_a_cluster_are_named(dr: World) -> None:
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    roles = [{"name": "admin", "permissions": ["cluster:failover"]}]
    patch(dr, "n4c", CLUSTERS["secondary"], {"auth": {"rbac": {"enabled": True, "roles": roles}}})

    def ready() -> dict[str, Any]:
        status = dr.get("n4c", CLUSTERS["secondary"])["status"]
        return next(each for each in status["conditions"] if each["type"] == "Ready")

    found = wait_for("it is named", lambda: r if (r := ready())["reason"] == "NotYetSupported" else None, 15)
    assert found["status"] == "False"
    assert "by spec.auth.rbac;" in found["message"]


def test_a_fence_that_is_asked_for_and_never_observed_keeps_the_standby_from_being_promoted(dr: World) -> None:
    """By itself: a request promotes it."""
    dr.set_up(fencing={"enabled": True})
    dr.operator.start()
    dr.settled("primary")
    dr.await_condition("FailoverReady", "False", "FenceNotObservable")
    dr.sites["primary"].kill9()
    try:
        dr.await_condition("PrimaryAvailable", "False", "Down", 30)
        dr.await_condition("ReplicationHealthy", "False", seconds=30)
        end = time.monotonic() + 20  # longer than a promotion takes that nothing keeps from happening
        while time.monotonic() < end:
            status = dr.status()
            assert (status["activeSite"], status["phase"]) == ("primary", "Degraded")
            assert status["failover"].get("history", []) == []
        dr.request("secondary", emergency=True)
        wait_for("promoted by request", lambda: dr.status()["activeSite"] == "secondary", 60)
    finally:
        dr.sites["primary"].start()
    dr.await_phase("Replicating", 90)
