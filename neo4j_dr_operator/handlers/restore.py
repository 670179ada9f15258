"""`Neo4jRestore`: each has a controller until it has ended."""

from __future__ import annotations

from typing import Any

import kopf

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import RESTORE
from neo4j_dr_operator.handlers.memo import Memo


def register(registry: kopf.OperatorRegistry) -> None:
    """Watch the kind."""
    kopf.on.event(GROUP, VERSION, RESTORE.plural, registry=registry)(changed)


async def changed(
    type: str | None, body: kopf.Body, namespace: str | None, name: str | None, memo: Memo, **_: Any
) -> None:
    """One event of one restore."""
    key = (namespace or "", name or "")
    if type == "DELETED":
        await memo.restores.gone(key, body["metadata"]["uid"])
    else:
        await memo.restores.changed(key, dict(body))
