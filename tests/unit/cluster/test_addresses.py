"""Where a cluster is reached: the first of several places that says so, never plain Bolt where TLS is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.cluster.endpoint import PlainBoltRefused, Resolved, Unresolved, address_of, resolve
from neo4j_dr_operator.errors import KubernetesError, KubernetesUnreachable, NotFound
from neo4j_dr_operator.failover.state import Site

ENDPOINTS = {"networking": {"endpoints": {"primary": "p.example", "secondary": "s.example:7000"}}}
FIELD = "spec.crossRegion.networking.endpoints"
TOLD = "spec.disasterRecovery.primaryEndpoint"
TLS = {"encryption": True}
IN_TRANSIT = {"crossRegion": {"networking": {"encryption": {"inTransit": True}}}}


def cluster(uri: str | None = None, told: str | None = None, **external: str) -> ClusterSpec:
    raw: dict[str, Any] = {"auth": {"adminSecret": "admin"}, "disasterRecovery": {"enabled": True}}
    if uri is not None:
        raw["external"] = {"uri": uri, **external}
    if told is not None:
        raw["disasterRecovery"]["primaryEndpoint"] = told
    return ClusterSpec.read(raw)


def recovery(**spec: Any) -> DisasterRecoverySpec:
    return DisasterRecoverySpec.read({"primaryClusterRef": "east", "secondaryClusterRef": "west", **spec})


class Held:
    """Secrets by name."""

    def __init__(self, **secrets: dict[str, str]) -> None:
        self.secrets = secrets

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        if name not in self.secrets:
            raise NotFound(name)
        return self.secrets[name]


ADMIN = {"username": "neo4j", "password": "p"}


def resolved(first: ClusterSpec, second: ClusterSpec, site: Site = "primary", **spec: Any) -> Resolved:
    held = Held(admin=ADMIN, ca={"ca.crt": "PEM"}, empty={})
    return asyncio.run(resolve(held, "ns", site, {"primary": first, "secondary": second}, recovery(**spec)))


@pytest.mark.parametrize(
    ("first", "second", "spec", "uri", "source", "of"),
    [
        (
            cluster("bolt://e:1", "x"),
            cluster(told="t"),
            {"crossRegion": ENDPOINTS},
            "bolt://e:1",
            "spec.external.uri",
            "east",
        ),
        (
            cluster(),
            cluster(told="t"),
            {"crossRegion": ENDPOINTS},
            "neo4j://p.example:7687",
            f"{FIELD}.primary",
            "this resource",
        ),
        (cluster(told="own"), cluster(told="t:70"), {}, "neo4j://t:70", TOLD, "west"),
        (cluster(told="own"), cluster(), {}, "neo4j://own:7687", TOLD, "east"),
        (cluster(), cluster(told="[::1]"), {}, "neo4j://[::1]:7687", TOLD, "west"),
        (cluster(), cluster(told="[::1]:70"), {}, "neo4j://[::1]:70", TOLD, "west"),
        (cluster(), cluster(), {}, "neo4j://east.ns.svc.cluster.local:7687", "Service", ""),
        (cluster(), cluster(), {"replication": TLS}, "neo4j+s://east.ns.svc.cluster.local:7687", "Service", ""),
    ],
)
def test_the_order_for_the_primary(
    first: ClusterSpec, second: ClusterSpec, spec: dict[str, Any], uri: str, source: str, of: str
) -> None:
    found = address_of("primary", {"primary": first, "secondary": second}, recovery(**spec), "ns")
    assert (found.uri, found.source, found.of) == (uri, source, of)


def test_what_is_known_of_the_primary_is_nothing_about_the_secondary() -> None:
    specs: dict[Site, ClusterSpec] = {"primary": cluster(told="t"), "secondary": cluster(told="t")}
    assert address_of("secondary", specs, recovery(), "ns").source == "Service"
    found = address_of("secondary", specs, recovery(crossRegion=ENDPOINTS), "ns")
    assert (found.uri, found.source) == ("neo4j://s.example:7000", f"{FIELD}.secondary")


def test_links_may_have_an_address_of_their_own() -> None:
    found = resolved(cluster("bolt://e:1", replicationUri="bolt://r:2"), cluster())
    assert (found.own.uri, found.link.uri) == ("bolt://e:1", "bolt://r:2")
    assert (found.place.source, found.link_place.source) == ("spec.external.uri", "spec.external.replicationUri")
    assert found.place.secret == "admin"
    same = resolved(cluster("bolt+s://e:1", caSecret="ca"), cluster())
    assert same.own == same.link
    assert same.own.ca == "PEM"


@pytest.mark.parametrize(
    "asked", [{"replication": TLS}, {"crossRegion": {"networking": {"encryption": {"inTransit": True}}}}]
)
@pytest.mark.parametrize(
    ("first", "field"),
    [
        (cluster("bolt://e:1"), "bolt+s://e:1 into spec.external.uri of east"),
        (cluster("neo4j://e:1"), "neo4j+s://e:1 into spec.external.uri of east"),
        (cluster("bolt+s://e:1", replicationUri="bolt://r:2"), "bolt+s://r:2 into spec.external.replicationUri of"),
    ],
)
def test_plain_bolt_is_refused_where_tls_is_asked_for(first: ClusterSpec, field: str, asked: dict[str, Any]) -> None:
    assert resolved(first, cluster())
    with pytest.raises(PlainBoltRefused, match="nothing is connected to") as caught:
        resolved(first, cluster(), **asked)
    assert field in caught.value.message
    assert resolved(cluster("bolt+s://e:1"), cluster(), **asked).own.encrypted
    assert resolved(cluster(), cluster(), **asked).own.encrypted


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (Held(), ("spec.auth.adminSecret of east", "Secret admin", "does not exist", "create it")),
        (Held(admin={"username": "neo4j"}), ("Secret admin lacks keys", "NEO4J_AUTH")),
        (Held(admin={"NEO4J_AUTH": "nobody"}), ("Secret admin lacks keys",)),
        (Held(admin=ADMIN), ("spec.external.caSecret of east", "Secret ca")),
        (Held(admin=ADMIN, ca={"tls.crt": "x"}), ("Secret ca", "ca.crt")),
    ],
)
def test_what_is_not_there_is_named(held: Held, words: tuple[str, ...]) -> None:
    specs: dict[Site, ClusterSpec] = {"primary": cluster("bolt+s://e:1", caSecret="ca"), "secondary": cluster()}
    with pytest.raises(Unresolved) as caught:
        asyncio.run(resolve(held, "ns", "primary", specs, recovery()))
    assert all(word in caught.value.message for word in words)


def test_a_secret_that_may_not_be_read_is_no_outage_of_the_api_server() -> None:
    class Forbidden(Held):
        async def secret(self, namespace: str, name: str) -> dict[str, str]:
            raise KubernetesError("forbidden", status=403)

    class Away(Held):
        async def secret(self, namespace: str, name: str) -> dict[str, str]:
            raise KubernetesUnreachable("away")

    specs: dict[Site, ClusterSpec] = {"primary": cluster(), "secondary": cluster()}
    with pytest.raises(Unresolved, match="may not read"):
        asyncio.run(resolve(Forbidden(), "ns", "primary", specs, recovery()))
    with pytest.raises(KubernetesUnreachable):
        asyncio.run(resolve(Away(), "ns", "primary", specs, recovery()))
