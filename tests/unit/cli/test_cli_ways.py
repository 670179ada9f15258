"""A person's way to a database is the operator's: what the resource and its clusters say of addresses counts."""

from __future__ import annotations

from typing import Any, cast

import pytest

from neo4j_dr_operator.cli.facts import Snapshot
from neo4j_dr_operator.cli.ways import ways
from neo4j_dr_operator.kube.user import UserKube
from neo4j_dr_operator.standbys.secondaries import LayoutRefused


class Kube:
    """Every Secret holds the same."""

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        return {"username": "neo4j", "password": "p"}


def cluster(name: str, **disaster_recovery: str) -> dict[str, Any]:
    spec = {"auth": {"adminSecret": "s"}, "disasterRecovery": {"enabled": True, **disaster_recovery}}
    return {"metadata": {"name": name}, "spec": spec}


def recovery(names: dict[str, str], known: dict[str, str], **spec: Any) -> dict[str, Any]:
    items = [{"name": name, **({"clusterRef": ref} if ref else {})} for name, ref in names.items()]
    return {
        "metadata": {"namespace": "ns", "name": "dr"},
        "spec": {"primaryClusterRef": "east", "secondaryClusters": items, **spec},
        "status": {"secondaryClusters": [{"name": name, "clusterRef": ref} for name, ref in known.items()]},
    }


def uris(body: dict[str, Any], *clusters: dict[str, Any]) -> dict[str, str]:
    snapshot = Snapshot(body, {each["metadata"]["name"]: each for each in clusters})
    found = ways(cast(UserKube, Kube()), "ns", snapshot, {})
    return {name: endpoint.uri for name, endpoint in found.items()}


def test_with_several_standbys_the_resource_says_where_the_primary_is() -> None:
    clusters = [cluster("east", region="r1"), cluster("west", region="r2", primaryEndpoint="told:7"), cluster("eu")]
    body = recovery({"w": "west", "e": "eu"}, {})
    service = "neo4j://{}.ns.svc.cluster.local:7687".format
    assert uris(body, *clusters) == {"east": "neo4j://told:7", "west": service("west"), "eu": service("eu")}
    body["spec"]["crossRegion"] = {"networking": {"endpoints": {"primary": "one:8"}}}
    assert uris(body, *clusters)["east"] == "neo4j://one:8"


def test_what_the_operator_refuses_to_lay_out_has_no_way() -> None:
    body = recovery({"primary": "eu", "w": "west"}, {})
    body["status"]["control"] = {"secondary": "w"}
    with pytest.raises(LayoutRefused, match="is the name of a site"):
        uris(body, cluster("east"), cluster("west"), cluster("eu"))
