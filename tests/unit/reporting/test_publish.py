"""The documents of the statuses: what they say of requests, regions and access."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.recovery_status import DisasterRecoveryStatus
from neo4j_dr_operator.failover.requests import handle_target, settle
from neo4j_dr_operator.failover.state import ControlState, Handled
from neo4j_dr_operator.failover.view import Desired, Seen
from neo4j_dr_operator.reporting.objectives import Objectives
from neo4j_dr_operator.reporting.publish import Context, cluster_status, recovery_status, unattended_status
from tests.machine_inputs import NOW, declared, following, patched, seen, site, standby

PAIR: dict[str, Any] = {"primaryClusterRef": "a", "secondaryClusterRef": "b"}
CLUSTER = ClusterSpec.read({"auth": {"adminSecret": "admin"}})


def context(**more: Any) -> Context:
    since: Any = {"primary": NOW.wall, "secondary": NOW.wall}
    return Context(1, NOW.wall, "why", None, {}, since, {}, Objectives(), **more)


def told(state: ControlState, desired: Desired, spec: dict[str, Any] = PAIR, **more: Any) -> dict[str, Any]:
    status = recovery_status(state, desired, seen(), {}, context(**more), DisasterRecoverySpec.read(spec))
    known = {key: value for key, value in status["failover"].items() if value is not None}
    DisasterRecoveryStatus.model_validate({"failover": known})
    return status


def remembered(state: ControlState, desired: Desired) -> dict[str, Any]:
    found = told(state, desired)["failover"]["remembered"]
    return {key: value for key, value in found.items() if value}


def test_a_target_that_was_there_from_the_beginning_is_told_as_no_request() -> None:
    desired = Desired(target=declared("secondary", emergency=True), sync=patched("reverse"))
    state = settle(following(handled=Handled()), desired)
    assert remembered(state, desired) == {
        "target": "secondary",
        "targetDeclared": "secondary",
        "emergency": True,
        "direction": "reverse",
    }


def test_a_declared_target_that_is_applied_over_a_patch_is_no_request_and_a_patch_is_one() -> None:
    state = settle(following(handled=Handled()), Desired(target=declared("secondary")))
    state = handle_target(state, patched("primary"), "Completed", NOW.wall)
    again = Desired(target=declared("secondary"))
    assert remembered(settle(state, again), again)["targetDeclared"] == "secondary"
    by_hand = Desired(target=patched("secondary"))
    assert remembered(settle(state, by_hand), by_hand) == {"target": "primary"}, "it is pending"


def test_the_region_of_a_cluster_counts_where_the_resource_names_none() -> None:
    assert told(following(), Desired())["activeRegion"] is None
    regions: Any = {"primary": "eu-west-1"}
    assert told(following(), Desired(), regions=regions)["activeRegion"] == "eu-west-1"
    named = PAIR | {"crossRegion": {"primaryRegion": "us-east-1", "secondaryRegion": "us-west-2"}}
    assert told(following(), Desired(), named, regions=regions)["activeRegion"] == "us-east-1"


@pytest.mark.parametrize(
    ("access", "expected"), [("read-only", ("True", "ReadOnly")), ("read-write", ("False", "SupersededByPromotion"))]
)
def test_what_was_seen_of_access_goes_before_what_was_ended(access: str, expected: tuple[str, str]) -> None:
    state = following(handled=Handled(target="", sync="", superseded_read_only=["primary"]))
    desired = Desired(read_only={"primary": "declared", "secondary": None})
    sight: Seen = seen(sites={"primary": site(access=access), "secondary": standby()})
    status = cluster_status("primary", CLUSTER, state, desired, sight, {}, 1, context(), "dr")
    found = {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}
    assert found["ReadOnly"] == expected


def test_a_cluster_that_nothing_refers_to_is_not_promised_to_be_left_alone() -> None:
    """A restore may still be at work in it."""
    assert unattended_status(CLUSTER, {}, 1, NOW.wall)["message"] == "no Neo4jDisasterRecovery refers to this cluster"
