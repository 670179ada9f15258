"""What a restore refers to: its cluster, by the way the disaster recovery resource of that cluster would take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.api.restore import RestoreSpec
from neo4j_dr_operator.cluster.endpoint import (
    Resolved,
    Secrets,
    Unresolved,
    resolve,
    resolve_alone,
    resolve_follower,
)
from neo4j_dr_operator.errors import NotFound
from neo4j_dr_operator.failover.state import SITES, Site
from neo4j_dr_operator.restore.decision import Owner, owner_of
from neo4j_dr_operator.standbys.secondaries import LayoutRefused, pair_of, regions_of

Body = Mapping[str, Any]
TIMEOUT = 10.0
"""Seconds for one query to a cluster that no resource says more about."""


def owners(recoveries: Iterable[Body], cluster: str) -> list[tuple[Owner, Body]]:
    """The resources that name a cluster. Pure."""
    found = [(owner_of(body, cluster), body) for body in recoveries]
    return [(owner, body) for owner, body in found if owner is not None]


class Sources(Secrets, Protocol):
    """Where clusters and Secrets are read; `kube.client.Kube` in the operator."""

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is now. Raises NotFound."""
        ...


async def follow(
    sources: Sources,
    namespace: str,
    spec: RestoreSpec,
    cluster: Callable[[str, str], Body | None],
    recoveries: Iterable[Body],
) -> Resolved:
    """The two ways to the cluster that is to be restored into.

    Raises Unresolved for a cluster or a Secret that is not there, LayoutRefused, PlainBoltRefused, KubernetesError.
    """
    name = spec.cluster_ref
    own = _spec_of(cluster(namespace, name) or await _asked(sources, namespace, name))
    if own is None:
        raise Unresolved(f"spec.clusterRef names {name}, whose spec cannot be read: apply it again")
    for owner, body in owners(recoveries, name):
        try:
            recovery = pair_of(body, regions_of(cluster, namespace, body))
        except ValidationError:
            continue  # its own status says so
        except LayoutRefused as error:
            raise LayoutRefused(f"{name} is a cluster of {owner.dr}: {error.message}") from error
        specs = {site: _spec_of(cluster(namespace, recovery.cluster_of(site))) for site in SITES}
        pair: dict[Site, ClusterSpec] = {site: found for site, found in specs.items() if found is not None}
        for site in SITES:
            if owner.site == site and len(pair) == len(SITES):
                return await resolve(sources, namespace, site, pair, recovery)
        return await resolve_follower(sources, namespace, name, own, recovery)
    return await resolve_alone(sources, namespace, name, own, TIMEOUT)


async def _asked(sources: Sources, namespace: str, name: str) -> Body:
    """A cluster of which no event has told yet."""
    try:
        return await sources.get(GROUP, VERSION, CLUSTER.plural, namespace, name)
    except NotFound as error:
        raise Unresolved(f"spec.clusterRef names {name}, which does not exist in {namespace}: create it") from error


def _spec_of(body: Body | None) -> ClusterSpec | None:
    """The spec of a cluster; None for none, or for one that an older version let in."""
    try:
        return None if body is None else ClusterSpec.read(body.get("spec") or {})
    except ValidationError:
        return None
