"""Items of spec.secondaryClusters inherit by name."""

from __future__ import annotations

import yaml

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec, SecondaryCluster
from neo4j_dr_operator.failover.secondaries import inherit, unknown
from tests.guide import find, manifest


def items(text: str) -> list[SecondaryCluster]:
    spec = yaml.safe_load(text)["spec"]
    return DisasterRecoverySpec.read({"primaryClusterRef": "primary-cluster", **spec}).secondary_clusters or []


def test_the_guides_smaller_standby_is_the_one_known_by_that_name() -> None:
    before = inherit(items(manifest("multi-region setup")), [])
    assert unknown(before) is None
    after = inherit(items(find("resource scaling", "yaml")[0].text), before)
    assert after == [
        {"name": "secondary-us-west", "clusterRef": "secondary-cluster-west", "region": "us-west-2", "priority": 1}
    ]
    assert unknown(after) is None


def test_an_unknown_name_needs_a_cluster() -> None:
    found = unknown(inherit(items(find("resource scaling", "yaml")[0].text), []))
    assert found is not None
    assert "secondary-us-west: clusterRef is needed" in found


def test_what_an_item_says_wins() -> None:
    known = [{"name": "x", "clusterRef": "old", "region": "r", "priority": 3}]
    assert inherit([SecondaryCluster(name="x", priority=1)], known) == [
        {"name": "x", "clusterRef": "old", "region": "r", "priority": 1}
    ]
