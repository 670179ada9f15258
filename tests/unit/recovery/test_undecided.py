"""A resource about which nothing can be decided, through its controller: one patch says so in every condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from neo4j_dr_operator.errors import NotFound
from neo4j_dr_operator.metrics import Metrics
from neo4j_dr_operator.recovery.controller import RecoveryController, Wiring
from tests.machine_inputs import following

Change = Callable[[dict[str, Any]], None]
TRUE = ("Ready", "FailoverReady", "ReplicationSynced", "SyncComplete", "PrimaryAvailable", "WithinRPO")
"""What the status said while all was well."""


class Api:
    """The resource, and nothing else, as the API server would keep it; `stored` is set once its status was patched."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body, self.stored = body, asyncio.Event()

    async def patch_status(self, *where: str) -> dict[str, Any]:
        status: Mapping[str, Any] = where[-2]  # type: ignore[assignment]
        merged = {**self.body["status"], **status}
        self.body["status"] = {key: value for key, value in merged.items() if value is not None}
        self.body["metadata"]["resourceVersion"] = str(int(where[-1]) + 1)
        self.stored.set()
        return self.body

    async def get(self, *where: str) -> dict[str, Any]:
        raise NotFound(where[-1])

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        raise NotFound(name)

    async def event(self, *told: object) -> None:
        return None

    async def patch_json(self, *where: object) -> dict[str, Any]:
        raise AssertionError("nothing is taken up")


def cluster(name: str, region: str) -> dict[str, Any]:
    spec = {"auth": {"adminSecret": "s"}, "disasterRecovery": {"enabled": True, "region": region}}
    return {"metadata": {"name": name, "uid": name, "generation": 1, "resourceVersion": "1"}, "spec": spec}


def resource() -> dict[str, Any]:
    """One that replicates, and was just changed."""
    conditions = [
        {"type": kind, "status": "True", "reason": "Well", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in TRUE
    ]
    return {
        "metadata": {"namespace": "ns", "name": "dr", "uid": "u", "generation": 2, "resourceVersion": "7"},
        "spec": {
            "primaryClusterRef": "east",
            "secondaryClusterRef": "west",
            "crossRegion": {"primaryRegion": "r1", "secondaryRegion": "r2"},
            "failover": {"automatic": True, "rpo": "1m"},
            "replication": {"compression": True},
        },
        "status": {
            "phase": "Replicating",
            "epoch": 1,
            "activeSite": "primary",
            "activeCluster": "east",
            "conditions": conditions,
            "replication": [{"site": "secondary", "cluster": "west", "state": "streaming", "lagSeconds": 0.4}],
            "health": [{"site": site, "verdict": "UP", "evidence": "answers"} for site in ("primary", "secondary")],
            "shipping": {"state": "shipping", "site": "primary", "epoch": 1, "ageSeconds": 31.0, "gap": 4},
            "control": following().model_dump(mode="json", by_alias=True),
        },
    }


def told(body: dict[str, Any], clusters: dict[str, dict[str, Any]], metrics: Metrics) -> dict[str, Any]:
    """The status after the first round of a controller."""

    async def run() -> dict[str, Any]:
        api = Api(body)
        wiring = Wiring(api, "operator", lambda _, name: clusters.get(name))  # type: ignore[arg-type]
        controller = RecoveryController(wiring, metrics.of("ns", "dr"), body)
        try:
            async with asyncio.timeout(10):
                await api.stored.wait()
        finally:
            await controller.close()
        return dict(api.body["status"])

    return asyncio.run(run())


def wrong_region(body: dict[str, Any]) -> None:
    body["spec"]["crossRegion"]["secondaryRegion"] = "elsewhere"


def no_cluster(body: dict[str, Any]) -> None:
    body["spec"]["secondaryClusterRef"] = "nobody"


def no_spec(body: dict[str, Any]) -> None:
    body["spec"]["failover"]["rpo"] = "soon"


@pytest.mark.parametrize(
    ("change", "reason", "rpo"),
    [
        (wrong_region, "RegionMismatch", "LagUnknown"),
        (no_cluster, "ReferenceUnresolved", "LagUnknown"),
        (no_spec, "InvalidSpec", "InvalidSpec"),
    ],
)
def test_every_condition_says_that_nothing_is_decided(change: Change, reason: str, rpo: str) -> None:
    body = resource()
    change(body)
    status = told(body, {"east": cluster("east", "r1"), "west": cluster("west", "r2")}, Metrics())
    found = {each["type"]: each for each in status["conditions"]}
    truth = {kind: (each["status"], each["reason"]) for kind, each in found.items()}
    assert truth["Ready"] == truth["FailoverReady"] == ("False", reason)
    assert found["FailoverReady"]["message"] == found["Ready"]["message"] == status["message"]
    assert truth["ReplicationSynced"] == truth["SyncComplete"] == ("Unknown", reason)
    assert truth["PrimaryAvailable"] == ("Unknown", "Unknown"), "not seen by this process"
    assert truth["ReplicationHealthy"] == ("False", "NoLink")
    assert truth["WithinRPO"] == ("Unknown", rpo)
    assert {each.get("observedGeneration") for each in found.values()} == {2, status["observedGeneration"]} == {2}
    assert (status["phase"], status["epoch"], status["activeCluster"]) == ("Undecided", 1, "east")
    assert status["control"]["epoch"] == 1
    assert {item["verdict"] for item in status["health"]} == {"UNKNOWN"}
    (link,) = status["replication"]
    assert (link["cluster"], link["lagSeconds"]) == ("west", None)
    shipping = status["shipping"]
    assert (shipping["state"], shipping["ageSeconds"], shipping["gap"]) == ("stopped", None, 4)
    listed = None if reason == "InvalidSpec" else ["spec.replication.compression"]
    assert status.get("notYetSupported") == listed


def test_a_resource_that_never_began_is_pending() -> None:
    body = resource()
    body["status"] = {}
    status = told(body, {}, Metrics())
    assert status["phase"] == "Pending"
    assert {each["reason"] for each in status["conditions"] if each["type"] in TRUE[:4]} == {"ReferenceUnresolved"}


def test_the_active_region_is_that_of_the_cluster_where_the_resource_names_none() -> None:
    body = resource()
    del body["spec"]["crossRegion"]
    status = told(body, {"east": cluster("east", "r1"), "west": cluster("west", "r2")}, Metrics())
    assert (status["activeCluster"], status.get("activeRegion")) == ("east", "r1")
