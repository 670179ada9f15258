"""Making a database refuse client writes, and seeing whether it does. Two editions, two ways.

Enterprise: `ALTER DATABASE … SET ACCESS READ ONLY`, which lasts. Elsewhere `dbms.setConfigValue` on the dynamic setting
`server.databases.read_only`, which is lost with the process: so the access is looked at again at every probe. Both
refuse every writer, the replicator included; therefore a standby is open on editions without a commit guard.
Source: Operations Manual 5, "Database administration", "Change data
capture"; the edition is what `dbms.components()` says.
"""

from __future__ import annotations

from neo4j_dr_operator.errors import ChangeCaptureDisabled, NotSupported
from neo4j_dr_operator.failover.view import Access
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.graph.cypher import quote

SHOW_ACCESS = "SHOW DATABASES YIELD name, access, currentStatus WHERE name = $name RETURN access, currentStatus"
COMPONENTS = "CALL dbms.components() YIELD edition RETURN edition"
READ_CHANGES = (
    "CALL db.cdc.current() YIELD id CALL (id) { CALL db.cdc.query(id) YIELD seq RETURN count(seq) AS n } RETURN n"
)
"""From the end on, so that nothing comes of it. Everybody may ask for the end; the changes take a right of their own
(Neo4j CDC manual, "Security"), and a user without it is to be named before the first copy, not behind it."""
SET_CONFIG = "CALL dbms.setConfigValue('server.databases.read_only', $value)"


async def read_access(db: AsyncDatabase, timeout: float) -> Access:
    """`read-only` or `read-write`, as the database itself says. Raises a database error when it does not answer."""
    rows = await db.run(SHOW_ACCESS, database="system", timeout=timeout, name=db.endpoint.database)
    return "read-only" if rows and all(row["access"] == "read-only" for row in rows) else "read-write"


async def set_access(db: AsyncDatabase, access: Access, timeout: float) -> tuple[Access, bool]:
    """Set the access of the database; returns what it says afterwards, and whether it changed."""
    if await read_access(db, timeout) == access:
        return access, False
    rows = await db.run(COMPONENTS, database="system", timeout=timeout)
    if rows and rows[0]["edition"] == "enterprise":
        how = "READ ONLY" if access == "read-only" else "READ WRITE"
        statement = f"ALTER DATABASE {quote(db.endpoint.database)} SET ACCESS {how} WAIT"
        await db.run(statement, database="system", timeout=timeout)
    else:
        value = db.endpoint.database if access == "read-only" else ""
        await db.run(SET_CONFIG, database="system", timeout=timeout, value=value)
    return await read_access(db, timeout), True


async def can_capture(db: AsyncDatabase, timeout: float) -> bool:
    """Whether the database records its changes, or is of an edition in which that can be switched on.

    Raises PermissionDenied where the user may not read them.
    """
    try:
        await db.run(READ_CHANGES, timeout=timeout)
    except (ChangeCaptureDisabled, NotSupported):
        edition = await db.run(COMPONENTS, database="system", timeout=timeout)
        return bool(edition) and edition[0]["edition"] == "enterprise"
    return True


async def enable_change_capture(db: AsyncDatabase, timeout: float) -> bool:
    """Make sure that the database records its changes in full; returns whether this call switched it on.

    Raises NotSupported where the edition has no change data capture to switch on, PermissionDenied where the user may
    not read the changes.
    """
    try:
        await db.run(READ_CHANGES, timeout=timeout)
        return False
    except (ChangeCaptureDisabled, NotSupported):
        if not await can_capture(db, timeout):
            raise NotSupported("change data capture needs Neo4j Enterprise 5.23 or newer") from None
    statement = f'ALTER DATABASE {quote(db.endpoint.database)} SET OPTION txLogEnrichment "FULL" WAIT'
    await db.run(statement, database="system", timeout=timeout)
    return True
