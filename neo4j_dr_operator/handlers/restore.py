"""`Neo4jRestore`: known, validated by the API server, and honest about what is not done yet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kopf

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import RESTORE
from neo4j_dr_operator.api.support import RESTORE as GAPS
from neo4j_dr_operator.failover.claim import Claim
from neo4j_dr_operator.failover.publish import merge_conditions
from neo4j_dr_operator.handlers.memo import Memo
from neo4j_dr_operator.handlers.own_status import store

REASON = "NotYetSupported"
MESSAGE = "this version of the operator does not restore yet; nothing was touched"


def register(registry: kopf.OperatorRegistry) -> None:
    """Watch the kind."""
    kopf.on.event(GROUP, VERSION, RESTORE.plural, registry=registry)(changed)


async def changed(type: str | None, body: kopf.Body, memo: Memo, **_: Any) -> None:
    """Say that the restore is not carried out, with one event."""
    if type == "DELETED":
        return
    stored = body.get("status") or {}
    generation = int(body["metadata"].get("generation") or 0)
    claims = [Claim("Complete", False, REASON, MESSAGE), Claim("Failed", True, REASON, MESSAGE)]
    status = {
        "phase": REASON,
        "message": MESSAGE,
        "observedGeneration": generation,
        "notYetSupported": [gap.path for gap in GAPS],
        "conditions": merge_conditions(
            list(stored.get("conditions") or []), claims, generation, datetime.now(UTC).timestamp()
        ),
    }
    if await store(memo.api, RESTORE, body, status):
        await memo.api.event(body, "Warning", REASON, MESSAGE)
