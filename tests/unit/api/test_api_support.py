"""The list of fields without behaviour: what the guide asks for, and that nothing leaves the list unnoticed."""

from __future__ import annotations

import json

import pytest
import yaml

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.support import CLUSTER, RECOVERY, RESTORE, support
from tests.guide import find, manifest

NOT_YET_SUPPORTED = {
    "spec.secondaryClusters[].resources",
    "spec.secondaryClusters[].topology",
    "spec.crossRegion.replicationMode",
    "spec.crossRegion.networking.vpcPeering",
    "spec.crossRegion.networking.encryption.atRest",
    "spec.crossRegion.networking.networkPolicies",
    "spec.replication.compression",
    "spec.replication.consistency",
    "spec.failover.rpo",
    "spec.failover.customChecks",
    "spec.failover.quorum.enabled",
    "spec.failover.quorum.witnesses",
    "spec.failover.fencing",
    "spec.monitoring.enabled",
    "spec.monitoring.prometheus.enabled",
    "spec.monitoring.prometheus.serviceMonitor",
    "spec.monitoring.alerting",
    "spec.backup.dedupe",
}
"""Fields of a recovery that nothing acts on yet. What gets behaviour leaves this list and the table together."""

PAIR = {"primaryClusterRef": "a", "secondaryClusterRef": "b"}


def recovery(**more: object) -> DisasterRecoverySpec:
    return DisasterRecoverySpec.read({**PAIR, **more})


def test_the_list_is_what_the_table_says() -> None:
    assert {missing.path for missing in RECOVERY} == NOT_YET_SUPPORTED
    assert {missing.path for missing in CLUSTER} == {
        "spec.edition",
        "spec.image",
        "spec.topology",
        "spec.storage",
        "spec.resources",
        "spec.auth.rbac",
    }
    assert RESTORE == ()


def test_a_spec_that_asks_for_nothing_more_lists_nothing() -> None:
    assert support(recovery(), RECOVERY).fields == ()
    served = recovery(
        failover={"rpo": "5m", "rto": "1m", "automatic": True}, replication={"encryption": True, "interval": "1m"}
    )
    assert support(served, RECOVERY).fields == ()


def test_the_first_recovery_of_the_guide_asks_for_no_safety_that_is_not_given() -> None:
    spec = DisasterRecoverySpec.read(yaml.safe_load(manifest("disaster recovery configuration"))["spec"])
    found = support(spec, RECOVERY)
    assert set(found.fields) == {
        "spec.crossRegion.networking.vpcPeering",
        "spec.replication.compression",
        "spec.failover.customChecks",
        "spec.monitoring.prometheus.serviceMonitor",
        "spec.monitoring.alerting",
    }
    assert found.safety == ()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("spec.crossRegion.replicationMode", {"crossRegion": {"replicationMode": "sync"}}),
        ("spec.replication.consistency", {"replication": {"consistency": "strong"}}),
        ("spec.failover.rpo", {"failover": {"rpo": "0s"}}),
        ("spec.failover.fencing", {"failover": {"fencing": {"enabled": True, "method": "api"}}}),
        ("spec.failover.quorum.enabled", {"failover": {"quorum": {"enabled": True}}}),
        ("spec.failover.quorum.witnesses", {"failover": {"quorum": {"witnesses": 3}}}),
        (
            "spec.crossRegion.networking.networkPolicies",
            {"crossRegion": {"networking": {"networkPolicies": {"enabled": True, "allowedCIDRs": ["10.0.0.0/8"]}}}},
        ),
        (
            "spec.crossRegion.networking.encryption.atRest",
            {"crossRegion": {"networking": {"encryption": {"atRest": True}}}},
        ),
    ],
)
def test_safety_that_is_not_given_is_named(path: str, asked: dict[str, object]) -> None:
    found = support(recovery(**asked), RECOVERY)
    assert found.safety == found.fields == (path,)
    assert path in found.sentence


def test_several_standbys_are_followed_and_their_pods_are_not_made() -> None:
    printed = yaml.safe_load(manifest("multi-region setup"))["spec"]
    assert support(DisasterRecoverySpec.read(printed), RECOVERY).fields == ()
    smaller = yaml.safe_load(find("resource scaling", "yaml")[0].text)["spec"]
    assert support(DisasterRecoverySpec.read(printed | smaller), RECOVERY).fields == (
        "spec.secondaryClusters[].resources",
        "spec.secondaryClusters[].topology",
    )


def test_what_describes_pods_is_no_gap_of_an_external_cluster() -> None:
    printed = yaml.safe_load(manifest("primary cluster setup"))["spec"]
    assert support(ClusterSpec.read(printed), CLUSTER).fields == (
        "spec.edition",
        "spec.image",
        "spec.topology",
        "spec.storage",
    )
    external = json.loads(json.dumps(printed)) | {"external": {"uri": "bolt://db"}}
    assert support(ClusterSpec.read(external), CLUSTER).fields == ()


def test_roles_of_people_are_safety() -> None:
    roles = {"enabled": True, "roles": [{"name": "admin", "permissions": ["cluster:failover"]}]}
    spec = ClusterSpec.read({"external": {"uri": "bolt://db"}, "auth": {"adminSecret": "s", "rbac": roles}})
    assert support(spec, CLUSTER).safety == ("spec.auth.rbac",)
