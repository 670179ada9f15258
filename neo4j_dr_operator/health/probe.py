"""One probe of a database: does it live, does it serve, what does it know of itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from neo4j_dr_operator.cluster.access import read_access
from neo4j_dr_operator.cluster.site import look
from neo4j_dr_operator.errors import (
    AuthenticationFailed,
    CertificateRejected,
    DatabaseError,
    DatabaseUnreachable,
    PermissionDenied,
)
from neo4j_dr_operator.failover.state import Site
from neo4j_dr_operator.failover.view import Access, Mark
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.health.verdict import Probe


@dataclass(frozen=True)
class Sight:
    """A probe's outcome with what was read on the way; `asked` is the monotonic time before the first query."""

    probe: Probe
    access: Access | None = None
    mark: Mark | None = None
    asked: float = 0.0
    error: DatabaseError | None = None


async def probe(db: AsyncDatabase, site: Site, timeout: float) -> Sight:
    """Read the site node and the access within `timeout` seconds. Never raises for a database that fails."""
    asked = time.monotonic()
    try:
        mark = await look(db, site, timeout)
        left = max(0.1, timeout - (time.monotonic() - asked))
        access = await read_access(db, left)
    except (AuthenticationFailed, CertificateRejected, PermissionDenied) as error:
        evidence = f"{error.reason} at {db.endpoint.address}: {error.message}"
        return Sight(Probe(time.time(), False, True, evidence), asked=asked, error=error)
    except DatabaseUnreachable as error:
        evidence = f"{error.reason} at {db.endpoint.address}: {error.message}"
        return Sight(Probe(time.time(), False, False, evidence), asked=asked, error=error)
    except DatabaseError as error:
        evidence = f"{error.reason} at {db.endpoint.address}: {error.message}"
        return Sight(Probe(time.time(), False, True, evidence), asked=asked, error=error)
    return Sight(Probe(time.time(), True, True, "answers in time"), access, mark, asked)
