"""A net change set written to the target, in an order in which no constraint of the source can break.

Relationships deleted, nodes deleted, (only when a constraint refused the batch: updated elements emptied), nodes
created, nodes updated, relationships created, relationships updated. Every statement's count is checked: the map says
that the element is there, so anything else means that somebody else wrote to the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import TypeVar

import numpy as np

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph import cypher
from neo4j_dr_operator.graph.bolt_sync import Row, Transaction
from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.element_map import FlatMap, MapChange
from neo4j_dr_operator.graph.values import mistaken
from neo4j_dr_operator.replication import portions
from neo4j_dr_operator.replication.fold import Net, Nodes, Properties, Relationships
from neo4j_dr_operator.replication.link import LinkWriter

USUAL_CHANGES = 10_000
"""Up to here the link's own time limit holds for a transaction."""
SLOWEST_CHANGES, SLOWEST_BYTES = 1_000, 1_000_000
"""Changes and bytes a second that a target is expected to take at least, in transactions larger than that."""


def apply(writer: LinkWriter, net: Net, *, phase: str | None = None, drained: int = 0) -> None:
    """Write ``net`` in one transaction and move the link to its position (and to ``phase``, when given).

    ``drained``: so many of its transactions are counted in the link as taken from an archive.

    When a constraint refuses, the same once more with updated elements emptied first, which lets unique values move
    between elements. Raises :class:`errors.TargetAltered`, :class:`errors.ConstraintViolated` (a constraint that the
    source does not have), :class:`errors.Stale` and connection errors; see :meth:`LinkWriter.write`.
    """
    change = replace(
        writer.state,
        cursor=net.cursor,
        cursor_tx=net.position.tx,
        commit_millis=net.position.commit_millis or writer.state.commit_millis,
        heartbeat=net.heartbeat or writer.state.heartbeat,
        phase=phase or writer.state.phase,
        drained=writer.state.drained + drained,
    )
    within = _seconds(net, writer.database.timeout)
    try:
        writer.write(change, lambda tx: Batch(writer, tx, net).run(), within)
    except errors.StillConnected as error:
        raise errors.TargetAltered("a node to delete has relationships in the target that the source lacks") from error
    except errors.ConstraintViolated:
        writer.write(change, lambda tx: Batch(writer, tx, net, clear=True).run(), within)


def _seconds(net: Net, usual: float) -> float | None:
    """The time limit of a transaction that is larger than a batch, by rates that any target reaches; else None."""
    if net.changes <= USUAL_CHANGES and net.size <= portions.STATEMENT_BYTES:
        return None
    return usual + net.changes / SLOWEST_CHANGES + net.size / SLOWEST_BYTES


Rows = TypeVar("Rows", Nodes, Relationships)


class Batch:
    """One net change set in one open transaction; also creates scanned elements for seeding."""

    def __init__(
        self,
        writer: LinkWriter,
        tx: Transaction,
        net: Net | None = None,
        *,
        clear: bool = False,
    ) -> None:
        self._tx = tx
        self._nodes: FlatMap = writer.map.nodes
        self._relationships: FlatMap = writer.map.relationships
        self._x4, self._x5 = writer.node_prefix, writer.relationship_prefix
        self._net = net
        self._size = 0 if net is None else net.size
        self._clear = clear
        self.change = MapChange()

    def run(self) -> MapChange:
        """Do it all; the result is what the map's journal has to keep."""
        net = self._net
        if net is None:
            raise ValueError("a batch without changes cannot be run")
        if net.idempotent:
            self._run_idempotent(net)
        else:
            self._run_exact(net)
        return self.change

    # -- a target that is exactly at the cursor --------------------------------------------------------------------

    def _run_exact(self, net: Net) -> None:
        self._delete_relationships(np.array(net.deleted_relationships, np.int64))
        self._delete_nodes(np.array(net.deleted_nodes, np.int64))
        if self._clear:
            self._empty(net)
        self.create_nodes(net.created_nodes)
        self._update_nodes(net.updated_nodes)
        self._relabel_nodes(net.relabelled_nodes)
        self.create_relationships(net.created_relationships)
        self._update_relationships(net.updated_relationships)

    def _delete_relationships(self, ids: Ids) -> None:
        if not len(ids):
            return
        self._by_ids(cypher.DELETE_RELATIONSHIPS, self._x5, self._known(self._relationships, ids))
        self._relationships.drop(ids)
        self.change.relationship_drops.append(ids)

    def _delete_nodes(self, ids: Ids) -> None:
        if not len(ids):
            return
        self._by_ids(cypher.DELETE_NODES, self._x4, self._known(self._nodes, ids))
        self._nodes.drop(ids)
        self.change.node_drops.append(ids)

    def _empty(self, net: Net) -> None:
        for ids in (net.updated_nodes.ids, net.relabelled_nodes.ids):
            self._by_ids(cypher.CLEAR_NODES, self._x4, self._known(self._nodes, ids))
        targets = self._known(self._relationships, net.updated_relationships.ids)
        self._by_ids(cypher.CLEAR_RELATIONSHIPS, self._x5, targets)

    def create_nodes(self, rows: Nodes) -> None:
        """Create nodes and remember them. Raises :class:`errors.TargetAltered` for an id that is mapped already."""
        for some in self._parts(rows):
            ids = self._unknown(self._nodes, some.ids)
            made = self._ids(len(ids), cypher.CREATE_NODES, p=some.properties, k=some.keys, l=some.names)
            self._nodes.put(ids, made)
            self.change.node_puts.append((ids, made))

    def _update_nodes(self, rows: Nodes) -> None:
        for some in self._parts(rows):
            targets = self._known(self._nodes, some.ids)
            self._unset(cypher.CLEAR_NODES, self._x4, targets, some.properties)
            self._count(
                len(some.ids),
                cypher.UPDATE_NODES,
                x=self._x4,
                a=targets,
                p=some.properties,
            )

    def _relabel_nodes(self, rows: Nodes) -> None:
        for some in self._parts(rows):
            targets = self._known(self._nodes, some.ids)
            self._unset(cypher.CLEAR_NODES, self._x4, targets, some.properties)
            self._count(
                len(some.ids),
                cypher.RELABEL_NODES,
                x=self._x4,
                a=targets,
                p=some.properties,
                k=some.keys,
                l=some.names,
            )

    def create_relationships(self, rows: Relationships) -> None:
        """Create relationships between mapped nodes and remember them. Raises as :meth:`create_nodes`."""
        for some in self._parts(rows):
            ids = self._unknown(self._relationships, some.ids)
            made = self._ids(
                len(ids),
                cypher.CREATE_RELATIONSHIPS,
                x=self._x4,
                a=self._known(self._nodes, some.starts),
                b=self._known(self._nodes, some.ends),
                p=some.properties,
                k=some.keys,
                l=some.names,
            )
            self._relationships.put(ids, made)
            self.change.relationship_puts.append((ids, made))

    def _update_relationships(self, rows: Relationships) -> None:
        for some in self._parts(rows):
            targets = self._known(self._relationships, some.ids)
            self._unset(cypher.CLEAR_RELATIONSHIPS, self._x5, targets, some.properties)
            self._count(
                len(some.ids),
                cypher.UPDATE_RELATIONSHIPS,
                x=self._x5,
                a=targets,
                p=some.properties,
            )

    # -- a target that a scan may have brought ahead of the cursor -------------------------------------------------

    def _run_idempotent(self, net: Net) -> None:
        replaced = net.deleted_relationships + net.created_relationships.ids
        self._delete_relationships(_mapped(self._relationships, replaced))
        self._detach(_mapped(self._nodes, net.deleted_nodes))
        self._merge_nodes(net.created_nodes)
        self._overwrite(net.relabelled_nodes)
        self.create_relationships(self._connected(net.created_relationships))
        known = self._relationships.find(net.updated_relationships.ids) >= 0
        self._update_relationships(select_relationships(net.updated_relationships, known))

    def _detach(self, ids: Ids) -> None:
        """Delete nodes with the relationships that the scan saw on a later life of their ids."""
        if not len(ids):
            return
        targets = self._known(self._nodes, ids)
        remaining = self._tx.row(cypher.DELETE_REMAINING, x=self._x4, a=targets)[0]
        if remaining:
            gone = self._relationships.sources_of(remaining)
            if len(gone) != len(remaining):
                raise errors.TargetAltered(
                    "a node to delete has relationships in the target that the link did not make"
                )
            self._relationships.drop(gone)
            self.change.relationship_drops.append(gone)
        self._delete_nodes(ids)

    def _merge_nodes(self, rows: Nodes) -> None:
        known = self._nodes.find(rows.ids) >= 0
        self._overwrite(select_nodes(rows, known))
        self.create_nodes(select_nodes(rows, ~known))

    def _overwrite(self, rows: Nodes) -> None:
        for some in self._parts(select_nodes(rows, self._nodes.find(rows.ids) >= 0)):
            targets = self._known(self._nodes, some.ids)
            self._unset(cypher.CLEAR_NODES, self._x4, targets, some.properties)
            self._count(
                len(some.ids),
                cypher.OVERWRITE_NODES,
                x=self._x4,
                a=targets,
                p=some.properties,
                k=some.keys,
                l=some.names,
            )

    def _connected(self, rows: Relationships) -> Relationships:
        """Only the rows whose two ends the target has."""
        known = (self._nodes.find(rows.starts) >= 0) & (self._nodes.find(rows.ends) >= 0)
        return select_relationships(rows, known)

    # -- checked statements ----------------------------------------------------------------------------------------

    def _parts(self, rows: Rows) -> Iterator[Rows]:
        """The rows, for one statement each."""
        if len(rows.ids) <= portions.STATEMENT_ROWS and self._size <= portions.STATEMENT_BYTES:
            if rows.ids:
                yield rows
            return
        for part in portions.statements(rows.properties, self._size):
            yield rows.part(part)

    def _by_ids(self, query: str, prefix: str, targets: list[int]) -> None:
        for first in range(0, len(targets), portions.STATEMENT_ROWS):
            part = targets[first : first + portions.STATEMENT_ROWS]
            self._count(len(part), query, x=prefix, a=part)

    def _unset(self, query: str, prefix: str, targets: list[int], properties: Sequence[Properties]) -> None:
        """Empty the elements whose new values the server might take for their old ones, and would pass over.

        In the source the value was removed in between, or the element was another one, and both are folded away.
        """
        hard = [target for target, row in zip(targets, properties, strict=True) if any(map(mistaken, row.values()))]
        self._by_ids(query, prefix, hard)

    def _known(self, elements: FlatMap, ids: Sequence[int] | Ids) -> list[int]:
        targets = elements.find(ids)
        if len(targets) and int(targets.min()) < 0:
            missing = int(np.asarray(ids)[int((targets < 0).argmax())])
            raise errors.TargetAltered(f"the stream changes element {missing}, which the link has never seen created")
        known: list[int] = targets.tolist()
        return known

    def _unknown(self, elements: FlatMap, ids: Sequence[int]) -> Ids:
        sources = np.array(ids, np.int64)
        found = elements.find(sources)
        if int(found.max()) >= 0:
            raise errors.TargetAltered(f"the stream creates element {int(sources[int(found.argmax())])} a second time")
        return sources

    def _count(self, wanted: int, query: str, **params: object) -> None:
        def look(row: Row) -> None:
            if row[0] != wanted:
                raise errors.TargetAltered(
                    f"the target holds {row[0]} of {wanted} elements that the link has put there"
                )

        self._tx.send(look, query, **params)

    def _ids(self, wanted: int, query: str, **params: object) -> Ids:
        got = np.array(self._tx.row(query, **params)[0], np.int64)
        if len(got) != wanted:
            raise errors.TargetAltered(f"the target took {len(got)} of {wanted} elements")
        return got


def _mapped(elements: FlatMap, ids: list[int]) -> Ids:
    unique = np.unique(np.array(ids, np.int64))
    return unique[elements.find(unique) >= 0]


def select_nodes(rows: Nodes, mask: np.ndarray[tuple[int], np.dtype[np.bool]]) -> Nodes:
    """The rows where ``mask`` is true."""
    if bool(mask.all()):
        return rows
    keep = mask.tolist()
    return Nodes(
        list(compress(rows.ids, keep)),
        list(compress(rows.keys, keep)),
        list(compress(rows.properties, keep)),
        rows.names,
    )


def select_relationships(rows: Relationships, mask: np.ndarray[tuple[int], np.dtype[np.bool]]) -> Relationships:
    """The rows where ``mask`` is true; columns that a statement does not use may be empty."""
    if bool(mask.all()):
        return rows
    keep = mask.tolist()
    return Relationships(
        ids=list(compress(rows.ids, keep)),
        starts=list(compress(rows.starts, keep)),
        ends=list(compress(rows.ends, keep)),
        keys=list(compress(rows.keys, keep)),
        properties=list(compress(rows.properties, keep)),
        names=rows.names,
    )
