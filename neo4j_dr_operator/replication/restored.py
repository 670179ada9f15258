"""What a restore left in a database, as links see it: not to be written to, not to be followed, until it is resumed.

A restore notes itself in its target with the transaction that takes the target away from every link. From then on the
note is what protects the graph: a link worker that finds it refuses. The request that fills the standby anew names the
restore that it ends (``supersedes``); the transaction that makes the link marks the note as resumed. The restore's own
element map is taken over, so that only what differs from the source is written. ``docs/restore.md`` has the protocol.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LINK, LOG, MAP, RESTORE
from neo4j_dr_operator.graph.note import PREFIX, STANDING, link_name, spoken
from neo4j_dr_operator.replication import checkpoint, link, schema, seed
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.stream import from_source

_DELETES = 500
_NOTES = f"{STANDING} RETURN collect([r.restore, coalesce(r.complete, false)])"
_SEEN = f"{STANDING} AND r.complete SET r.resumed = $by RETURN count(*)"
_LOCK = f"MATCH (l:{LINK}) SET l.lock = $nonce RETURN count(*)"
_RESUME = (
    f"MATCH (r:{RESTORE} {{restore: $restore}}) SET r.lock = $nonce WITH r WHERE coalesce(r.resumed, '') = '' "
    "SET r.resumed = $by REMOVE r.lock RETURN count(*)"
)
_FENCE = f"MATCH (l:{LINK} {{link: $link}}) SET l.phase = '{link.FROZEN}' RETURN count(*)"
_STRAYS = f"MATCH (l:{LINK}) WHERE l.link <> $link DELETE l RETURN count(*)"
_CREATE = (
    f"CREATE (l:{BOOKKEEPING}:{LINK}) SET l = $values, l.schemaNames = $names, "
    "l.targetDb = split(elementId(l), ':')[1] RETURN l.targetDb"
)
_LEFT = f"MATCH (l:{LINK} {{phase: '{link.FROZEN}'}}) WHERE l.link STARTS WITH '{PREFIX}' RETURN collect(l.link)"
_ROWS = "MATCH (n:{}) WHERE {} WITH n LIMIT $limit DELETE n RETURN count(*)"
_FOREIGN = "n.link <> $left"
_DROP = f"MATCH (l:{LINK} {{link: $left}}) DELETE l RETURN count(*)"


@dataclass(frozen=True)
class Note:
    """A restore that stands in a database, and whether it has ended."""

    restore: str
    complete: bool


def notes(database: Database) -> list[Note]:
    """The restores whose graph stands in a database: at most one. A member that lags would not know of it yet."""
    return [Note(*each) for each in database.row(_NOTES, leading=True)[0]]


def check(target: Database, supersedes: str) -> Note | None:
    """The note of the restore that is to be superseded, if it still stands; None: nothing is in the way of a link.

    Raises :class:`errors.TargetRestored`, :class:`errors.TargetRestoring`.
    """
    found = None
    for note in notes(target):
        if note.restore == supersedes:
            found = note
        elif note.complete:
            raise errors.TargetRestored(f"the target holds what restore {spoken(note.restore)} has put there")
        else:
            raise errors.TargetRestoring(f"restore {spoken(note.restore)} has begun in the target and has not ended")
    return found


def check_source(source: Database, state: LinkState, *, anew: bool) -> bool:
    """Whether the source holds what a restore has put there, which the copy takes as it is: it is being filled, or is
    to be filled (``anew``). :func:`settle` says so to the source, once the link does.

    A copy must not follow its source through a restore, which begins with deleting everything: as the source's,
    :class:`errors.SourceRestored` is raised for a streaming one, and for any while the restore has not ended.
    """
    with from_source():
        found = notes(source)
        for note in found:
            if not note.complete:
                raise errors.SourceRestored(f"restore {spoken(note.restore)} has begun in the source and has not ended")
            if state.phase == link.STREAMING and not anew:
                raise errors.SourceRestored(f"the source holds what restore {spoken(note.restore)} has put there")
    return bool(found)


def settle(source: Database, name: str) -> None:
    """Note in the source that link ``name`` copies what the restore has put there."""
    with from_source():
        source.write(_SEEN, by=name)


def take_over(source: Database, target: Database, state: LinkState, restore: str) -> LinkState:
    """End a restore's say over the target, in one transaction, and make the link ``state`` (as of a scan's beginning).

    Its constraints and indexes become the link's own. Raises :class:`errors.Stale` when that was done by another
    worker, :class:`errors.SameDatabase`, :class:`errors.SourceEmpty`.
    """
    names = sorted(rule.name for rule in schema.rules(target).values())
    seed.refuse_empty(source, seed.counts(target))
    nonce, left = uuid.uuid4().hex, link_name(restore)
    with target.transaction() as tx:
        tx.row(_LOCK, nonce=nonce)
        if tx.row(_RESUME, restore=restore, nonce=nonce, by=state.reseed)[0] != 1:
            raise errors.Stale(f"what restore {spoken(restore)} has put there was taken over by another worker")
        tx.row(_FENCE, link=left)
        tx.row(_STRAYS, link=left)
        made = tx.row(_CREATE, values=state.properties(), names=names)[0]
        if made == state.source_db:
            raise errors.SameDatabase("source and target are the same database")
        tx.commit()
    return replace(state, target_db=made)


def inherit(writer: LinkWriter) -> LinkWriter:
    """The writer with the element map of the restore that was superseded, until that has been taken over as a whole.

    Any pairs do: what the map calls the copy of an id is made that copy. May be repeated after any crash.
    """
    for left in writer.database.row(_LEFT)[0]:
        if writer.state.gen == 0:
            for kind in (LOG, MAP):
                _repeat(writer, kind, _FOREIGN, left)
            elements = checkpoint.load(writer.database, left).elements
            writer = LinkWriter(writer.database, writer.state, elements, writer.faults)
            ends = writer.state.scan_nodes_end, writer.state.scan_rels_end
            change = replace(
                writer.state,
                scan_nodes_end=max(ends[0], elements.nodes.top),
                scan_rels_end=max(ends[1], elements.relationships.top),
            )
            checkpoint.save(writer, change)
        for kind in (LOG, MAP):
            _repeat(writer, kind, "n.link = $left", left)
        writer.guarded(_DROP, left=left)
    return writer


def _repeat(writer: LinkWriter, kind: str, which: str, left: str) -> None:
    query = _ROWS.format(kind, which)
    while writer.guarded(query, limit=_DELETES, left=left) == _DELETES:
        pass
