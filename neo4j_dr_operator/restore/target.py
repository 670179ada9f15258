"""What a restore notes in its target: which restore it is, what it has begun with and up to where, and its end.

The node stands beside the link's own bookkeeping (:mod:`neo4j_dr_operator.replication.link`), which holds the position.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, quote
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import checkpoint, link, schema, seed
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.refusals import RestoreUnderWay

RESTORE = "__Neo4jDRRestore"
PREFIX = "restore:"

_READ = f"MATCH (r:{RESTORE}) RETURN collect(properties(r))"
_BEGIN = (
    f"OPTIONAL MATCH (old:{RESTORE} {{complete: true}}) DETACH DELETE old WITH count(*) AS _ "
    f"CREATE (l:{BOOKKEEPING}:{LINK}) SET l = $link, l.targetDb = split(elementId(l), ':')[1] "
    f"CREATE (r:{BOOKKEEPING}:{RESTORE}) SET r = $restore RETURN l.targetDb"
)
_END = f"MATCH (r:{RESTORE} {{restore: $restore}}) SET r.complete = true, r += $values RETURN count(*)"
_DROP = f"MATCH (l:{LINK} {{link: $link}}) DELETE l RETURN count(*)"


@dataclass(frozen=True)
class Noted:
    """What the node says. ``asked``: the point as it was asked for; ``millis``, ``tx``: its bound, -1 for none.

    After the end (``complete``): the numbers of then, and ``at``, the commit time of the last transaction (ms since
    1970).
    """

    restore: str
    archive: str
    snapshot: str
    asked: str
    millis: int = -1
    tx: int = -1
    complete: bool = False
    nodes: int = 0
    relationships: int = 0
    position: str = ""
    at: int = 0

    @property
    def point(self) -> Point:
        """The point with its bound."""
        return Point(
            millis=self.millis if self.millis >= 0 else None,
            tx=self.tx if self.tx >= 0 else None,
            epoch=None,
        )


def link_name(restore: str) -> str:
    """The name of the link that a restore keeps its position in."""
    return f"{PREFIX}{restore}"


def noted(database: Database, restore: str, asked: str) -> Noted | None:
    """What this restore has noted; None when it has not begun.

    Raises :class:`RestoreUnderWay` for another one's, :class:`errors.TargetNotEmpty`.
    """
    for each in database.row(_READ)[0]:
        note = Noted(**each)
        if note.restore == restore:
            if note.asked != asked:
                raise RestoreUnderWay(f"restore {restore} has begun for another point, {note.asked}")
            return note
        if not note.complete:
            raise RestoreUnderWay(f"the target holds what restore {note.restore} has begun")
    if any(held := seed.counts(database)):
        raise errors.TargetNotEmpty(f"the target holds {held[0]} nodes; a restore fills empty databases only")
    return None


def begin(database: Database, note: Noted, manifest: Manifest) -> LinkState:
    """Note the beginning, in one transaction, in a target without user data. Constraints and indexes of users are
    dropped first: what the target gets is the snapshot's. Raises as :func:`noted`."""
    link.prepare(database)
    for rule in schema.rules(database).values():
        if not rule.lookup:
            database.write(f"DROP {rule.kind} {quote(rule.name)} IF EXISTS")
    start = Position.decode(manifest.start)
    state = LinkState(
        link=link_name(note.restore),
        epoch=manifest.epoch,
        phase=link.SEEDING,
        cursor=start.text,
        cursor_tx=start.tx,
        source_db=manifest.database,
        scan_nodes_end=manifest.nodes_end,
        scan_rels_end=manifest.relationships_end,
        seed_barrier=manifest.position,
        seed_barrier_tx=manifest.tx,
    )
    with database.transaction() as tx:
        target: str = tx.row(_BEGIN, link=state.properties(), restore=asdict(note))[0]
        tx.commit()
    return LinkState.of({**state.properties(), "targetDb": target})


def end(writer: LinkWriter, note: Noted, nodes: int, relationships: int) -> Noted:
    """Note the end. May be repeated."""
    state = writer.state
    values = {"nodes": nodes, "relationships": relationships, "position": state.cursor, "at": state.commit_millis}
    writer.database.write(_END, restore=note.restore, values=values)
    return replace(
        note, complete=True, nodes=nodes, relationships=relationships, position=state.cursor, at=state.commit_millis
    )


def clean(writer: LinkWriter) -> None:
    """Remove what a complete restore kept in the target, but for its note. May be repeated while the link is there."""
    checkpoint.clear(writer)
    writer.database.write(_DROP, link=writer.state.link)
