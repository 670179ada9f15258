"""What a restore notes in its target: which restore it is, what it has begun with and up to where, and its end.

The node stands beside the link's own bookkeeping (:mod:`neo4j_dr_operator.replication.link`), which holds the position.
While it is there no link fills the target, and nothing promotes it (:mod:`neo4j_dr_operator.replication.restored`).
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, RESTORE, SITE
from neo4j_dr_operator.graph.note import link_name
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import checkpoint, link, seed
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.restore.config import RestoreConfig
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.refusals import ActivePrimary, RestoreSuperseded, RestoreUnderWay

_READ = f"MATCH (r:{RESTORE}) RETURN collect(properties(r))"
_LOCK = f"MATCH (l:{LINK}) SET l.lock = $nonce RETURN count(*)"
_ROLE = f"OPTIONAL MATCH (s:{SITE} {{key: 'site'}}) SET s.lock = $nonce RETURN coalesce(s.role, ''), s.dr"
_BEGUN = f"MATCH (r:{RESTORE} {{restore: $restore}}) RETURN count(*)"
_FENCE = f"MATCH (l:{LINK}) DETACH DELETE l RETURN count(*)"
_FORGET = f"MATCH (r:{RESTORE}) DETACH DELETE r RETURN count(*)"
_BEGIN = (
    f"CREATE (l:{BOOKKEEPING}:{LINK}) SET l = $link, l.targetDb = split(elementId(l), ':')[1] "
    f"CREATE (r:{BOOKKEEPING}:{RESTORE}) SET r = $restore RETURN l.targetDb"
)
_END = f"MATCH (r:{RESTORE} {{restore: $restore}}) SET r.complete = true, r += $values RETURN count(*)"
_DROP = f"MATCH (l:{LINK} {{link: $link}}) DELETE l RETURN count(*)"


@dataclass(frozen=True)
class Noted:
    """What the node says. ``asked``: the point as it was asked for; ``millis``, ``tx``: its bound, -1 for none.

    ``overwrite``: what stood there before may be deleted. ``resumed``: the request by which replication was resumed
    over it, empty while it stands. After the end (``complete``): the numbers of then, and ``at``, the commit time of
    the last transaction (ms since 1970).
    """

    restore: str
    archive: str
    snapshot: str
    asked: str
    millis: int = -1
    tx: int = -1
    overwrite: bool = False
    resumed: str = ""
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


def noted(database: Database, config: RestoreConfig) -> Noted | None:
    """What this restore has noted; None when it has not begun, and may.

    Raises :class:`RestoreUnderWay` for another one's, :class:`RestoreSuperseded`, :class:`errors.TargetNotEmpty`.
    """
    for each in database.row(_READ)[0]:
        note = Noted(**each)
        if note.restore == config.restore:
            if note.asked != config.asked:
                raise RestoreUnderWay(f"restore {note.restore} has begun for another point, {note.asked}")
            if note.resumed and not note.complete:
                raise RestoreSuperseded(f"replication was resumed over what restore {note.restore} had begun")
            return note
        if not (note.complete or note.resumed or config.overwrite):
            raise RestoreUnderWay(f"the target holds what restore {note.restore} has begun")
    if not config.overwrite and any(held := seed.counts(database)):
        raise errors.TargetNotEmpty(f"the target holds {held[0]} nodes; a restore fills empty databases only")
    return None


def begin(database: Database, note: Noted, manifest: Manifest, *, force: bool) -> LinkState:
    """Note the beginning, in one transaction, which also ends every other link's right to write to the target.

    Nothing of users is touched yet. Raises :class:`errors.Stale` when this restore has begun meanwhile,
    :class:`ActivePrimary` unless ``force``, :class:`errors.TargetNotEmpty` for a target that a link fills.
    """
    link.prepare(database)
    start = Position.decode(manifest.start)
    state = LinkState(
        link=link_name(note.restore),
        epoch=manifest.epoch,
        phase=link.EMPTYING,
        cursor=start.text,
        cursor_tx=start.tx,
        source_db=manifest.database,
        scan_nodes_end=manifest.nodes_end,
        scan_rels_end=manifest.relationships_end,
        seed_barrier=manifest.position,
        seed_barrier_tx=manifest.tx,
    )
    nonce = uuid.uuid4().hex
    with database.transaction() as tx:
        links = tx.row(_LOCK, nonce=nonce)[0]  # links before the site, as a promotion locks them
        role, dr = tx.row(_ROLE, nonce=nonce)
        if tx.row(_BEGUN, restore=note.restore)[0]:
            raise errors.Stale(f"another worker has begun restore {note.restore}")
        if role == "primary" and not force:
            raise ActivePrimary(f"the target is the active site of {dr}")
        if links and not note.overwrite:
            raise errors.TargetNotEmpty("the target is filled by replication; a restore fills empty databases only")
        tx.row(_FENCE)
        tx.row(_FORGET)
        target: str = tx.row(_BEGIN, link=state.properties(), restore=asdict(note))[0]
        tx.commit()
    return LinkState.of({**state.properties(), "targetDb": target})


def end(writer: LinkWriter, note: Noted, nodes: int, relationships: int) -> Noted:
    """Note the end. May be repeated. Raises :class:`errors.Stale` when this restore was superseded."""
    state = writer.state
    values = {"nodes": nodes, "relationships": relationships, "position": state.cursor, "at": state.commit_millis}
    writer.guarded(_END, restore=note.restore, values=values)
    return replace(
        note, complete=True, nodes=nodes, relationships=relationships, position=state.cursor, at=state.commit_millis
    )


def clean(writer: LinkWriter) -> None:
    """Remove what a complete restore kept in the target, but for its note. May be repeated while the link is there."""
    checkpoint.clear(writer)
    writer.database.write(_DROP, link=writer.state.link)
