"""Storing the status of a resource that no controller looks after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import Kind
from neo4j_dr_operator.errors import Conflict, NotFound
from neo4j_dr_operator.reporting.statuses import ResourceApi, changes


async def store(api: ResourceApi, kind: Kind, body: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Merge `status` into what is stored, where it differs; whether that was done.

    Somebody who was faster brings an event of their own, and with it another turn. Raises KubernetesError.
    """
    stored = body.get("status") or {}
    if not changes(stored, status):
        return False
    meta = body["metadata"]
    where = GROUP, VERSION, kind.plural, meta["namespace"], meta["name"]
    try:
        await api.patch_status(*where, status, meta["resourceVersion"])
    except (Conflict, NotFound):
        return False
    return True
