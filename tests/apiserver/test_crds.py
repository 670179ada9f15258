"""The generated manifests on a real API server: what it accepts, refuses, defaults, shows and lets be waited for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import ControlPlane
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.kinds import KINDS
from neo4j_dr_operator.api.recovery_status import DisasterRecoveryStatus, FailoverRecord, FailoverStatus

ROOT = Path(__file__).parents[2]
API_VERSION = "neo4j.neo4j.com/v1alpha1"

CLUSTER: dict[str, Any] = {
    "edition": "enterprise",
    "external": {"uri": "bolt+s://db.example.com:7687", "caSecret": "db-ca"},
    "auth": {"adminSecret": "admin"},
    "disasterRecovery": {"enabled": True, "role": "primary", "region": "us-east-1"},
}
RECOVERY: dict[str, Any] = {"primaryClusterRef": "primary-cluster", "secondaryClusterRef": "secondary-cluster"}
RESTORE: dict[str, Any] = {
    "clusterRef": "secondary-cluster",
    "source": {"type": "transaction-logs", "location": {"type": "s3", "bucket": "neo4j-dr-logs"}},
    "pointInTime": "2025-01-15T10:30:00Z",
}
SPECS = {"Neo4jEnterpriseCluster": CLUSTER, "Neo4jDisasterRecovery": RECOVERY, "Neo4jRestore": RESTORE}


def manifest(kind: str, spec: dict[str, Any], name: str = "x") -> str:
    return json.dumps({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})


def apply(plane: ControlPlane, namespace: str, text: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return plane.kubectl("-n", namespace, "apply", "--validate=strict", "-f", "-", input=text, check=check)


def get(plane: ControlPlane, namespace: str, what: str) -> dict[str, Any]:
    answer = json.loads(plane.kubectl("-n", namespace, "get", *what.split("/"), "-o", "json").stdout)
    assert isinstance(answer, dict)
    return answer


def merged(spec: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A merge patch applied: None removes."""
    made = dict(spec)
    for key, value in change.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key, {}), value) if isinstance(value, dict) else value
    return made


def columns(plane: ControlPlane, namespace: str, what: str, *, wide: bool = False) -> dict[str, str]:
    """The one row of ``kubectl get`` by column name."""
    output = plane.kubectl("-n", namespace, "get", what, *(["-o", "wide"] if wide else [])).stdout.splitlines()
    starts = [
        index for index, char in enumerate(output[0]) if char != " " and (index == 0 or output[0][index - 1] == " ")
    ]
    ends = [*starts[1:], None]
    return {output[0][a:b].strip(): output[1][a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_the_manifests_apply_again_without_a_change_or_warning(plane: ControlPlane) -> None:
    again = plane.kubectl("apply", "--validate=strict", "-f", str(ROOT / "crds"))
    assert [line.rsplit(" ", 1)[1] for line in again.stdout.splitlines()] == ["unchanged"] * len(KINDS)
    assert again.stderr == ""
    for kind in KINDS:
        conditions = json.loads(plane.kubectl("get", "crd", kind.crd_name, "-o", "json").stdout)["status"]["conditions"]
        assert {each["type"] for each in conditions if each["status"] == "True"} == {"NamesAccepted", "Established"}


def test_the_server_fills_in_what_the_models_would(plane: ControlPlane, namespace: str) -> None:
    for kind in KINDS:
        apply(plane, namespace, manifest(kind.kind, SPECS[kind.kind]))
        stored = get(plane, namespace, f"{kind.plural}/x")["spec"]
        read = kind.spec.read(SPECS[kind.kind])
        assert stored == read.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert kind.spec.read(stored) == read


def test_requests_leave_no_trace_once_taken_out(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY))
    before = get(plane, namespace, "n4dr/x")["spec"]
    for patch in (
        '{"spec":{"failover":{"emergency":true,"target":"secondary"}}}',
        '{"spec":{"sync":{"direction":"reverse"}}}',
    ):
        plane.kubectl("-n", namespace, "patch", "neo4jdisasterrecovery", "x", "--type=merge", "-p", patch)
    asked = DisasterRecoverySpec.read(get(plane, namespace, "n4dr/x")["spec"])
    assert (asked.failover.target, asked.failover.emergency, asked.sync.direction) == ("secondary", True, "reverse")
    removal = '{"spec":{"failover":{"emergency":null,"target":null},"sync":{"direction":null}}}'
    plane.kubectl("-n", namespace, "patch", "neo4jdisasterrecovery", "x", "--type=merge", "-p", removal)
    assert get(plane, namespace, "n4dr/x")["spec"] == before


def full_status() -> DisasterRecoveryStatus:
    running = FailoverRecord(epoch=3, kind="failover", from_site="primary", to_site="secondary")
    return DisasterRecoveryStatus.read(
        {
            "phase": "Active",
            "activeCluster": "primary-cluster",
            "activeSite": "primary",
            "epoch": 2,
            "message": "streaming",
            "observedGeneration": 1,
            "replication": [{"site": "secondary", "state": "streaming", "lagSeconds": 0.25, "lagTransactions": 1}],
            "health": [{"site": "primary", "verdict": "UP", "evidence": "answered in 2 ms"}],
            "failover": FailoverStatus(history=[running]).wire(),
            "control": {"anything": {"at": [1, "two", None]}},
            "conditions": [
                {
                    "type": kind,
                    "status": "True",
                    "reason": "Streaming",
                    "message": "",
                    "lastTransitionTime": "2026-01-02T12:00:00Z",
                    "observedGeneration": 1,
                }
                for kind in ("Ready", "ReplicationSynced")
            ],
        }
    )


def patch_status(plane: ControlPlane, namespace: str, what: str, status: dict[str, Any]) -> None:
    text = json.dumps({"status": status})
    plane.kubectl("-n", namespace, "patch", *what.split("/"), "--subresource=status", "--type=merge", "-p", text)


def test_a_status_is_stored_as_written_and_unset_values_are_dropped(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY))
    status = full_status()
    patch_status(plane, namespace, "n4dr/x", status.wire())
    stored = get(plane, namespace, "n4dr/x")
    assert DisasterRecoveryStatus.read(stored["status"]) == status
    assert stored["status"]["control"] == {"anything": {"at": [1, "two", None]}}
    assert "result" not in stored["status"]["failover"]["history"][0]
    assert stored["metadata"]["generation"] == 1
    patch_status(plane, namespace, "n4dr/x", status.model_copy(update={"active_site": None, "message": None}).wire())
    cleared = get(plane, namespace, "n4dr/x")["status"]
    assert not {"activeSite", "message"} & set(cleared)


def test_a_status_cannot_be_written_through_the_resource(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY))
    plane.kubectl("-n", namespace, "patch", "n4dr", "x", "--type=merge", "-p", '{"status":{"epoch":9}}')
    assert "status" not in get(plane, namespace, "n4dr/x")


def test_columns_answer_who_is_active_and_how_far_behind(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY))
    assert columns(plane, namespace, "n4dr")["ACTIVE"] == ""
    patch_status(plane, namespace, "n4dr/x", full_status().wire())
    row = columns(plane, namespace, "n4dr", wide=True)
    row.pop("AGE")
    assert row == {
        "NAME": "x",
        "PHASE": "Active",
        "ACTIVE": "primary-cluster",
        "LAG": "0.25",
        "SYNCED": "True",
        "READY": "True",
        "EPOCH": "2",
        "MESSAGE": "streaming",
    }
    assert "MESSAGE" not in columns(plane, namespace, "n4dr")


def test_columns_of_a_cluster(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jEnterpriseCluster", CLUSTER))
    read_only = full_status().wire()["conditions"][0] | {"type": "ReadOnly", "status": "False"}
    patch_status(plane, namespace, "n4c/x", {"role": "primary", "phase": "Ready", "conditions": [read_only]})
    row = columns(plane, namespace, "n4c")
    assert set(row) == {"NAME", "ROLE", "PHASE", "READ-ONLY", "REGION", "AGE"}
    assert (row["ROLE"], row["PHASE"], row["READ-ONLY"], row["REGION"]) == ("primary", "Ready", "False", "us-east-1")
    role = plane.kubectl("-n", namespace, "get", "neo4jenterprisecluster", "x", "-o", "jsonpath={.status.role}")
    assert role.stdout == "primary"


def test_a_condition_can_be_waited_for(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY))
    wait = ("-n", namespace, "wait", "--for=condition=ReplicationSynced", "neo4jdisasterrecovery", "x")
    assert plane.kubectl(*wait, "--timeout=1s", check=False).returncode != 0
    patch_status(plane, namespace, "n4dr/x", full_status().wire())
    assert "condition met" in plane.kubectl(*wait, "--timeout=20s").stdout


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short)
def test_short_names_the_category_and_explanations(plane: ControlPlane, namespace: str, kind: Any) -> None:
    apply(plane, namespace, manifest(kind.kind, SPECS[kind.kind]))
    for name in (kind.short, kind.singular, kind.plural, "neo4j"):
        found = plane.kubectl("-n", namespace, "get", name, "-o", "name").stdout
        assert found.strip() == f"{kind.singular}.neo4j.neo4j.com/x"
    explained = plane.kubectl("explain", f"{kind.plural}.spec", "--recursive").stdout
    for field in kind.spec.model_json_schema(by_alias=True)["properties"]:
        assert f"  {field}\t" in explained


def test_an_explanation_says_what_a_request_does(plane: ControlPlane) -> None:
    explained = " ".join(plane.kubectl("explain", "n4dr.spec.failover.target").stdout.split())
    assert "ENUM: primary secondary" in explained
    assert "Taken out of the spec once carried out" in explained
