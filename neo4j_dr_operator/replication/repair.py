"""Bringing a copy back to its source in place: what the element map pairs is compared, what differs is written.

A page of the source's ids is compared with what stands under them in the target: elements that are alike stay
untouched, others are overwritten, made or deleted. The pairs need not be true ones: whatever the map calls the copy of
an id is made that copy, so that the same works after a gap in the stream and over another database altogether.
``docs/replication.md`` says why the result is exact.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph import cypher
from neo4j_dr_operator.graph.bolt_sync import Row, Transaction
from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.graph.element_map import FlatMap, MapChange
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.graph.values import tagged
from neo4j_dr_operator.replication import scan
from neo4j_dr_operator.replication.apply import select_nodes, select_relationships
from neo4j_dr_operator.replication.fold import Net, Nodes, Relationships
from neo4j_dr_operator.replication.link import LinkWriter
from neo4j_dr_operator.replication.scan import NODES_END, RELATIONSHIPS_END, Page

_BITS = struct.Struct(">d")
_HAS_NODES = (
    "UNWIND range(0, size($a) - 1) AS i MATCH (n) WHERE elementId(n) = $x + $a[i] "
    "RETURN collect(i), collect(labels(n)), collect(properties(n))"
)
_HAS_RELATIONSHIPS = (
    "UNWIND range(0, size($a) - 1) AS i MATCH (s)-[r]->(e) WHERE elementId(r) = $x + $a[i] "
    "RETURN collect(i), collect(type(r)), collect(id(s)), collect(id(e)), collect(properties(r))"
)
_NODES_HERE = (
    f"UNWIND range($a, $b) AS i MATCH (n) WHERE elementId(n) = $x + i AND NOT n:{BOOKKEEPING} RETURN collect(i)"
)
_RELATIONSHIPS_HERE = "UNWIND range($a, $b) AS i MATCH ()-[r]->() WHERE elementId(r) = $x + i RETURN collect(i)"
_SWEEP = 20_000
_DELETES = 1_000


def identical(one: Any, two: Any) -> bool:
    """Whether two property values, or maps of them, are the same to the last bit and to the type (pure)."""
    kind = one.__class__
    if kind is not two.__class__:
        return False
    if kind is str or kind is int or kind is bool or kind is bytes:
        return bool(one == two)
    if kind is float:
        return _BITS.pack(one) == _BITS.pack(two)
    if kind is dict:
        return len(one) == len(two) and all(name in two and identical(value, two[name]) for name, value in one.items())
    if kind is list:
        return len(one) == len(two) and all(map(identical, one, two))
    return identical(tagged(one), tagged(two))


def mapped_between(elements: FlatMap, first: int, after: int) -> Ids:
    """Source ids from ``first`` to ``after`` - 1 that the map knows."""
    ids = np.arange(first, min(after, elements.top), dtype=np.int64)
    return ids[elements.find(ids) >= 0] if len(ids) else ids


def bounded(page: Page, elements: FlatMap, most: int) -> Iterator[Page]:
    """The page in pieces under each of which the map knows at most ``most`` ids, so that no transaction deletes more.

    Only a page over more ids than that can need it: the one of a source with few relationships, which has all ids.
    """
    if page.after - page.first <= most:
        yield page
        return
    yield from page.cut(mapped_between(elements, page.first, page.after)[most::most].tolist())


def node_repairs(writer: LinkWriter, rows: Nodes, first: int, after: int) -> Net | None:
    """What makes the target's copies of the ids ``first`` to ``after`` - 1 equal to ``rows``; None: nothing."""
    nodes = writer.map.nodes
    known = mapped_between(nodes, first, after)
    gone = np.setdiff1d(known, np.array(rows.ids, np.int64))
    targets = nodes.find(rows.ids)
    alike = np.zeros(len(rows.ids), bool)
    at = np.flatnonzero(targets >= 0)
    if len(at):
        found = writer.database.row(_HAS_NODES, x=writer.node_prefix, a=targets[at].tolist())
        for i, labels, properties in zip(*found, strict=True):
            row = int(at[i])
            wanted = rows.names[rows.keys[row]]
            alike[row] = sorted(labels) == sorted(wanted) and identical(properties, rows.properties[row])
    if not len(gone) and bool(alike.all()):
        return None
    net = _net(writer)
    net.deleted_nodes = gone.tolist()
    net.created_nodes = select_nodes(rows, ~alike)
    return net


def relationship_repairs(writer: LinkWriter, rows: Relationships, first: int, after: int) -> Net | None:
    """The same for relationships; the ends of ``rows`` are mapped."""
    relationships = writer.map.relationships
    known = mapped_between(relationships, first, after)
    gone = np.setdiff1d(known, np.array(rows.ids, np.int64))
    targets = relationships.find(rows.ids)
    alike, only_properties = np.zeros(len(rows.ids), bool), np.zeros(len(rows.ids), bool)
    at = np.flatnonzero(targets >= 0)
    if len(at):
        starts, ends = writer.map.nodes.find(rows.starts), writer.map.nodes.find(rows.ends)
        found: Row = writer.database.row(_HAS_RELATIONSHIPS, x=writer.relationship_prefix, a=targets[at].tolist())
        for i, kind, start, end, properties in zip(*found, strict=True):
            row = int(at[i])
            if (kind, start, end) == (rows.names[rows.keys[row]], starts[row], ends[row]):
                alike[row] = identical(properties, rows.properties[row])
                only_properties[row] = not alike[row]
    if not len(gone) and bool(alike.all()):
        return None
    net = _net(writer)
    net.deleted_relationships = gone.tolist()
    net.created_relationships = select_relationships(rows, ~(alike | only_properties))
    net.updated_relationships = select_relationships(rows, only_properties)
    return net


def _net(writer: LinkWriter) -> Net:
    """An empty change set that is applied to what may be there already or not."""
    cursor = writer.state.cursor
    return Net(
        cursor=cursor,
        position=Position.decode(cursor),
        changes=0,
        transactions=0,
        heartbeat=None,
        idempotent=True,
        deleted_relationships=[],
        deleted_nodes=[],
        created_nodes=Nodes(),
        updated_nodes=Nodes(),
        relabelled_nodes=Nodes(),
        created_relationships=Relationships(),
        updated_relationships=Relationships(),
    )


def sweep(writer: LinkWriter) -> None:
    """Delete what stands in the target and not in the map, and forget what the map knows and the target lacks.

    May be repeated. Reads ids only: 1 byte an id of memory, :data:`_DELETES` elements a transaction.
    """
    _sweep(
        writer,
        writer.map.relationships,
        RELATIONSHIPS_END,
        _RELATIONSHIPS_HERE,
        writer.relationship_prefix,
        node=False,
    )
    _sweep(writer, writer.map.nodes, NODES_END, _NODES_HERE, writer.node_prefix, node=True)


def _sweep(writer: LinkWriter, elements: FlatMap, end: str, here: str, prefix: str, *, node: bool) -> None:
    targets = elements.pairs()[1]
    top = max(scan.end(writer.database, end), int(targets.max()) + 1 if len(targets) else 0)
    expected = np.zeros(top, bool)
    expected[targets] = True
    for first in range(0, top, _SWEEP):
        after = min(first + _SWEEP, top)
        present = np.zeros(after - first, bool)
        present[np.array(writer.database.row(here, x=prefix, a=first, b=after - 1)[0], np.int64) - first] = True
        wanted = expected[first:after]
        foreign, missing = np.flatnonzero(present & ~wanted) + first, np.flatnonzero(wanted & ~present) + first
        for part in np.array_split(foreign, len(foreign) // _DELETES + 1):
            if len(part):
                _remove(writer, part.tolist(), prefix, node=node)
        if len(missing):
            _forget(writer, elements.sources_of(missing.tolist()), node=node)


def _remove(writer: LinkWriter, targets: list[int], prefix: str, *, node: bool) -> None:
    """Delete elements that the link did not make, with the relationships that foreign nodes have."""

    def body(tx: Transaction) -> MapChange:
        change = MapChange()
        if node:
            remaining = tx.row(cypher.DELETE_REMAINING, x=prefix, a=targets)[0]
            gone = writer.map.relationships.sources_of(remaining)
            writer.map.relationships.drop(gone)
            change.relationship_drops.append(gone)
        query = cypher.DELETE_NODES if node else cypher.DELETE_RELATIONSHIPS
        if tx.row(query, x=prefix, a=targets)[0] != len(targets):
            raise errors.TargetAltered("the target is being written to by somebody else")
        return change

    writer.write(writer.state, body)


def _forget(writer: LinkWriter, sources: Ids, *, node: bool) -> None:
    """Drop map entries whose elements the target has lost."""

    def body(_: Transaction) -> MapChange:
        change = MapChange()
        (writer.map.nodes if node else writer.map.relationships).drop(sources)
        (change.node_drops if node else change.relationship_drops).append(sources)
        return change

    writer.write(writer.state, body)
