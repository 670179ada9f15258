"""A request is consumed once (P9), whoever wrote it, and no left-over acts again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.actions import Consume
from neo4j_dr_operator.failover.requests import (
    LAST_APPLIED,
    handle_sync,
    handle_target,
    leftovers,
    owner_of,
    pending_sync,
    pending_target,
    read_only_wanted,
    settle,
    supersede_read_only,
)
from neo4j_dr_operator.failover.state import ControlState, Handled, SyncRequest
from neo4j_dr_operator.failover.view import Desired, Requested
from neo4j_dr_operator.recovery.desired import desired_of
from tests.machine_inputs import LOOKED, declared, following, operating, patched, rest, seen, step

TARGET = ("spec", "failover", "target")
FRESH = ControlState(epoch=1, standby="following")


def body(
    target: str | None, applied: dict[str, Any] | None = None, managers: list[dict[str, Any]] | None = None
) -> Any:
    failover = {} if target is None else {"target": target}
    return {"metadata": {"managedFields": managers or []}, "spec": {"failover": failover}} | (
        {} if applied is None else {"applied": applied}
    )


@pytest.mark.parametrize(
    ("applied", "managers", "owner"),
    [
        (None, [], "patch"),
        ({"spec": {"failover": {"target": "secondary"}}}, [], "declared"),
        ({"spec": {"failover": {"target": "primary"}}}, [], "patch"),
        ({"spec": {"failover": {}}}, [], "patch"),
        (None, [{"operation": "Apply", "fieldsV1": {"f:spec": {"f:failover": {"f:target": {}}}}}], "declared"),
        (None, [{"operation": "Update", "fieldsV1": {"f:spec": {"f:failover": {"f:target": {}}}}}], "patch"),
        (None, [{"operation": "Apply", "fieldsV1": {"f:spec": {"f:failover": {"f:automatic": {}}}}}], "patch"),
    ],
)
def test_who_wrote_a_field(applied: dict[str, Any] | None, managers: list[dict[str, Any]], owner: str) -> None:
    assert owner_of(body("secondary", managers=managers), TARGET, applied) == owner


def managed(manager: str, minute: int, *path: str) -> dict[str, Any]:
    """What a client that does not apply on the server wrote, and when."""
    fields: dict[str, Any] = {}
    for name in reversed(path):
        fields = {f"f:{name}": fields}
    at = f"2026-01-01T00:{minute:02}:00Z"
    return {"manager": manager, "operation": "Update", "time": at, "fieldsV1": fields}


ANNOTATION = ("metadata", "annotations", LAST_APPLIED)


@pytest.mark.parametrize(
    ("managers", "owner"),
    [
        ([managed("kubectl-client-side-apply", 1, *ANNOTATION), managed("kubectl-patch", 9, *TARGET)], "patch"),
        ([managed("kubectl-client-side-apply", 1, *ANNOTATION), managed("kubectl-edit", 9, *TARGET)], "patch"),
        # patched first, applied over it; applied by another tool with the same text; written by a program of its own
        ([managed("kubectl-client-side-apply", 9, *ANNOTATION), managed("kubectl-patch", 1, *TARGET)], "declared"),
        ([managed("kubectl-client-side-apply", 1, *ANNOTATION), managed("ci", 9, *TARGET)], "declared"),
        ([managed("kubectl-patch", 9, *TARGET)], "declared"),
        (
            [
                managed("kubectl-client-side-apply", 1, *ANNOTATION),
                managed("kubectl-patch", 9, *TARGET),
                managed("kubectl-client-side-apply", 9, *TARGET),
            ],
            "declared",
        ),
    ],
)
def test_a_patch_of_what_the_manifest_says_too(managers: list[dict[str, Any]], owner: str) -> None:
    applied = {"spec": {"failover": {"target": "secondary"}}}
    assert owner_of(body("secondary", managers=managers), TARGET, applied) == owner


def test_what_was_patched_away_can_be_patched_in_again_and_is_not_flipped_by_the_manifest() -> None:
    state = accept(settle(FRESH, Desired()), declared("secondary"))
    state = accept(state, patched("primary"))
    state = accept(quiet(state, Desired()), patched("secondary"))
    quiet(quiet(state, Desired()), Desired(target=declared("secondary")))


@pytest.mark.parametrize("emergency", [False, True])
def test_a_value_that_only_loses_its_owner_is_no_request(emergency: bool) -> None:
    """A manifest takes back what it once asked for, and somebody else holds the field as well."""
    state = accept(settle(FRESH, Desired()), declared("secondary", emergency))
    left = Desired(target=patched("secondary", emergency))
    assert Consume("target", "secondary") in leftovers(quiet(state, left), left)


def accept(state: ControlState, request: Requested) -> ControlState:
    wanted = Desired(target=request)
    assert pending_target(settle(state, wanted), wanted) == request
    return handle_target(settle(state, wanted), request, "Accepted", 0.0)


def quiet(state: ControlState, wanted: Desired) -> ControlState:
    settled = settle(state, wanted)
    assert pending_target(settled, wanted) is None
    assert pending_sync(settled, wanted) is None
    return settled


@pytest.mark.parametrize("request_", [patched("secondary"), declared("secondary"), patched("primary", True)])
def test_whatever_stands_there_at_the_first_look_is_no_request(request_: Requested) -> None:
    """A resource restored from a backup or made by `kubectl create` has no apply owner, and still must not decide."""
    wanted = Desired(target=request_, sync=Requested("reverse", request_.owner))
    state = quiet(FRESH, wanted)
    taken_out = {action.field for action in leftovers(state, wanted)}
    assert taken_out == ({"target", "sync"} if request_.owner == "patch" else set())


def test_the_same_printed_line_works_every_time() -> None:
    state = settle(FRESH, Desired())
    for _ in range(3):
        for value in ("secondary", "primary"):
            state = accept(state, patched(value))
            left = Desired(target=patched(value))
            assert Consume("target", value) in leftovers(quiet(state, left), left)
            state = quiet(state, Desired())


def test_the_same_value_again_after_its_consumption_is_a_request() -> None:
    state = accept(settle(FRESH, Desired()), patched("secondary"))
    state = accept(quiet(state, Desired()), patched("secondary"))
    assert state.handled.target == "secondary"


def test_a_declared_value_counts_once_per_changed_value() -> None:
    state = settle(FRESH, Desired(target=declared("primary")))
    state = accept(state, declared("secondary"))
    for _ in range(3):
        assert leftovers(state, Desired(target=declared("secondary"))) == ()
        state = quiet(state, Desired(target=declared("secondary")))
    accept(state, declared("primary"))


def test_a_reapplied_manifest_does_not_flip_back_what_a_patch_asked_for() -> None:
    git = Desired(target=declared("secondary"))
    state = accept(settle(FRESH, Desired()), declared("secondary"))
    state = accept(state, patched("primary"))
    state = quiet(state, git)  # applied over the patch before it was taken out
    state = accept(state, patched("primary"))
    state = quiet(quiet(state, Desired()), git)  # taken out first, applied after
    accept(state, patched("primary"))


def test_a_declared_sync_is_remembered_too() -> None:
    git = Desired(sync=declared("reverse"))
    state = handle_sync(settle(FRESH, Desired()), declared("reverse"))
    state = quiet(quiet(quiet(state, git), Desired()), git)
    assert pending_sync(state, Desired(sync=patched("forward"))) is not None


def test_emergency_added_to_a_standing_request_is_a_new_one() -> None:
    state = accept(settle(FRESH, Desired()), patched("secondary"))
    state = accept(state, patched("secondary", emergency=True))
    quiet(state, Desired(target=patched("secondary", emergency=True)))


def test_emergency_patched_beside_a_declared_target_is_a_request_and_taken_out() -> None:
    git = Desired(target=declared("secondary"))
    state = quiet(accept(settle(FRESH, Desired()), declared("secondary")), git)
    urgent = Desired(target=declared("secondary", emergency=True), lone_emergency=True)
    assert pending_target(settle(state, urgent), urgent) is not None
    state = handle_target(state, declared("secondary", emergency=True), "Accepted", 0.0)
    assert leftovers(quiet(state, urgent), urgent) == (Consume("emergency", "true"),)
    state = quiet(state, git)
    assert pending_target(settle(state, urgent), urgent) is not None


def test_nothing_is_taken_out_while_an_operation_is_under_way() -> None:
    wanted = Desired(target=patched("secondary"), lone_emergency=True)
    assert leftovers(operating("switchover", "Draining"), wanted) == ()


def test_a_lone_emergency_is_no_request_and_taken_out() -> None:
    state = following()
    decision = rest(state, Desired(lone_emergency=True), seen())
    assert decision.state == state
    assert Consume("emergency", "true") in decision.actions


def test_a_request_for_the_active_site_changes_nothing_and_is_taken_out() -> None:
    decision = rest(following(), Desired(target=patched("primary")), seen())
    assert decision.state.operation is None
    assert decision.state.epoch == 1
    assert Consume("target", "primary") in decision.actions


def test_an_unfinished_sync_is_not_taken_out_and_a_finished_one_is() -> None:
    wanted = Desired(sync=patched("forward"))
    handled = Handled(target="", sync="forward", sync_owner="patch")
    for complete in (False, True):
        sync = SyncRequest(direction="forward", requested_at=0.0, complete=complete)
        actions = leftovers(following(sync=sync, handled=handled), wanted)
        assert actions == ((Consume("sync", "forward"),) if complete else ())


def test_a_promotion_ends_the_read_only_that_stood_before_it() -> None:
    wanted = Desired(read_only={"primary": "patch", "secondary": "declared"})
    state = supersede_read_only(following(), wanted)
    assert not read_only_wanted(state, wanted, "primary")
    assert leftovers(state, wanted) == (Consume("readOnly", "true", "primary"),)
    declared_only = Desired(read_only={"primary": None, "secondary": "declared"})
    state = settle(state, declared_only)
    assert not read_only_wanted(state, declared_only, "secondary")
    assert read_only_wanted(settle(state, Desired()), wanted, "primary")


def spec(failover: dict[str, Any]) -> DisasterRecoverySpec:
    regions = {"primaryRegion": "us-east-1", "secondaryRegion": "us-west-2"}
    return DisasterRecoverySpec.read(
        {"primaryClusterRef": "a", "secondaryClusterRef": "b", "crossRegion": regions, "failover": failover}
    )


@pytest.mark.parametrize(
    ("failover", "applied", "emergency", "lone"),
    [
        ({"target": "secondary", "emergency": True}, {}, True, False),
        ({"target": "primary", "emergency": True}, {"target": "secondary", "emergency": True}, False, False),
        ({"target": "secondary", "emergency": True}, {"target": "secondary"}, True, True),
        ({"emergency": True}, {}, None, True),
        ({"emergency": True}, {"emergency": True}, None, False),
    ],
)
def test_emergency_belongs_to_the_target_it_was_written_with(
    failover: dict[str, Any], applied: dict[str, Any], emergency: bool | None, lone: bool
) -> None:
    text = json.dumps({"spec": {"failover": applied}})
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": text}
    resource = {"metadata": {"annotations": annotations}, "spec": {"failover": failover}}
    cluster = (resource, ClusterSpec.read({"auth": {"adminSecret": "neo4j-admin-secret"}}))
    wanted = desired_of(resource, spec(failover), {"primary": cluster, "secondary": cluster})
    assert (wanted.target.emergency if wanted.target else None) == emergency
    assert wanted.lone_emergency == lone


def test_an_accepted_request_is_not_accepted_again_while_it_stands() -> None:
    wanted = Desired(target=patched("secondary"))
    first = step(following(handled=LOOKED), wanted, seen())
    assert first.state.operation is not None
    second = step(first.state, wanted, seen())
    assert second.state.operation is not None
    assert second.state.operation.epoch == first.state.operation.epoch
