"""The reverse direction after a promotion, without a rebuild: the frozen map of the old direction, inverted.

After B was promoted, the link A>B is frozen in B at A's position C, and what B committed after its promotion (the
barrier) is what A lacks. The link B>A is made in A: its map is the frozen one inverted, its cursor the barrier. Until
the last step the link stands in phase ``handover``; whoever finds it there starts over, clearing first.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import LINK
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import checkpoint, link, schema, seed
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.stream import from_source

_LOCK = (
    f"MATCH (l:{LINK} {{link: $link}}) SET l.lock = $nonce "
    "RETURN collect(properties(l)), collect(split(elementId(l), ':')[1])"
)
_TAKE = f"MATCH (l:{LINK} {{link: $link}}) SET l += $values RETURN count(*)"


def wanted(state: LinkState | None, epoch: int) -> bool:
    """Whether the link in the target still has to be made (again) for this epoch."""
    return state is None or state.epoch < epoch or (state.epoch == epoch and state.phase == link.HANDOVER)


def hand_over(
    source: Database,
    target: Database,
    name: str,
    epoch: int,
    inverse: str,
    barrier: str,
    faults: Faults,
) -> LinkWriter:
    """Make link ``name`` in ``target`` from the frozen link ``inverse`` in ``source``; ready to stream when it returns.

    Raises :class:`errors.Stale` when the frozen link is not frozen at this epoch, or the new one is taken by a later
    one; :class:`errors.TargetAltered` when the target is not what the frozen link was made from.
    """
    with from_source():
        frozen = checkpoint.load(source, inverse)
    if frozen.state.phase != link.FROZEN or frozen.state.epoch != epoch:
        raise errors.Stale(
            f"link {inverse} is at epoch {frozen.state.epoch}, phase {frozen.state.phase}; wanted frozen at {epoch}"
        )
    position = Position.decode(barrier)
    state = _take(target, name, epoch, position)
    if (frozen.state.source_db, frozen.state.target_db) != (
        state.target_db,
        position.database,
    ):
        raise errors.TargetAltered(f"link {inverse} was made between other databases than these")
    elements = frozen.elements.inverted()
    held, mapped = (
        seed.counts(target),
        (elements.nodes.count(), elements.relationships.count()),
    )
    if held != mapped:
        raise errors.TargetAltered(
            f"the target holds {held[0]} nodes and {held[1]} relationships, "
            f"the map of {inverse} {mapped[0]} and {mapped[1]}"
        )
    writer = LinkWriter(target, state, elements, faults)
    checkpoint.clear(writer)
    schema.adopt(source, target, name, epoch)
    checkpoint.save(writer, replace(writer.state, phase=link.STREAMING))
    return writer


def _take(target: Database, name: str, epoch: int, barrier: Position) -> LinkState:
    """The link node in phase handover at this epoch, made or taken over.

    Whoever takes it moves it on, from what it is under its lock: of two workers that take it, the first one knows
    another state then, and its next transaction is refused.
    """
    state = LinkState(
        link=name,
        epoch=epoch,
        phase=link.HANDOVER,
        cursor=barrier.text,
        cursor_tx=barrier.tx,
        source_db=barrier.database,
        commit_millis=barrier.commit_millis,
    )
    if link.read(target, name) is None:
        return link.create(target, state)
    with target.transaction() as tx:
        links, homes = tx.row(_LOCK, link=name, nonce=uuid.uuid4().hex)
        found = [LinkState.of(properties) for properties in links]
        if not found or not wanted(found[0], epoch):
            raise errors.Stale(f"link {name} was taken by another worker or a later epoch than {epoch}")
        before, seq = found[0], found[0].seq + 1
        state = replace(state, target_db=homes[0], seq=seq, gen=before.gen, gen_seq=seq)
        tx.row(_TAKE, link=name, values=state.properties())
        tx.commit()
    return state
