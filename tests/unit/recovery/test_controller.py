"""One resource's rounds over an API server in which things happen between two of its calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from unittest.mock import Mock

import pytest

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.requests import LAST_APPLIED
from neo4j_dr_operator.failover.state import ControlState, Handled, SyncRequest
from neo4j_dr_operator.metrics import Metrics
from neo4j_dr_operator.recovery.controller import RecoveryController, Wiring
from tests.fake_api import NAMESPACE, RECOVERY, FakeApi
from tests.machine_inputs import following, operating

DR, PAIR = "dr", {"primaryClusterRef": "east", "secondaryClusterRef": "west"}
NOTHING_LISTENS = "bolt://127.0.0.1:9"
TOLD = [
    {"type": kind, "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    for kind in ("Ready", "SyncComplete")
]


class World:
    """Two clusters that do not answer, and one resource in a state; its controller runs inside `running`."""

    def __init__(self, state: ControlState, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None):
        self.api = FakeApi()
        for name, role in (("east", "primary"), ("west", "secondary")):
            own = {"enabled": True, "role": role}
            external, auth = {"uri": NOTHING_LISTENS}, {"adminSecret": "secret"}
            self.api.create(CLUSTER.plural, name, {"external": external, "auth": auth, "disasterRecovery": own})
        control = state.model_dump(mode="json", by_alias=True, exclude_none=True)
        status = {"control": control, "conditions": TOLD, "observedGeneration": 1}
        self.api.create(RECOVERY, DR, {**PAIR, **spec}, **status)
        self.api.change(RECOVERY, DR, metadata={"annotations": dict(annotations or {})})
        self.controller: RecoveryController

    @property
    def body(self) -> dict[str, Any]:
        return self.api.objects[RECOVERY, DR]

    def event(self, **changes: Any) -> Callable[[], None]:
        """Somebody changes the resource, and its event comes in at once."""

        def happens() -> None:
            self.controller.update(self.api.change(RECOVERY, DR, **changes))

        return happens

    def running(self, until: Callable[[], Awaitable[object]]) -> None:
        """Let the controller run from the body of its first event until something was seen."""

        def cluster(namespace: str, name: str) -> dict[str, Any] | None:
            return self.api.objects.get((CLUSTER.plural, name))

        async def run() -> None:
            wiring = Wiring(self.api, "operator", cluster)
            self.controller = RecoveryController(wiring, Metrics().of(NAMESPACE, DR), self.body)
            try:
                async with asyncio.timeout(20):
                    await until()
            finally:
                await self.controller.close()

        asyncio.run(run())


def test_what_git_takes_back_while_the_references_are_followed_is_no_request() -> None:
    """The old value of a spec is never read with the owners of a newer one."""
    failover = {"target": "secondary", "emergency": True}
    handled = Handled(
        target="secondary", target_owner="declared", target_declared="secondary", sync="", target_emergency=False
    )
    applied = {LAST_APPLIED: json.dumps({"spec": {"failover": failover}})}
    world = World(following(handled=handled), {"failover": failover}, applied)
    taken_back = world.event(spec={"failover": None}, metadata={"annotations": {LAST_APPLIED: json.dumps({})}})
    world.api.between["secret"] = taken_back
    world.running(world.api.stored.wait)
    control = ControlState.model_validate(world.api.written[0]["control"])
    assert (control.operation, control.handled.target) == (None, "")


def test_a_new_request_and_its_generation_are_told_in_one() -> None:
    """`kubectl wait --for=condition=SyncComplete` behind a patch must not see the sync before (P11)."""
    state = following(sync=SyncRequest(direction="forward", requested_at=1.0, goal="c", goal_tx=1, complete=True))
    world = World(state, {})
    world.api.between["secret"] = world.event(spec={"sync": {"direction": "forward"}})
    world.running(world.api.stored.wait)
    status = world.api.written[0]
    complete = next(each for each in status["conditions"] if each["type"] == "SyncComplete")
    assert (status["observedGeneration"], complete["status"]) == (2, "False")


@pytest.mark.parametrize("moved", [True, False])
def test_a_state_that_was_moved_on_before_the_answer_came_is_taken_over(moved: bool) -> None:
    """Otherwise the next round writes an older epoch over it."""
    newer = following(epoch=4, active="secondary").model_dump(mode="json", by_alias=True, exclude_none=True)
    request = {"failover": {"target": "secondary"}} if moved else {"replication": {"interval": "30s"}}
    world = World(following(epoch=2), {})
    world.api.between["secret"] = world.event(spec=request)

    async def until() -> None:
        world.api.between[f"patch {RECOVERY}"] = world.event(status={"control": newer}, metadata={"labels": {"a": "b"}})
        await world.api.stored.wait()
        rounds = world.api.calls.count(f"patch {RECOVERY}")
        while world.api.calls.count(f"patch {RECOVERY}") == rounds:
            world.api.stored.clear()
            world.event(spec={"failover": {"automatic": True}})()
            await world.api.stored.wait()

    world.running(until)
    epochs = [status["control"]["epoch"] for status in world.api.written]
    assert (epochs[0], world.body["status"]["control"]["epoch"]) == (2, 4), epochs


def test_a_successor_of_the_same_name_gets_nothing_from_the_controller_of_a_deleted_one() -> None:
    """Its own first look has to find a spec without a memory: what stands there then is no request (P7)."""
    world = World(following(handled=Handled()), {})

    def replaced() -> None:
        world.api.delete(RECOVERY, DR)
        world.api.create(RECOVERY, DR, {**PAIR, "failover": {"target": "secondary"}})

    async def until() -> None:
        world.api.between["secret"] = replaced
        while f"get {RECOVERY}" not in world.api.calls:
            await asyncio.sleep(0)
        await world.controller.close()

    world.running(until)
    assert world.body["status"] == {}


@pytest.mark.parametrize("stopped", [True, False])
def test_a_drain_waits_for_a_shipper_that_is_being_started(stopped: bool) -> None:
    """Started a moment before the primary died, it has no process yet, and will ship to the archive all the same."""
    told: list[bool] = []
    controller: Any = Mock(_spec=DisasterRecoverySpec.read(PAIR), _desired=None)
    controller._shipper = Mock(stopped=stopped, worker=None)
    controller._drainer.want = lambda _, *, shipping: told.append(shipping)
    state = operating("failover", "Draining")
    RecoveryController._act(controller, Decision(state, "Draining"))
    controller._shipper.want.assert_called_once_with(None)
    assert told == [not stopped]
