"""`Neo4jRestore`: known, validated by the API server, and honest about what is not done yet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kopf

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.conditions import set_condition
from neo4j_dr_operator.api.kinds import RESTORE
from neo4j_dr_operator.errors import Conflict
from neo4j_dr_operator.handlers.memo import Memo

MESSAGE = "this version of the operator does not restore yet; nothing was touched"


def register(registry: kopf.OperatorRegistry) -> None:
    """Watch the kind."""
    kopf.on.event(GROUP, VERSION, RESTORE.plural, registry=registry)(changed)


async def changed(
    type: str | None, body: kopf.Body, namespace: str | None, name: str | None, memo: Memo, **_: Any
) -> None:
    """Say once that the restore is not carried out."""
    if type == "DELETED" or (body.get("status") or {}).get("phase") is not None:
        return
    generation = int(body["metadata"].get("generation") or 0)
    conditions = set_condition([], "Failed", "True", "NotYetSupported", MESSAGE, generation, datetime.now(UTC))
    status = {
        "phase": "NotYetSupported",
        "message": MESSAGE,
        "observedGeneration": generation,
        "conditions": [condition.wire(drop_none=True) for condition in conditions],
    }
    version = body["metadata"]["resourceVersion"]
    try:
        await memo.api.patch_status(GROUP, VERSION, RESTORE.plural, namespace or "", name or "", status, version)
    except Conflict:
        return
