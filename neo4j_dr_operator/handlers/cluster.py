"""`Neo4jEnterpriseCluster`: keep what was seen, wake whoever refers to it, say so where nobody does."""

from __future__ import annotations

from typing import Any

import kopf

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.handlers.memo import Memo


def register(registry: kopf.OperatorRegistry) -> None:
    """Watch the kind."""
    kopf.on.event(GROUP, VERSION, CLUSTER.plural, registry=registry)(changed)


async def changed(
    type: str | None, body: kopf.Body, namespace: str | None, name: str | None, memo: Memo, **_: Any
) -> None:
    """One event of one cluster."""
    key = (namespace or "", name or "")
    if type == "DELETED":
        await memo.cluster_gone(key, body["metadata"]["uid"])
    else:
        await memo.cluster_changed(key, dict(body))
