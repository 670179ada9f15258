"""The operator's own few statements on a database: marks, heartbeat, claim, promotion, comparison.

Each compare-and-set takes the node's write lock first and compares afterwards: `MATCH … WHERE s.x = $old SET …` lets
two writers both win (measured on 5.26). The bookkeeping lives under the label `__Neo4jDR`.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Literal

from neo4j_dr_operator.errors import FenceBroken, PositionAhead, PositionLost, QueryFailed, Stale
from neo4j_dr_operator.failover.state import Site, link_name, other
from neo4j_dr_operator.failover.view import FILLING, Assessment, Claimed, Mark, RestoreMark
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.graph.cypher import ALREADY_MADE
from neo4j_dr_operator.graph.note import STANDING
from neo4j_dr_operator.graph.position import Position

CONSTRAINTS = (
    "CREATE CONSTRAINT __neo4jdr_site IF NOT EXISTS FOR (s:`__Neo4jDRSite`) REQUIRE s.key IS UNIQUE",
    "CREATE CONSTRAINT __neo4jdr_link IF NOT EXISTS FOR (l:`__Neo4jDRLink`) REQUIRE l.link IS UNIQUE",
)
LOOK = (
    """
OPTIONAL MATCH (s:`__Neo4jDRSite` {key: 'site'})
OPTIONAL MATCH (l:`__Neo4jDRLink` {link: $inbound})
RETURN s {.*} AS site, l {.phase, .epoch} AS link, COLLECT { MATCH (k:`__Neo4jDRLink`) RETURN k.link } AS links,
  COLLECT { """
    + STANDING
    + """ RETURN r {.restore, .complete} } AS restores
"""
)
MARK = """
MERGE (s:`__Neo4jDR`:`__Neo4jDRSite` {key: 'site'})
  ON CREATE SET s.epoch = 0, s.role = 'standby', s.dr = $dr, s.site = $site
SET s.lock = $lock
WITH s WHERE s.dr = $dr AND s.epoch <= $epoch
SET s.epoch = $epoch, s.role = $role, s.site = $site
RETURN count(*) AS marked
"""
MARK_FOLLOWER = """
MERGE (s:`__Neo4jDR`:`__Neo4jDRSite` {key: 'site'})
  ON CREATE SET s.epoch = 0, s.role = 'standby', s.dr = $dr, s.site = $name
SET s.lock = $lock
WITH s WHERE s.dr = $dr AND s.site = $name AND s.epoch <= $epoch
SET s.epoch = $epoch
RETURN count(*) AS marked
"""
HEARTBEAT = """
MATCH (s:`__Neo4jDRSite` {key: 'site'}) SET s.lock = $lock
WITH s WHERE s.epoch = $epoch AND s.role = 'primary' SET s.heartbeat = $at RETURN count(*) AS beaten
"""
CLAIM = """
MATCH (l:`__Neo4jDRLink` {link: $link}) SET l.lock = $lock
WITH l WHERE l.epoch <= $epoch AND l.phase IN $phases
SET l.epoch = $epoch RETURN l.cursor AS cursor, l.cursorTx AS tx
"""
PROMOTE = """
MATCH (l:`__Neo4jDRLink` {link: $link}) SET l.lock = $lock
WITH l WHERE l.epoch = $epoch AND l.phase = 'streaming'
MATCH (s:`__Neo4jDRSite` {key: 'site'}) SET s.lock = $lock
WITH l, s WHERE s.epoch < $epoch
SET l.phase = 'frozen', s.epoch = $epoch, s.role = 'primary', s.barrierFrom = $before
REMOVE s.barrier
RETURN count(*) AS promoted
"""
PROMOTED = """
MATCH (s:`__Neo4jDRSite` {key: 'site'}) WHERE s.role = 'primary' AND s.epoch = $epoch
RETURN s.barrier AS barrier, s.barrierFrom AS before
"""
CURRENT = "CALL db.cdc.current() YIELD id RETURN id"
FIND_BARRIER = """
CALL db.cdc.query($before) YIELD id, event
WITH id, event WHERE '__Neo4jDRSite' IN coalesce(event.labels, [])
  AND event.state.after.properties.role = 'primary' AND event.state.after.properties.barrierFrom = $before
RETURN id LIMIT 1
"""
LAST_OF = """
CALL db.cdc.query($before) YIELD id, txId, seq WITH id, txId, seq WHERE txId = $tx
RETURN id ORDER BY seq DESC LIMIT 1
"""
BEYOND = """
CALL db.cdc.query($from) YIELD txId, metadata, event
WITH txId, metadata, event WHERE event.eventType = 'r' OR NOT '__Neo4jDR' IN coalesce(event.labels, [])
WITH DISTINCT txId, metadata.txCommitTime AS at
RETURN count(*) AS transactions, min(at) AS first, max(at) AS last
"""


def _lock() -> int:
    return time.monotonic_ns()


async def prepare(db: AsyncDatabase, timeout: float) -> None:
    """Make the constraints under which two operators attaching at once cannot make two state nodes.

    Two that race are told in one of several ways, in spite of IF NOT EXISTS, that the other one has made them.
    """
    for statement in CONSTRAINTS:
        try:
            await db.run(statement, timeout=timeout)
        except QueryFailed as error:
            if error.code not in ALREADY_MADE:
                raise


async def look(db: AsyncDatabase, inbound: str, timeout: float) -> Mark:
    """Read the site node, the phase of `inbound`, the link that fills this database, and a restore's note."""
    rows = await db.run(LOOK, timeout=timeout, inbound=inbound)
    node, link = rows[0]["site"], rows[0]["link"] or {}
    links: dict[str, Any] = {
        "inbound_phase": link.get("phase"),
        "inbound_epoch": link.get("epoch") or 0,
        "links": tuple(sorted(rows[0]["links"])),
        "restore": next((RestoreMark(r["restore"], bool(r["complete"])) for r in rows[0]["restores"]), None),
    }
    if node is None:
        return Mark("absent", 0, **links)
    role: Literal["primary", "standby"] = "primary" if node.get("role") == "primary" else "standby"
    return Mark(role, int(node["epoch"]), node.get("dr"), node.get("barrier"), site=node.get("site"), **links)


async def write_mark(db: AsyncDatabase, dr: str, site: Site, role: str, epoch: int, timeout: float) -> None:
    """Write role and epoch. Raises Stale when the database belongs to another resource or knows a higher epoch."""
    await prepare(db, timeout)
    rows = await db.run(MARK, timeout=timeout, dr=dr, site=site, role=role, epoch=epoch, lock=_lock())
    if rows[0]["marked"] != 1:
        raise Stale(f"the database of {site} knows an epoch above {epoch}, or belongs to another resource")


async def mark_follower(db: AsyncDatabase, dr: str, name: str, epoch: int, timeout: float) -> None:
    """Write into a follower's database whose it is and the newest epoch that it has heard of.

    Raises Stale when it belongs to another resource, is another standby of this one, or knows a higher epoch.
    """
    await prepare(db, timeout)
    rows = await db.run(MARK_FOLLOWER, timeout=timeout, dr=dr, name=name, epoch=epoch, lock=_lock())
    if rows[0]["marked"] != 1:
        raise Stale(
            f"the database of {name} knows an epoch above {epoch}, or is not the one of {name} in this resource"
        )


async def heartbeat(db: AsyncDatabase, epoch: int, at: int, timeout: float) -> bool:
    """One write on the primary of `epoch`, stamped `at` (ms since 1970); False when it is not the primary of it."""
    rows = await db.run(HEARTBEAT, timeout=timeout, epoch=epoch, at=at, lock=_lock())
    return bool(rows[0]["beaten"] == 1)


async def read_end(db: AsyncDatabase, timeout: float) -> Position:
    """The end of the change stream. Raises ChangeCaptureDisabled, or another database error."""
    return Position.decode((await db.run(CURRENT, timeout=timeout))[0]["id"])


async def claim(
    db: AsyncDatabase, source: Site, target: Site, epoch: int, timeout: float, *, filling: bool = False
) -> Claimed:
    """Raise the epoch of the link in its target: workers of older epochs go stale from here on.

    Raises Stale when the link is at a higher epoch, frozen, or still being seeded and so no consistent prefix; with
    ``filling`` that may be.
    """
    phases, link = ["streaming", *(FILLING if filling else ())], link_name(source, target)
    rows = await db.run(CLAIM, timeout=timeout, link=link, epoch=epoch, phases=phases, lock=_lock())
    if not rows:
        raise Stale(f"the link {link} cannot be claimed at epoch {epoch}")
    return Claimed(epoch, rows[0]["cursor"], rows[0]["tx"])


async def promote(db: AsyncDatabase, source: Site, target: Site, epoch: int, timeout: float) -> str:
    """Make the target primary at `epoch` in one transaction and return the barrier: that transaction's identifier.

    Done again after a lost answer or a crash it finds what the first one did. Raises Stale when the link is not
    claimed at this epoch or the database knows a higher one.
    """
    done = await db.run(PROMOTED, timeout=timeout, epoch=epoch)
    if not done:
        before = (await read_end(db, timeout)).text
        link = link_name(source, target)
        rows = await db.run(PROMOTE, timeout=timeout, link=link, epoch=epoch, before=before, lock=_lock())
        if rows[0]["promoted"] != 1:
            raise Stale(f"{target} cannot be promoted at epoch {epoch}: the link or the database is at another one")
        done = [{"barrier": None, "before": before}]
    if done[0]["barrier"] is not None:
        return str(done[0]["barrier"])
    return await _find_barrier(db, epoch, done[0]["before"], timeout)


async def _find_barrier(db: AsyncDatabase, epoch: int, before: str, timeout: float) -> str:
    rows = await db.run(FIND_BARRIER, timeout=timeout, before=before)
    if not rows:
        raise PositionLost("the promotion is not in the change stream of the new primary")
    tx = Position.decode(rows[0]["id"]).tx
    last = await db.run(LAST_OF, timeout=timeout, before=before, tx=tx)
    barrier = str(last[0]["id"])
    await db.run(
        "MATCH (s:`__Neo4jDRSite` {key: 'site'}) SET s.lock = $lock WITH s WHERE s.epoch = $epoch "
        "SET s.barrier = $barrier",
        timeout=timeout,
        epoch=epoch,
        barrier=barrier,
        lock=_lock(),
    )
    return barrier


async def check_unwritten(db: AsyncDatabase, final: str, timeout: float) -> None:
    """Raise FenceBroken when a fenced database took user changes after its final position."""
    rows = await db.run(BEYOND, timeout=timeout, **{"from": final})
    if rows[0]["transactions"]:
        raise FenceBroken(f"{rows[0]['transactions']} transactions came after the final position")


async def assess(active: AsyncDatabase, returning: AsyncDatabase, site: Site, epoch: int, timeout: float) -> Assessment:
    """Count the user transactions of a returning site after the position up to which the active one had applied it.

    `seconds` spans from the first to the last of them. A position that the returning site no longer has, or that is
    another database's, makes it `lost`: it cannot be compared. So does one that lies behind its end, to which nothing
    can bring it while it is read-only: it was taken back to an earlier state.
    """
    link = link_name(site, other(site))
    rows = await active.run(
        "MATCH (l:`__Neo4jDRLink` {link: $link}) WHERE l.phase = 'frozen' RETURN l.cursor AS cursor",
        timeout=timeout,
        link=link,
    )
    if not rows:
        return Assessment(site, epoch, lost=f"the active site holds no frozen link {link}")
    cursor = rows[0]["cursor"]
    try:
        beyond = (await returning.run(BEYOND, timeout=timeout, **{"from": cursor}))[0]
    except PositionLost as error:
        return Assessment(site, epoch, lost=error.message)
    except PositionAhead:
        end, applied = await read_end(returning, timeout), Position.decode(cursor)
        if not end.same_stream(applied) or end.tx >= applied.tx:
            raise  # its end says otherwise: asked again, it answers
        taken_back = f"its change stream ends at transaction {end.tx}, and transaction {applied.tx} was applied before"
        return Assessment(site, epoch, lost=f"{taken_back}: it was taken back to an earlier state")
    return Assessment(site, epoch, beyond["transactions"], _seconds(beyond["first"], beyond["last"]))


def _seconds(first: Any, last: Any) -> float:
    """Seconds between two commit times, which 5.x gives as text or as a temporal value."""
    if first is None or last is None:
        return 0.0
    return max(0.0, (_moment(last) - _moment(first)).total_seconds())


def _moment(value: Any) -> datetime:
    """A commit time such as `2024-04-03T06:28:19.651000000Z`: UTC, nanoseconds cut to microseconds."""
    whole, _, fraction = str(value).removesuffix("Z").removesuffix("+00:00").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6] or 0:0<6}+00:00")
