"""What a database holds before anything of ours is in it: looked at so that a wrong one is refused untouched."""

from __future__ import annotations

from neo4j_dr_operator.cluster.access import can_capture
from neo4j_dr_operator.failover.view import Survey
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.graph.cypher import BOOKKEEPING

IDENTITY = "SHOW DATABASES YIELD name, databaseID WHERE name = $name RETURN databaseID AS id"
EMPTY = f"RETURN NOT EXISTS {{ MATCH (n) WHERE NOT n:{BOOKKEEPING} }} AS empty"


async def survey(db: AsyncDatabase, timeout: float) -> Survey:
    """Three short questions of up to `timeout` seconds each; nothing is written. Raises the database errors."""
    identity = await db.run(IDENTITY, database="system", timeout=timeout, name=db.endpoint.database)
    empty = await db.run(EMPTY, timeout=timeout)
    capture = await can_capture(db, timeout)
    return Survey(str(identity[0]["id"] or "") if identity else "", bool(empty[0]["empty"]), capture)
