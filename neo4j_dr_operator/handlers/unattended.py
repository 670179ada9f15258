"""Clusters that no disaster recovery resource refers to, and those whose resource is gone: their status says so.

Nothing is done to the database: role and epoch are what it knows itself, and stay. Level-triggered: a resource that was
deleted while no operator ran is noticed when its cluster is next seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.kinds import CLUSTER, DISASTER_RECOVERY
from neo4j_dr_operator.errors import NotFound
from neo4j_dr_operator.handlers.own_status import store
from neo4j_dr_operator.reporting.publish import unattended_status
from neo4j_dr_operator.reporting.statuses import ResourceApi
from neo4j_dr_operator.standbys.secondaries import clusters_named


async def let_go(api: ResourceApi, body: Mapping[str, Any]) -> None:
    """Say it of a cluster to which no resource that has been seen refers. Raises KubernetesError."""
    stored, meta = body.get("status") or {}, body["metadata"]
    if stored.get("recovery") and await _referred(api, meta["namespace"], meta["name"], stored["recovery"]):
        return  # a resource that has not been seen yet
    try:
        spec = ClusterSpec.read(body.get("spec") or {})
    except ValidationError:
        return  # an older version let it in; whoever refers to it says what is wrong
    status = unattended_status(spec, stored, int(meta.get("generation") or 0), time.time())
    await store(api, CLUSTER, body, {**status, "recovery": None})


async def _referred(api: ResourceApi, namespace: str, cluster: str, recovery: str) -> bool:
    try:
        found = await api.get(GROUP, VERSION, DISASTER_RECOVERY.plural, namespace, recovery)
    except NotFound:
        return False
    return cluster in clusters_named(found)
