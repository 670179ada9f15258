"""The three resources as users write them: the guide's manifests, defaults, refusals, and the stored status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from neo4j_dr_operator.api.cluster import ClusterSpec, ClusterStatus
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.kinds import KINDS
from neo4j_dr_operator.api.recovery_status import DisasterRecoveryStatus, FailoverRecord, SiteReplication
from neo4j_dr_operator.api.restore import RestoreSpec

CLUSTER: dict[str, Any] = {"auth": {"adminSecret": "admin"}}
RECOVERY: dict[str, Any] = {"primaryClusterRef": "a", "secondaryClusterRef": "b"}
RESTORE: dict[str, Any] = {
    "clusterRef": "b",
    "source": {"type": "transaction-logs", "location": {"type": "s3", "bucket": "neo4j-dr-logs"}},
    "pointInTime": "2025-01-15T10:30:00Z",
}
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def test_defaults_of_a_recovery() -> None:
    spec = DisasterRecoverySpec.read(RECOVERY)
    assert (spec.replication.interval, spec.replication.timeout) == ("5m", "30s")
    assert (spec.replication.interval.seconds, spec.replication.timeout.seconds) == (300.0, 30.0)
    assert (spec.replication.retries, spec.replication.batch_size) == (3, 5000)
    assert spec.failover.automatic is False
    assert (spec.failover.target, spec.failover.emergency, spec.sync.direction) == (None, None, None)
    check = spec.failover.health_check
    assert (check.interval.seconds, check.timeout.seconds, check.consecutive_failures) == (30.0, 10.0, 3)
    assert spec.cross_region.replication_mode == "async"
    assert spec.failover.quorum.witness is None


def test_a_cluster_need_only_say_how_to_sign_in() -> None:
    spec = ClusterSpec.read(CLUSTER)
    assert (spec.external, spec.read_only, spec.disaster_recovery.enabled) == (None, None, False)


def test_a_restore_is_as_in_the_guide() -> None:
    spec = RestoreSpec.read(RESTORE | {"options": {"validateConsistency": True, "skipIndexes": False}})
    assert spec.point_in_time == datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
    assert spec.source.location.bucket == "neo4j-dr-logs"


@pytest.mark.parametrize(
    ("model", "good", "change", "named"),
    [
        (ClusterSpec, CLUSTER, {"auth": {}}, "auth.adminSecret"),
        (ClusterSpec, CLUSTER, {"readonly": True}, "readonly"),
        (ClusterSpec, CLUSTER, {"external": {"uri": "bolt://u:p@h"}}, "external.uri"),
        (ClusterSpec, CLUSTER, {"disasterRecovery": {"role": "standby"}}, "disasterRecovery.role"),
        (DisasterRecoverySpec, RECOVERY, {"primaryClusterRef": "A"}, "primaryClusterRef"),
        (DisasterRecoverySpec, RECOVERY, {"replication": {"batchSize": 0}}, "replication.batchSize"),
        (DisasterRecoverySpec, RECOVERY, {"replication": {"interval": "0s"}}, "replication.interval"),
        (DisasterRecoverySpec, RECOVERY, {"failover": {"target": "third"}}, "failover.target"),
        (DisasterRecoverySpec, RECOVERY, {"sync": {"direction": "back"}}, "sync.direction"),
        (RestoreSpec, RESTORE, {"pointInTime": "2025-01-15T10:30:00"}, "pointInTime"),
        (RestoreSpec, RESTORE, {"pointInTime": "yesterday"}, "pointInTime"),
    ],
)
def test_a_refusal_names_the_field(model: Any, good: dict[str, Any], change: dict[str, Any], named: str) -> None:
    model.read(good)
    with pytest.raises(ValidationError) as refused:
        model.read(good | change)
    assert ".".join(str(part) for part in refused.value.errors()[0]["loc"]) == named


def test_the_wire_form_of_a_status_removes_what_is_unset() -> None:
    wire = DisasterRecoveryStatus(phase="Active", epoch=1).wire()
    assert (wire["phase"], wire["epoch"], wire["activeCluster"]) == ("Active", 1, None)
    assert "activeCluster" not in DisasterRecoveryStatus(phase="Active").wire(drop_none=True)


def test_a_status_survives_the_wire() -> None:
    status = DisasterRecoveryStatus(
        phase="Active",
        replication=[SiteReplication(site="secondary", lag_seconds=0.25)],
        control={"anything": {"at": [1, None]}},
    )
    assert DisasterRecoveryStatus.read(status.wire()) == status
    assert DisasterRecoveryStatus.read(None) == DisasterRecoveryStatus()


def test_a_status_of_a_newer_operator_is_read() -> None:
    assert ClusterStatus.read({"role": "primary", "newer": 1}).role == "primary"


def test_a_record_names_the_sites_from_and_to() -> None:
    record = FailoverRecord(epoch=2, kind="emergency", from_site="primary", to_site="secondary", started_at=NOON)
    wire = record.wire(drop_none=True)
    assert (wire["from"], wire["to"], wire["startedAt"]) == ("primary", "secondary", "2026-01-02T12:00:00Z")
    assert "lostTransactions" not in wire


def test_names_of_the_kinds() -> None:
    assert [(kind.kind, kind.plural, kind.singular, kind.short) for kind in KINDS] == [
        ("Neo4jEnterpriseCluster", "neo4jenterpriseclusters", "neo4jenterprisecluster", "n4c"),
        ("Neo4jDisasterRecovery", "neo4jdisasterrecoveries", "neo4jdisasterrecovery", "n4dr"),
        ("Neo4jRestore", "neo4jrestores", "neo4jrestore", "n4r"),
    ]
    assert KINDS[1].crd_name == "neo4jdisasterrecoveries.neo4j.neo4j.com"


def test_a_refusal_does_not_repeat_what_was_written() -> None:
    with pytest.raises(ValidationError) as refused:
        ClusterSpec.read(CLUSTER | {"external": {"uri": "bolt://neo4j:secret@db:7687"}})
    assert "secret@" not in str(refused.value)
