"""The way to a cluster that is restored into: that of its disaster recovery resource, else its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.api.restore import RestoreSpec
from neo4j_dr_operator.cluster.endpoint import PlainBoltRefused, Resolved, Unresolved
from neo4j_dr_operator.errors import NotFound
from neo4j_dr_operator.restore.references import follow, owners

SPEC = RestoreSpec.read(
    {
        "clusterRef": "west",
        "source": {"type": "transaction-logs", "location": {"type": "s3", "bucket": "logs"}},
        "latest": True,
    }
)


class Api:
    """Secrets and clusters by name; what it was asked for."""

    def __init__(self, *clusters: dict[str, Any]) -> None:
        self.clusters = {body["metadata"]["name"]: body for body in clusters}

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        if name != "admin":
            raise NotFound(name)
        return {"username": "neo4j", "password": "p"}

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        assert plural == "neo4jenterpriseclusters"
        if name not in self.clusters:
            raise NotFound(name)
        return self.clusters[name]


def cluster(name: str, uri: str | None = None, secret: str = "admin") -> dict[str, Any]:
    external = {"external": {"uri": uri}} if uri else {}
    return {"metadata": {"name": name}, "spec": {"auth": {"adminSecret": secret}, **external}}


def recovery(**spec: Any) -> dict[str, Any]:
    pair = {"primaryClusterRef": "east", "secondaryClusterRef": "west"}
    return {"metadata": {"namespace": "ns", "name": "dr"}, "spec": {**pair, **spec}}


def found(seen: list[dict[str, Any]], recoveries: list[dict[str, Any]], *, api: Api | None = None) -> Resolved:
    held = {body["metadata"]["name"]: body for body in seen}
    return asyncio.run(follow(api or Api(), "ns", SPEC, lambda _, name: held.get(name), recoveries))


def test_a_cluster_of_nobody_says_where_it_is() -> None:
    assert found([cluster("west", "bolt://w:1")], []).own.uri == "bolt://w:1"
    assert found([cluster("west")], []).own.uri == "neo4j://west.ns.svc.cluster.local:7687"
    assert found([cluster("west", "bolt://w:1")], []).place.secret == "admin"


def test_one_of_which_no_event_has_told_is_asked_for() -> None:
    assert found([], [], api=Api(cluster("west", "bolt://w:1"))).own.uri == "bolt://w:1"
    with pytest.raises(Unresolved, match=r"spec.clusterRef names west, which does not exist in ns: create it"):
        found([], [])


def test_the_resource_says_the_way() -> None:
    both = [cluster("east"), cluster("west")]
    endpoints = {"crossRegion": {"networking": {"endpoints": {"secondary": "w.example:7000"}}}}
    assert found(both, [recovery(**endpoints)]).own.uri == "neo4j://w.example:7000"
    assert found(both, [recovery(replication={"encryption": True})]).own.uri.startswith("neo4j+s://west.")
    plain = [cluster("east"), cluster("west", "bolt://w:1")]
    with pytest.raises(PlainBoltRefused):
        found(plain, [recovery(replication={"encryption": True})])


def test_the_other_cluster_need_not_exist() -> None:
    """The primary's resource is gone with its region; how its clusters are reached still counts."""
    alone = [cluster("west")]
    assert found(alone, [recovery(replication={"encryption": True})]).own.uri.startswith("neo4j+s://west.")


def test_a_resource_that_cannot_be_read_says_nothing() -> None:
    broken = recovery(secondaryClusterRef="west", failover="soon")
    assert found([cluster("west", "bolt://w:1")], [broken]).own.uri == "bolt://w:1"
    assert found([cluster("west", "bolt://w:1")], [recovery(secondaryClusterRef="other")]).own.uri == "bolt://w:1"


def test_a_secret_that_is_missing_is_named() -> None:
    with pytest.raises(Unresolved, match="names Secret hidden, which does not exist"):
        found([cluster("west", "bolt://w:1", secret="hidden")], [])


def test_who_names_a_cluster() -> None:
    both = [recovery(), recovery(secondaryClusterRef="other"), {"metadata": {}, "spec": None}]
    assert [owner.dr for owner, _ in owners(both, "west")] == ["ns/dr"]
