"""From a resource to its databases: addresses and credentials, read with the rights of whoever runs this."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.cli import raw
from neo4j_dr_operator.cli.command import Exit, Failure
from neo4j_dr_operator.cli.facts import Snapshot, cluster_names
from neo4j_dr_operator.cluster.endpoint import FORBIDDEN, resolve, resolve_follower
from neo4j_dr_operator.errors import KubernetesError
from neo4j_dr_operator.failover.state import SITES
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.standbys.secondaries import pair_of, regions_of

if TYPE_CHECKING:
    from neo4j_dr_operator.kube.user import UserKube

SECONDS = 60.0
"""How long one query may take."""


@dataclass(frozen=True)
class PersonsSecrets:
    """Secrets, as a person may read them."""

    kube: UserKube

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded keys. Raises NotFound, and Failure where it is not allowed."""
        try:
            return self.kube.secret(namespace, name)
        except KubernetesError as error:
            if error.status != FORBIDDEN:
                raise
            raise Failure(
                f"you may not read Secret {name} in namespace {namespace}, which holds how to sign in to the database: "
                "ask for get on secrets there"
            ) from error


def ways(kube: UserKube, namespace: str, snapshot: Snapshot, uris: Mapping[str, str]) -> dict[str, Endpoint]:
    """Each cluster of the resource with the way to its database; ``uris`` by cluster go before what the specs say.

    Raises Failure, LayoutRefused, and what `cluster/endpoint.py` raises for what is referred to and not there.
    """
    names = cluster_names(snapshot.recovery)
    if unknown := sorted(uris.keys() - set(names)):
        raise Failure(f"--uri names {unknown[0]}; the clusters of this resource are {', '.join(names)}", Exit.USAGE)
    if snapshot.absent:
        name, why = next(iter(snapshot.absent.items()))
        raise Failure(f"cluster {name} {why}")
    try:
        regions = regions_of(lambda _, name: snapshot.clusters.get(name), namespace, snapshot.recovery)
        spec = pair_of(snapshot.recovery, regions)
        specs = {name: ClusterSpec.read(raw.part(body, "spec")) for name, body in snapshot.clusters.items()}
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(map(str, found["loc"]))
        raise Failure(
            f"the resource was written for another version of this program: {field}: {found['msg']}"
        ) from error
    found_ways: dict[str, Endpoint] = {}
    for name in names:
        endpoint = asyncio.run(_way(PersonsSecrets(kube), namespace, name, specs, spec))
        found_ways[name] = replace(endpoint, uri=uris.get(name, endpoint.uri), timeout=SECONDS)
    return found_ways


async def _way(
    secrets: PersonsSecrets, namespace: str, name: str, specs: Mapping[str, ClusterSpec], spec: DisasterRecoverySpec
) -> Endpoint:
    sites = {site: specs[spec.cluster_of(site)] for site in SITES if spec.cluster_of(site) in specs}
    for site in sites:
        if spec.cluster_of(site) == name and len(sites) == len(SITES):
            return (await resolve(secrets, namespace, site, sites, spec)).own
    return (await resolve_follower(secrets, namespace, name, specs[name], spec)).own
