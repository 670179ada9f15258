"""What a target holds, seen before a restore touches it."""

from __future__ import annotations

from typing import Any

from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.restore.decision import Held, Link, Note

_HELD = """
OPTIONAL MATCH (s:`__Neo4jDRSite` {key: 'site'})
RETURN s {.role, .dr} AS site,
  COLLECT { MATCH (l:`__Neo4jDRLink`) RETURN l {.link, .phase, .sourceDb, .cursorTx} } AS links,
  COLLECT { MATCH (r:`__Neo4jDRRestore`) RETURN r {.restore, .complete, .resumed, .archive} } AS notes
"""
_COUNTS = "RETURN COUNT { MATCH (n) } AS nodes, COUNT { MATCH ()-[r]->() } AS relationships"
_OURS = "MATCH (n:`__Neo4jDR`) RETURN count(n) AS nodes"


async def inspect(db: AsyncDatabase, timeout: float) -> Held:
    """Look; `timeout` in seconds for each of three queries. Raises a database error.

    The counts are those of the count store; while others write they are as exact as counts can be.
    """
    counts = (await db.run(_COUNTS, timeout=timeout))[0]
    ours = (await db.run(_OURS, timeout=timeout))[0]["nodes"]
    row: dict[str, Any] = (await db.run(_HELD, timeout=timeout))[0]
    site = row["site"] or {}
    return Held(
        database=db.endpoint.database,
        nodes=max(0, counts["nodes"] - ours),
        relationships=counts["relationships"],
        role=("primary" if site.get("role") == "primary" else "standby") if row["site"] is not None else "absent",
        dr=site.get("dr"),
        links=tuple(
            Link(link["link"], link["phase"], link.get("sourceDb") or "", int(link.get("cursorTx") or 0))
            for link in row["links"]
        ),
        notes=tuple(
            Note(note["restore"], bool(note.get("complete") or note.get("resumed")), note.get("archive") or "")
            for note in row["notes"]
        ),
    )
