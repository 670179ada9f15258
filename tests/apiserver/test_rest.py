"""At rest on a real API server: many resources that wait, and one writer of statuses call by call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab import ControlPlane, Lab
from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import DISASTER_RECOVERY, KINDS
from neo4j_dr_operator.errors import Conflict, Gone, NotServed
from neo4j_dr_operator.failover.actions import Consume
from neo4j_dr_operator.failover.requests import owner_of
from neo4j_dr_operator.handlers.memo import Memo
from neo4j_dr_operator.kube.client import Kube
from neo4j_dr_operator.kube.status import same
from neo4j_dr_operator.metrics import Metrics
from neo4j_dr_operator.recovery import due
from neo4j_dr_operator.recovery.desired import last_applied
from neo4j_dr_operator.reporting.statuses import StatusWriter
from tests.bench.usage import cpu_seconds
from tests.scenario.audit import Requests
from tests.scenario.world import Operator, wait_for

ROOT = Path(__file__).parents[2]
MANY = 50
QUIET_SECONDS = 20.0
WITHIN = 15.0
REST_SECONDS, SHARE = 60.0, 0.02
"""All of them at rest take less than this share of a core, by the processor time of the process: that of others on the
machine does not count."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """An API server that writes down every request."""
    plane = ControlPlane("rest", audit=True)
    with Lab(plane):
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.established(*(kind.crd_name for kind in KINDS))
        yield plane


def recovery(name: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": DISASTER_RECOVERY.kind,
        "metadata": {"name": name},
        "spec": {"primaryClusterRef": "nowhere-east", "secondaryClusterRef": "nowhere-west"},
    }


def apply(plane: ControlPlane, namespace: str, *items: dict[str, Any]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(items)}
    plane.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(listed))


def test_many_that_wait_for_references(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """Said once each, with one event each; then nothing is written and little read, by a new operator either."""
    apply(plane, namespace, *(recovery(f"waits-{number}") for number in range(MANY)))
    whole = Requests(plane.audit_log, namespace)
    operator = Operator(plane, namespace, tmp_path / "operator.log", 0).start()
    try:
        wait_for("each says so", lambda: statuses(plane, namespace).count("ReferenceUnresolved") == MANY, 60, 0.5)
        time.sleep(due.BEGINNING)
        seen = Requests(plane.audit_log, namespace)
        time.sleep(QUIET_SECONDS)
        assert seen.writes() == []
        assert sum(seen.reads().values()) <= MANY, f"what is missing may be asked for once a minute: {seen.reads()}"
        assert operator.process is not None
        began, used = time.monotonic(), cpu_seconds(operator.process.pid)
        time.sleep(REST_SECONDS)
        share = (cpu_seconds(operator.process.pid) - used) / (time.monotonic() - began)
        assert share < SHARE, f"{MANY} resources at rest take {share:.1%} of a core"
        writes = whole.writes()
        assert len([write for write in writes if write.startswith("patch neo4jdisasterrecoveries status")]) == MANY
        assert len([write for write in writes if write.startswith("create events")]) <= MANY
        assert operator.stop() == 0
        again = Requests(plane.audit_log, namespace)
        operator.start()
        wait_for("it has listed", lambda: any(read.startswith("list ") for read in again.reads()), 30)
        time.sleep(QUIET_SECONDS)
        assert again.writes() == []
    finally:
        assert operator.stop() == 0


def statuses(plane: ControlPlane, namespace: str) -> list[str]:
    """Reason of Ready of each resource."""
    items = json.loads(plane.kubectl("-n", namespace, "get", "n4dr", "-o", "json").stdout)["items"]
    conditions = [each for item in items for each in (item.get("status") or {}).get("conditions") or []]
    return [each["reason"] for each in conditions if each["type"] == "Ready"]


@dataclass
class Stored:
    """One resource on the API server, a writer of its status that has seen it, and what was written since."""

    plane: ControlPlane
    namespace: str
    name: str
    api: Kube
    writer: StatusWriter
    requests: Requests

    def body(self) -> dict[str, Any]:
        """As an event would bring it."""
        got = self.plane.kubectl("-n", self.namespace, "get", "n4dr", self.name, "-o", "json", "--show-managed-fields")
        return dict(json.loads(got.stdout))

    def put(self, **status: Any) -> bool:
        """Let the writer store a status."""
        return asyncio.run(self.writer.store(status))

    @property
    def writes(self) -> int:
        """How often the status was written."""
        return len([write for write in self.requests.writes() if "status" in write])


@pytest.fixture
def stored(plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Stored:
    for where in ("kubernetes.config", "kubernetes.config.kube_config"):  # read from the environment at import only
        monkeypatch.setattr(f"{where}.KUBE_CONFIG_DEFAULT_LOCATION", str(plane.kubeconfig))
    name, api = f"one-{uuid4().hex[:6]}", Kube()
    apply(plane, namespace, recovery(name))
    made = Stored(plane, namespace, name, api, StatusWriter(api, namespace, name), Requests(plane.audit_log, namespace))
    assert made.writer.update(made.body())
    return made


def test_the_same_again_is_not_written(stored: Stored) -> None:
    assert stored.put(phase="Replicating", replication=[{"site": "secondary", "lagSeconds": 0.4, "position": "a"}])
    assert stored.put(phase="Replicating", replication=[{"site": "secondary", "lagSeconds": 0.4, "position": "a"}])
    assert stored.put(phase="Replicating", replication=[{"site": "secondary", "lagSeconds": 1.9, "position": "b"}])
    assert stored.writes == 1, "lag and position alone are not worth a write"
    assert stored.put(phase="Replicating", replication=[{"site": "secondary", "lagSeconds": 31.0, "position": "b"}])
    assert stored.writes == 2
    assert stored.put(phase="Replicating", message=None)
    assert stored.put(phase="Replicating", message="something")
    assert stored.put(phase="Replicating", message=None)
    assert "message" not in stored.body()["status"]


def test_what_an_older_definition_drops_is_not_written_for_ever(stored: Stored) -> None:
    """The API server prunes fields that its definition does not know."""
    for _ in range(3):
        assert stored.put(phase="Replicating", fieldOfANewerVersion="x")
    assert "fieldOfANewerVersion" not in stored.body()["status"]
    assert stored.writes == 1
    assert stored.put(phase="Replicating", fieldOfANewerVersion="y")
    assert stored.writes == 2


def test_our_own_write_is_no_news(stored: Stored) -> None:
    stored.put(phase="Replicating")
    assert not stored.writer.update(stored.body())
    patch(stored, {"spec": {"failover": {"automatic": True}}})
    assert stored.writer.update(stored.body())
    patch(stored, {"metadata": {"annotations": {"note": "1"}}})
    assert stored.writer.update(stored.body())
    assert not stored.writer.update(stored.body())
    stored.plane.kubectl(
        *("-n", stored.namespace, "patch", "n4dr", stored.name, "--subresource=status", "--type=merge"),
        *("-p", '{"status":{"phase":"Edited"}}'),
    )
    assert stored.writer.update(stored.body())


def test_a_conflict_over_the_spec_is_written_and_the_spec_is_still_news(stored: Stored) -> None:
    """What was written had been decided on the older spec."""
    patch(stored, {"spec": {"failover": {"automatic": True}}})
    assert stored.put(phase="Replicating")
    assert stored.body()["status"]["phase"] == "Replicating"
    assert stored.writer.update(stored.body())


def test_a_state_that_another_operator_moved_is_not_overwritten(stored: Stored, plane: ControlPlane) -> None:
    assert stored.put(phase="Replicating", control={"epoch": 1})
    second = StatusWriter(stored.api, stored.namespace, stored.name)
    second.update(stored.body())
    assert asyncio.run(second.store({"phase": "SwitchingOver", "control": {"epoch": 2}}))
    assert not stored.put(phase="FailingOver", control={"epoch": 2})
    assert stored.body()["status"]["phase"] == "SwitchingOver"


class Overtaken(Kube):
    """Events come in before the answer of a write does."""

    meanwhile: Callable[[], Awaitable[object]]

    async def patch_status(self, *args: Any) -> dict[str, Any]:
        """The write, then what happens before its answer is here."""
        try:
            return await super().patch_status(*args)
        finally:
            await self.meanwhile()


def overtaken(stored: Stored, meanwhile: Callable[[], Awaitable[object]]) -> StatusWriter:
    """A writer that knows what is stored now, and is told of what is stored by then before its answer comes."""
    api = Overtaken()
    writer = StatusWriter(api, stored.namespace, stored.name)
    writer.update(stored.body())

    async def events() -> None:
        await meanwhile()
        writer.update(stored.body())

    api.meanwhile = events
    return writer


def test_nor_one_whose_event_came_before_the_conflict(stored: Stored) -> None:
    assert stored.put(phase="Replicating", control={"epoch": 1})
    late = overtaken(stored, lambda: asyncio.sleep(0))
    assert stored.put(phase="SwitchingOver", control={"epoch": 2})
    assert not asyncio.run(late.store({"phase": "FailingOver", "control": {"epoch": 1, "reseed": {"ticket": "t"}}}))
    assert stored.body()["status"] == {"phase": "SwitchingOver", "control": {"epoch": 2}}


def test_an_answer_does_not_hide_a_newer_event(stored: Stored) -> None:
    assert stored.put(phase="Replicating", control={"epoch": 1})

    async def other() -> None:
        stored.writer.update(stored.body())
        assert await stored.writer.store({"phase": "SwitchingOver", "control": {"epoch": 2}})

    first = overtaken(stored, other)
    assert asyncio.run(first.store({"phase": "Degraded"}))
    assert first.status == {"phase": "SwitchingOver", "control": {"epoch": 2}}


def again(stored: Stored) -> dict[str, Any]:
    """Deleted and made again with the same name; the new body."""
    stored.plane.kubectl("-n", stored.namespace, "delete", "n4dr", stored.name, "--timeout=10s")
    apply(stored.plane, stored.namespace, recovery(stored.name))
    return stored.body()


def test_a_successor_of_the_same_name_is_not_written_to(stored: Stored) -> None:
    """Neither over the version of the one before, nor after a look at it."""
    old = stored.body()["metadata"]["resourceVersion"]
    again(stored)
    where = GROUP, VERSION, DISASTER_RECOVERY.plural, stored.namespace, stored.name
    with pytest.raises(Conflict):
        asyncio.run(stored.api.patch_status(*where, {"phase": "Pending"}, old))
    with pytest.raises(Gone):
        stored.put(phase="Replicating", control={"epoch": 1})
    with pytest.raises(Gone):
        asyncio.run(stored.writer.fresh_control())
    patch(stored, {"spec": {"failover": {"target": "secondary"}}})
    asyncio.run(stored.writer.consume(Consume("target", "secondary"), None))
    assert stored.body()["spec"]["failover"]["target"] == "secondary"
    assert "status" not in stored.body()


def test_a_deleted_one_is_gone_and_a_kind_that_is_not_served_is_no_deletion(stored: Stored) -> None:
    stored.plane.kubectl("-n", stored.namespace, "delete", "n4dr", stored.name, "--timeout=10s")
    with pytest.raises(Gone):
        stored.put(phase="Replicating")
    with pytest.raises(NotServed):
        asyncio.run(same(stored.api, GROUP, VERSION, "neo4jnothings", stored.namespace, stored.name, "u"))


def test_a_deletion_that_no_event_told_of_ends_the_controller(stored: Stored) -> None:
    """As after a watch that had to list anew: nobody feeds the memo, and the kind is said to be listed once more."""

    async def run() -> None:
        memo, key = Memo(stored.api, Metrics(), "operator"), (stored.namespace, stored.name)
        memo.start()
        try:
            await memo.recovery_changed(key, stored.body())
            await asyncio.to_thread(again, stored)
            memo.presence.relisted(DISASTER_RECOVERY.plural)
            async with asyncio.timeout(WITHIN):
                while memo.controllers:
                    await asyncio.sleep(0.05)
        finally:
            await memo.close()

    asyncio.run(run())


def test_a_patch_and_an_apply_of_one_value_are_told_apart(stored: Stored) -> None:
    """As field managers have it: what the manifest asks for, patched away and taken out, comes back either way."""
    path, manifest = ("spec", "failover", "target"), recovery(stored.name)
    manifest["spec"]["failover"] = {"target": "secondary"}

    def owner() -> str:
        body = stored.body()
        return owner_of(body, path, last_applied(body))

    apply(stored.plane, stored.namespace, manifest)
    applied = int(time.time())
    assert owner() == "declared"
    patch(stored, {"spec": {"failover": {"target": "primary"}}})
    asyncio.run(stored.writer.consume(Consume("target", "primary"), None))
    wait_for("another second: field managers have no finer time", lambda: int(time.time()) > applied, 3, 0.1)
    patch(stored, {"spec": {"failover": {"target": "secondary"}}})
    assert owner() == "patch"
    asyncio.run(stored.writer.consume(Consume("target", "secondary"), None))
    assert "target" not in stored.body()["spec"]["failover"]
    apply(stored.plane, stored.namespace, manifest)
    assert owner() == "declared"


def patch(stored: Stored, change: dict[str, Any]) -> None:
    """As a user would."""
    stored.plane.kubectl("-n", stored.namespace, "patch", "n4dr", stored.name, "--type=merge", "-p", json.dumps(change))
