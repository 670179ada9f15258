"""The way to a cluster that is restored into: that of its disaster recovery resource, else its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.api.restore import RestoreSpec
from neo4j_dr_operator.cluster.endpoint import PlainBoltRefused, Resolved, Unresolved
from neo4j_dr_operator.errors import NotFound
from neo4j_dr_operator.restore.references import follow, owners
from neo4j_dr_operator.standbys.secondaries import LayoutRefused

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


def found(
    seen: list[dict[str, Any]], recoveries: list[dict[str, Any]], *, api: Api | None = None, of: str = "west"
) -> Resolved:
    held, spec = {body["metadata"]["name"]: body for body in seen}, SPEC.model_copy(update={"cluster_ref": of})
    return asyncio.run(follow(api or Api(), "ns", spec, lambda _, name: held.get(name), recoveries))


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


def several(items: list[dict[str, Any]], control: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A resource of several standbys, with what its status knows of them."""
    body = recovery(**spec)
    del body["spec"]["secondaryClusterRef"]
    body["spec"]["secondaryClusters"] = [{"name": item["name"]} for item in items]
    return {**body, "status": {"secondaryClusters": items, "control": control or {}}}


def test_the_way_is_the_operators_with_several_standbys_too() -> None:
    """As the secondary of its pair, which it is by what is inherited and pinned, or as a follower."""
    both = [cluster("east"), cluster("west"), cluster("eu")]
    both[0]["spec"]["disasterRecovery"] = {"enabled": True, "primaryEndpoint": "told.example:1"}
    items = [{"name": "w", "clusterRef": "west", "site": "secondary"}, {"name": "e", "clusterRef": "eu"}]
    resource = several(items, {"secondary": "w"}, crossRegion={"networking": {"endpoints": {"primary": "p:2"}}})
    assert found(both, [resource]).own.uri == "neo4j://west.ns.svc.cluster.local:7687"
    told = found(both, [resource], of="east")
    assert told.own.uri == "neo4j://p:2"
    del resource["spec"]["crossRegion"]
    told = found(both, [resource], of="east")
    assert told.own.uri == "neo4j://told.example:1"


def test_a_layout_that_is_refused_is_waited_for() -> None:
    lacking = several([{"name": "e", "clusterRef": "eu"}], {"secondary": "w"})
    lacking["status"]["secondaryClusters"].append({"name": "w", "clusterRef": "west", "site": "secondary"})
    with pytest.raises(LayoutRefused, match=r"east is a cluster of ns/dr: spec.secondaryClusters lacks w"):
        found([cluster("east")], [lacking], of="east")


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
