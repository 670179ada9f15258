"""`Neo4jEnterpriseCluster`: keep what was seen, wake whoever refers to it, say so where nobody does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kopf
from pydantic import ValidationError

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.failover.publish import unattended_status
from neo4j_dr_operator.handlers.memo import Memo
from neo4j_dr_operator.handlers.own_status import store


def register(registry: kopf.OperatorRegistry) -> None:
    """Watch the kind."""
    kopf.on.event(GROUP, VERSION, CLUSTER.plural, registry=registry)(changed)


async def changed(
    type: str | None, body: kopf.Body, namespace: str | None, name: str | None, memo: Memo, **_: Any
) -> None:
    """One event of one cluster."""
    key = (namespace or "", name or "")
    memo.cluster_changed(key, None if type == "DELETED" else dict(body))
    stored = body.get("status") or {}
    if type == "DELETED" or stored.get("recovery") or memo.referred(key):
        return
    try:
        spec = ClusterSpec.read(body.get("spec") or {})
    except ValidationError:
        return  # an older version let it in; whoever refers to it says what is wrong
    generation = int(body["metadata"].get("generation") or 0)
    await store(memo.api, CLUSTER, body, unattended_status(spec, stored, generation, datetime.now(UTC).timestamp()))
