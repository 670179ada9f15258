"""The generated manifests on a real API server: what it accepts, refuses, defaults, shows and lets be waited for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from lab import ControlPlane, Lab
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.kinds import KINDS
from neo4j_dr_operator.api.recovery_status import DisasterRecoveryStatus, FailoverRecord, FailoverStatus

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "tests" / "guide" / "blocks"
API_VERSION = "neo4j.neo4j.com/v1alpha1"

NOT_YET_SERVED = {
    "spec.backup",
    "spec.crossRegion.networking",
    "spec.failover.customChecks",
    "spec.failover.rpo",
    "spec.failover.rto",
    "spec.monitoring.alerting",
    "spec.replication.compression",
    "spec.replication.encryption",
    "spec.replication.logShipping",
}
"""Fields of the guide's recovery manifest that nothing acts on yet: refused rather than accepted and passed over."""

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


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """An API server that serves the three kinds."""
    plane = ControlPlane("crds")
    with Lab(plane):
        plane.kubectl("apply", "--validate=strict", "-f", str(ROOT / "crds"))
        for kind in KINDS:
            plane.kubectl("wait", "--for=condition=Established", f"crd/{kind.crd_name}", "--timeout=30s")
        yield plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A namespace of the test's own."""
    name = f"t-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    return name


def witness(**change: str) -> dict[str, Any]:
    return {"failover": {"quorum": {"witness": {"type": "s3", "bucket": "votes"} | change}}}


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


@pytest.mark.parametrize("block", ["01-primary-cluster-setup", "02-secondary-cluster-setup", "13-dr-drill-planning"])
def test_manifests_of_the_guide_are_accepted_as_printed(plane: ControlPlane, block: str) -> None:
    text = (GUIDE / f"{block}.yaml").read_text(encoding="utf-8")
    wanted = yaml.safe_load(text)["metadata"]["namespace"]
    plane.kubectl("create", "namespace", wanted, check=False)
    applied = plane.kubectl("apply", "--validate=strict", "-f", "-", input=text)
    assert (applied.returncode, applied.stderr) == (0, "")


def test_the_restore_of_the_guide_is_accepted_as_printed(plane: ControlPlane) -> None:
    script = (GUIDE / "09-point-in-time-recovery.bash").read_text(encoding="utf-8")
    text = script.split("<<EOF\n")[1].split("\nEOF")[0]
    plane.kubectl("create", "namespace", "neo4j-production", check=False)
    assert plane.kubectl("create", "--validate=strict", "-f", "-", input=text).stderr == ""


def test_the_recovery_of_the_guide_lacks_only_what_nothing_acts_on_yet(plane: ControlPlane) -> None:
    text = (GUIDE / "03-disaster-recovery-configuration.yaml").read_text(encoding="utf-8")
    plane.kubectl("create", "namespace", "neo4j-production", check=False)
    refused = plane.kubectl("apply", "--validate=strict", "-f", "-", input=text, check=False)
    named = {part.split('"')[0] for part in refused.stderr.split('unknown field "')[1:]}
    assert named == NOT_YET_SERVED
    served = yaml.safe_load(text)
    for path in NOT_YET_SERVED:
        *parents, last = path.split(".")
        inner = served
        for key in parents:
            inner = inner[key]
        del inner[last]
    applied = plane.kubectl("apply", "--validate=strict", "-f", "-", input=json.dumps(served))
    assert applied.stderr == ""


def test_the_examples_are_accepted(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "neo4j-production", check=False)
    applied = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(ROOT / "examples"))
    assert len(applied.stdout.splitlines()) == 3
    assert applied.stderr == ""


ACCEPTED = [
    ("Neo4jEnterpriseCluster", {}),
    ("Neo4jEnterpriseCluster", {"external": None}),
    ("Neo4jEnterpriseCluster", {"external": {"uri": "neo4j://db:7687", "caSecret": None}}),
    ("Neo4jEnterpriseCluster", {"external": {"uri": "neo4j+s://[2001:db8::1]:7687"}}),
    ("Neo4jEnterpriseCluster", {"external": {"replicationUri": "bolt+s://link.example.com:17687"}}),
    ("Neo4jEnterpriseCluster", {"readOnly": True}),
    ("Neo4jEnterpriseCluster", {"storage": {"size": "1.5Ti"}, "topology": {"primaries": 1}}),
    ("Neo4jDisasterRecovery", {}),
    ("Neo4jDisasterRecovery", {"replication": {"interval": "100ms", "timeout": "1h30m", "batchSize": 100_000}}),
    ("Neo4jDisasterRecovery", {"failover": {"healthCheck": {"interval": "10s", "timeout": "5s"}}}),
    ("Neo4jDisasterRecovery", {"failover": {"target": "secondary", "emergency": True}}),
    ("Neo4jDisasterRecovery", {"sync": {"direction": "reverse"}}),
    ("Neo4jDisasterRecovery", witness(endpoint="http://127.0.0.1:9000")),
    ("Neo4jRestore", {"options": {"skipIndexes": True}}),
]


@pytest.mark.parametrize(("kind", "change"), ACCEPTED)
def test_accepted(plane: ControlPlane, namespace: str, kind: str, change: dict[str, Any]) -> None:
    assert apply(plane, namespace, manifest(kind, merged(SPECS[kind], change))).stderr == ""


REFUSED = [
    ("Neo4jEnterpriseCluster", {"auth": None}, "spec.auth", "Required value"),
    ("Neo4jEnterpriseCluster", {"auth": {"adminSecret": "Admin"}}, "spec.auth.adminSecret", "should match"),
    ("Neo4jEnterpriseCluster", {"readonly": True}, "spec.readonly", "unknown field"),
    ("Neo4jEnterpriseCluster", {"readOnly": "yes"}, "spec.readOnly", "must be of type boolean"),
    ("Neo4jEnterpriseCluster", {"edition": "desktop"}, "spec.edition", '"enterprise", "community"'),
    ("Neo4jEnterpriseCluster", {"external": {"uri": "http://db:7474"}}, "spec.external.uri", "(bolt|neo4j)"),
    ("Neo4jEnterpriseCluster", {"external": {"uri": "bolt://u:p@db"}}, "spec.external.uri", "should match"),
    ("Neo4jEnterpriseCluster", {"external": {"uri": "bolt://db"}}, "spec.external.caSecret", "write uri as bolt+s://"),
    ("Neo4jEnterpriseCluster", {"external": {"uri": None}}, "spec.external.uri", "Required value"),
    ("Neo4jEnterpriseCluster", {"disasterRecovery": {"role": "standby"}}, "Recovery.role", '"primary", "secondary"'),
    ("Neo4jEnterpriseCluster", {"topology": {"primaries": 0}}, "spec.topology.primaries", "greater than or equal to 1"),
    ("Neo4jEnterpriseCluster", {"storage": {"size": "big"}}, "spec.storage.size", "should match"),
    ("Neo4jDisasterRecovery", {"secondaryClusterRef": None}, "spec.secondaryClusterRef", "Required value"),
    (
        "Neo4jDisasterRecovery",
        {"secondaryClusterRef": "primary-cluster"},
        "spec.secondaryClusterRef",
        "must name another cluster than primaryClusterRef",
    ),
    ("Neo4jDisasterRecovery", {"primaryClusterRef": "a.b"}, "spec.primaryClusterRef", "should match"),
    ("Neo4jDisasterRecovery", {"replication": {"interval": "5 minutes"}}, "replication.interval", "(ms|s|m|h)"),
    ("Neo4jDisasterRecovery", {"replication": {"interval": "0s"}}, "replication.interval", "at least 100ms"),
    ("Neo4jDisasterRecovery", {"replication": {"timeout": "99ms"}}, "replication.timeout", "at least 100ms"),
    ("Neo4jDisasterRecovery", {"replication": {"timeout": 30}}, "replication.timeout", "must be of type string"),
    ("Neo4jDisasterRecovery", {"replication": {"interval": "999999h" * 4}}, "replication.interval", "at least 100ms"),
    ("Neo4jDisasterRecovery", {"replication": {"batchSize": 0}}, "replication.batchSize", "greater than or equal to 1"),
    ("Neo4jDisasterRecovery", {"replication": {"batchSize": 100_001}}, "replication.batchSize", "equal to 100000"),
    ("Neo4jDisasterRecovery", {"replication": {"retries": -1}}, "replication.retries", "greater than or equal to 0"),
    ("Neo4jDisasterRecovery", {"failover": {"target": "third"}}, "failover.target", '"primary", "secondary"'),
    (
        "Neo4jDisasterRecovery",
        {"failover": {"healthCheck": {"consecutiveFailures": 0}}},
        "failover.healthCheck.consecutiveFailures",
        "greater than or equal to 1",
    ),
    ("Neo4jDisasterRecovery", {"sync": {"direction": "backward"}}, "sync.direction", '"forward", "reverse"'),
    ("Neo4jDisasterRecovery", {"crossRegion": {"replicationMode": "sync"}}, "replicationMode", 'values: "async"'),
    ("Neo4jDisasterRecovery", witness(type="gcs"), "failover.quorum.witness.type", 'values: "s3"'),
    ("Neo4jDisasterRecovery", witness(bucket="My_Bucket"), "failover.quorum.witness.bucket", "should match"),
    ("Neo4jDisasterRecovery", witness(endpoint="http://u:p@s3"), "failover.quorum.witness.endpoint", "should match"),
    ("Neo4jRestore", {"pointInTime": "10:29:59"}, "spec.pointInTime", "date-time"),
    ("Neo4jRestore", {"source": {"type": "tape"}}, "spec.source.type", '"transaction-logs"'),
]


@pytest.mark.parametrize(("kind", "change", "field", "allowed"), REFUSED)
def test_refused_naming_the_field_and_what_is_allowed(
    plane: ControlPlane, namespace: str, kind: str, change: dict[str, Any], field: str, allowed: str
) -> None:
    refused = apply(plane, namespace, manifest(kind, merged(SPECS[kind], change)), check=False)
    assert refused.returncode != 0
    assert field in refused.stderr
    assert allowed in refused.stderr


def test_a_name_leaves_room_for_the_service(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY, "x" * 56))
    refused = apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY, "x" * 57), check=False)
    assert "metadata.name must have at most 56 characters" in refused.stderr


@pytest.mark.parametrize("field", ["primaryClusterRef", "secondaryClusterRef"])
def test_the_clusters_of_a_recovery_cannot_be_changed(plane: ControlPlane, namespace: str, field: str) -> None:
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY))
    changed = apply(plane, namespace, manifest("Neo4jDisasterRecovery", RECOVERY | {field: "other"}), check=False)
    assert f"spec.{field}" in changed.stderr
    assert f"{field} cannot be changed: create another resource instead" in changed.stderr
    apply(plane, namespace, manifest("Neo4jDisasterRecovery", merged(RECOVERY, {"failover": {"automatic": True}})))


def test_a_restore_cannot_be_changed(plane: ControlPlane, namespace: str) -> None:
    apply(plane, namespace, manifest("Neo4jRestore", RESTORE))
    later = RESTORE | {"pointInTime": "2025-01-15T10:31:00Z"}
    assert (
        "spec of a restore cannot be changed"
        in apply(plane, namespace, manifest("Neo4jRestore", later), check=False).stderr
    )


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
