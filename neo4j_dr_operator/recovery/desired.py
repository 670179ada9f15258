"""From resource bodies to what the machine is told is wanted. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.requests import LAST_APPLIED, owner_of
from neo4j_dr_operator.failover.state import Owner, Site
from neo4j_dr_operator.failover.view import Desired, Requested

Body = Mapping[str, Any]


def last_applied(body: Body) -> Mapping[str, Any] | None:
    """The manifest that client-side apply keeps in an annotation, if it can be read."""
    text = (body.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return None
    try:
        applied = json.loads(text)
    except ValueError:
        return None
    return applied if isinstance(applied, Mapping) else None


def desired_of(body: Body, spec: DisasterRecoverySpec, clusters: Mapping[Site, tuple[Body, ClusterSpec]]) -> Desired:
    """Requests with their owners, and the switches."""
    applied, failover = last_applied(body), spec.failover
    target = sync = reseed = None
    alone = False
    wanted = bool(failover.emergency)
    declared = wanted and owner_of(body, ("spec", "failover", "emergency"), applied) == "declared"
    if failover.target is not None:
        owner = owner_of(body, ("spec", "failover", "target"), applied)
        # A declared `emergency` belongs to the declared target, not to one that somebody patched over it.
        target = Requested(failover.target, owner, wanted and not (declared and owner == "patch"))
        alone = wanted and not declared and owner == "declared"
    if spec.sync.direction is not None:
        sync = Requested(spec.sync.direction, owner_of(body, ("spec", "sync", "direction"), applied))
    if spec.sync.reseed is not None:
        reseed = Requested(spec.sync.reseed, owner_of(body, ("spec", "sync", "reseed"), applied))
    lone = alone or (failover.target is None and wanted and not declared)
    read_only: dict[Site, Owner | None] = {
        site: owner_of(cluster, ("spec", "readOnly"), last_applied(cluster)) if cluster_spec.read_only else None
        for site, (cluster, cluster_spec) in clusters.items()
    }
    return Desired(
        automatic=spec.failover.automatic,
        target=target,
        lone_emergency=lone,
        sync=sync,
        reseed=reseed,
        reseed_automatic=spec.replication.reseed == "automatic",
        read_only=read_only,
        witness=spec.witness is not None,
        witness_beside=_beside(spec, clusters),
        archive=spec.replication.log_shipping.enabled,
        unmet=_unmet(spec),
    )


def _unmet(spec: DisasterRecoverySpec) -> str | None:
    """What is asked for before the standby is promoted by itself, and is never done yet: then it is not promoted so."""
    asked = spec.failover
    for wanted, reason, field, what in (
        (asked.fencing.enabled, "FenceNotObservable", "fencing", "observes the fence before a promotion by itself"),
        (asked.quorum.enabled, "QuorumNotCounted", "quorum", "counts a majority of voters"),
    ):
        if wanted:
            so = "so nothing is promoted by itself; planned and emergency failovers work"
            return f"{reason}: spec.failover.{field}.enabled is true, and this version never {what}, {so}"
    return None


def _beside(spec: DisasterRecoverySpec, clusters: Mapping[Site, tuple[Body, ClusterSpec]]) -> Site | None:
    """The site whose region is the one of the witness's bucket."""
    region = spec.witness.region if spec.witness is not None else None
    regions = {site: spec.region_of(site) or own.disaster_recovery.region for site, (_, own) in clusters.items()}
    return next((site for site, own_region in regions.items() if region is not None and region == own_region), None)
