"""A net change set written to the target, in an order in which no constraint of the source can break.

Relationships deleted, nodes deleted, (only when a constraint refused the batch: updated elements emptied), nodes
created, nodes updated, relationships created, relationships updated. Every statement's count is checked: the map says
that the element is there, so anything else means that somebody else wrote to the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph import cypher
from neo4j_dr_operator.graph.bolt_sync import Transaction
from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.element_map import FlatMap, MapChange
from neo4j_dr_operator.replication.fold import Net, Nodes, Relationships
from neo4j_dr_operator.replication.link import LinkWriter


def apply(writer: LinkWriter, net: Net, *, phase: str | None = None) -> None:
    """Write ``net`` in one transaction and move the link to its position (and to ``phase``, when given).

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
    )
    try:
        writer.write(change, lambda tx: Batch(writer, tx, net).run())
    except errors.StillConnected as error:
        raise errors.TargetAltered("a node to delete has relationships in the target that the source lacks") from error
    except errors.ConstraintViolated:
        writer.write(change, lambda tx: Batch(writer, tx, net, clear=True).run())


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
        targets = self._known(self._relationships, ids)
        self._count(len(ids), cypher.DELETE_RELATIONSHIPS, x=self._x5, a=targets)
        self._relationships.drop(ids)
        self.change.relationship_drops.append(ids)

    def _delete_nodes(self, ids: Ids) -> None:
        if not len(ids):
            return
        targets = self._known(self._nodes, ids)
        self._count(len(ids), cypher.DELETE_NODES, x=self._x4, a=targets)
        self._nodes.drop(ids)
        self.change.node_drops.append(ids)

    def _empty(self, net: Net) -> None:
        for ids in (net.updated_nodes.ids, net.relabelled_nodes.ids):
            if ids:
                self._count(
                    len(ids),
                    cypher.CLEAR_NODES,
                    x=self._x4,
                    a=self._known(self._nodes, ids),
                )
        if ids := net.updated_relationships.ids:
            targets = self._known(self._relationships, ids)
            self._count(len(ids), cypher.CLEAR_RELATIONSHIPS, x=self._x5, a=targets)

    def create_nodes(self, rows: Nodes) -> None:
        """Create nodes and remember them. Raises :class:`errors.TargetAltered` for an id that is mapped already."""
        if not rows.ids:
            return
        ids = self._unknown(self._nodes, rows.ids)
        made = self._ids(len(ids), cypher.CREATE_NODES, p=rows.properties, k=rows.keys, l=rows.names)
        self._nodes.put(ids, made)
        self.change.node_puts.append((ids, made))

    def _update_nodes(self, rows: Nodes) -> None:
        if rows.ids:
            targets = self._known(self._nodes, rows.ids)
            self._count(
                len(rows.ids),
                cypher.UPDATE_NODES,
                x=self._x4,
                a=targets,
                p=rows.properties,
            )

    def _relabel_nodes(self, rows: Nodes) -> None:
        if rows.ids:
            targets = self._known(self._nodes, rows.ids)
            self._count(
                len(rows.ids),
                cypher.RELABEL_NODES,
                x=self._x4,
                a=targets,
                p=rows.properties,
                k=rows.keys,
                l=rows.names,
            )

    def create_relationships(self, rows: Relationships) -> None:
        """Create relationships between mapped nodes and remember them. Raises as :meth:`create_nodes`."""
        if not rows.ids:
            return
        ids = self._unknown(self._relationships, rows.ids)
        made = self._ids(
            len(ids),
            cypher.CREATE_RELATIONSHIPS,
            x=self._x4,
            a=self._known(self._nodes, rows.starts),
            b=self._known(self._nodes, rows.ends),
            p=rows.properties,
            k=rows.keys,
            l=rows.names,
        )
        self._relationships.put(ids, made)
        self.change.relationship_puts.append((ids, made))

    def _update_relationships(self, rows: Relationships) -> None:
        if rows.ids:
            targets = self._known(self._relationships, rows.ids)
            self._count(
                len(rows.ids),
                cypher.UPDATE_RELATIONSHIPS,
                x=self._x5,
                a=targets,
                p=rows.properties,
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
        rows = select_nodes(rows, self._nodes.find(rows.ids) >= 0)
        if rows.ids:
            targets = self._known(self._nodes, rows.ids)
            self._count(
                len(rows.ids),
                cypher.OVERWRITE_NODES,
                x=self._x4,
                a=targets,
                p=rows.properties,
                k=rows.keys,
                l=rows.names,
            )

    def _connected(self, rows: Relationships) -> Relationships:
        """Only the rows whose two ends the target has."""
        known = (self._nodes.find(rows.starts) >= 0) & (self._nodes.find(rows.ends) >= 0)
        return select_relationships(rows, known)

    # -- checked statements ----------------------------------------------------------------------------------------

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
        got = self._tx.row(query, **params)[0]
        if got != wanted:
            raise errors.TargetAltered(f"the target holds {got} of {wanted} elements that the link has put there")

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
