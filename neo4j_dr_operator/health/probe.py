"""One probe of a database: does it live, does it serve, what does it know of itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from neo4j_dr_operator.cluster.access import read_access
from neo4j_dr_operator.cluster.site import look
from neo4j_dr_operator.cluster.survey import survey
from neo4j_dr_operator.errors import DatabaseError, DatabaseUnreachable
from neo4j_dr_operator.failover.state import link_to
from neo4j_dr_operator.failover.view import Access, Mark, Survey
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.health.advice import Place, explain
from neo4j_dr_operator.health.verdict import Probe


@dataclass(frozen=True)
class Sight:
    """A probe's outcome with what was read on the way; `asked` is the monotonic time before the first query."""

    probe: Probe
    access: Access | None = None
    mark: Mark | None = None
    asked: float = 0.0
    error: DatabaseError | None = None
    survey: Survey | None = None


async def probe(
    db: AsyncDatabase, site: str, timeout: float, place: Place | None = None, inbound: str | None = None
) -> Sight:
    """Read the site node and the access within `timeout` seconds. Never raises for a database that fails.

    A database without our mark is surveyed too. `place` is what the evidence of a failure calls it; `inbound` the link
    that fills it, by default the one between the two sites.
    """
    asked = time.monotonic()
    try:
        mark = await look(db, inbound or link_to(site), timeout)
        access = await read_access(db, _left(asked, timeout))
        found = await survey(db, _left(asked, timeout)) if mark.role == "absent" else None
    except DatabaseError as error:
        # whoever answers lives, be it with a refusal: wrong password, wrong certificate, an error of its own (P6)
        alive = not isinstance(error, DatabaseUnreachable)
        evidence = explain(error.reason, error.message, place or Place(site, db.endpoint.address))
        return Sight(Probe(time.time(), False, alive, evidence, error.reason), asked=asked, error=error)
    return Sight(Probe(time.time(), True, True, "answers in time"), access, mark, asked, survey=found)


def _left(asked: float, timeout: float) -> float:
    return max(0.1, timeout - (time.monotonic() - asked))
