"""`Neo4jDisasterRecovery`: one controller a resource, fed with its newest body."""

from __future__ import annotations

from typing import Any

import kopf

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import DISASTER_RECOVERY
from neo4j_dr_operator.handlers.memo import Memo


def register(registry: kopf.OperatorRegistry) -> None:
    """Watch the kind."""
    kopf.on.event(GROUP, VERSION, DISASTER_RECOVERY.plural, registry=registry)(changed)


async def changed(
    type: str | None, body: kopf.Body, namespace: str | None, name: str | None, memo: Memo, **_: Any
) -> None:
    """One event of one resource."""
    key = (namespace or "", name or "")
    if type == "DELETED":
        await memo.recovery_gone(key, body["metadata"]["uid"])
    else:
        await memo.recovery_changed(key, dict(body))
