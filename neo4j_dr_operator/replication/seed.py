"""Filling an empty target from a source that goes on writing.

The change stream's position is taken first, then everything is scanned by id ranges (each page one transaction in the
target, with the scan's place in it, so that a crash resumes at the page), then the stream is applied from that position
in idempotent mode until it has passed a position taken after the scan. Why that is exact: ``docs/replication.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database, Row, Transaction
from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.graph.element_map import MapChange
from neo4j_dr_operator.replication import link, stream
from neo4j_dr_operator.replication.apply import Batch, select_relationships
from neo4j_dr_operator.replication.fold import Names, Nodes, Relationships
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.stream import from_source

SPARSE = 50
"""A scan by ranges is refused when fewer than one id in this many is in use (beyond the first million)."""

_COUNTS = "RETURN COUNT { MATCH (n) }, COUNT { MATCH ()-[r]->() }"
_OURS = f"MATCH (n:{BOOKKEEPING}) RETURN count(n)"
_NODES_END = "MATCH (n) RETURN coalesce(max(id(n)), -1) + 1"
_RELS_END = "MATCH ()-[r]->() RETURN coalesce(max(id(r)), -1) + 1"
_SCAN_NODES = (
    "UNWIND range($a, $b) AS i MATCH (n) WHERE elementId(n) = $x + i WITH i, n, labels(n) AS l "
    f"WHERE NOT '{BOOKKEEPING}' IN l RETURN collect(i), collect(l), collect(properties(n))"
)
_SCAN_RELS = (
    "UNWIND range($a, $b) AS i MATCH (s)-[r]->(e) WHERE elementId(r) = $x + i RETURN collect(i), "
    "collect(coalesce(type(r), '')), collect(coalesce(id(s), -1)), collect(coalesce(id(e), -1)), collect(properties(r))"
)
_GONE = "Neo.ClientError.Statement.EntityNotFound"


def counts(database: Database) -> tuple[int, int]:
    """User nodes and relationships that the database holds, from its count store."""
    nodes, relationships = database.row(_COUNTS)
    return nodes - database.row(_OURS)[0], relationships


def begin(source: Database, target: Database, name: str, epoch: int) -> LinkState:
    """Make the link in a target without user data. Raises :class:`errors.TargetNotEmpty`,
    :class:`errors.SameDatabase`, :class:`errors.UnsupportedIds` for ids too sparse to scan by ranges."""
    with from_source():
        start = stream.current(source)  # before the ends are read: what appears behind them is in the stream
        nodes_end, rels_end = source.row(_NODES_END)[0], source.row(_RELS_END)[0]
        nodes, rels = source.row(_COUNTS)
    for kind, end, count in (
        ("node", nodes_end, nodes),
        ("relationship", rels_end, rels),
    ):
        if end > SPARSE * count + 1_000_000:
            raise errors.UnsupportedIds(f"{kind} ids are too sparse to scan: {count} in use up to {end}")
    if any(counts(target)):
        raise errors.TargetNotEmpty("the target holds user data; seeding fills empty databases only")
    return link.create(
        target,
        LinkState(
            link=name,
            epoch=epoch,
            phase=link.SEEDING,
            cursor=start.text,
            cursor_tx=start.tx,
            source_db=start.database,
            scan_nodes_end=nodes_end,
            scan_rels_end=rels_end,
        ),
    )


def scan(source: Database, writer: LinkWriter, page: int, go_on: Callable[[], bool]) -> bool:
    """Scan what is still missing, then leave the link in phase catching-up with its barrier.

    ``page``: ids a transaction; ``go_on`` is called after each, False ends the scan early (and is the result).
    """
    with ThreadPoolExecutor(1, thread_name_prefix="seed-read") as pool:
        for rows in _pages(
            pool,
            source,
            _SCAN_NODES,
            f"4:{writer.state.source_db}:",
            _nodes_left(writer),
            page,
        ):
            _write_nodes(writer, rows)
            if not go_on():
                return False
        for rows in _pages(
            pool,
            source,
            _SCAN_RELS,
            f"5:{writer.state.source_db}:",
            _rels_left(writer),
            page,
        ):
            _write_relationships(writer, rows)
            if not go_on():
                return False
    with from_source():
        barrier = stream.current(source)
    done = writer.state
    writer.write(
        replace(
            done,
            phase=link.CATCHING_UP,
            scan_nodes=done.scan_nodes_end,
            scan_rels=done.scan_rels_end,
            seed_barrier=barrier.text,
            seed_barrier_tx=barrier.tx,
        )
    )
    return True


def _nodes_left(writer: LinkWriter) -> range:
    return range(writer.state.scan_nodes, writer.state.scan_nodes_end)


def _rels_left(writer: LinkWriter) -> range:
    return range(writer.state.scan_rels, writer.state.scan_rels_end)


def _pages(
    pool: ThreadPoolExecutor,
    source: Database,
    query: str,
    prefix: str,
    ids: range,
    page: int,
) -> Iterator[tuple[int, Row]]:
    """(id after the page, its columns), the next page being read while this one is written."""

    def read(first: int) -> Row:
        return _read_page(source, query, prefix, first, min(first + page, ids.stop) - 1)

    ahead = pool.submit(read, ids.start) if ids else None
    for first in ids[::page]:
        if ahead is None:
            return
        with from_source():
            columns = ahead.result()
        after = min(first + page, ids.stop)
        ahead = pool.submit(read, after) if after < ids.stop else None
        if columns[0]:
            yield after, columns


def _read_page(source: Database, query: str, prefix: str, first: int, last: int) -> Row:
    while True:
        try:
            return source.row(query, x=prefix, a=first, b=last)
        except errors.QueryFailed as error:
            if error.code != _GONE:  # an element of the page was deleted while it was read: read the page again
                raise


def _write_nodes(writer: LinkWriter, page: tuple[int, Row]) -> None:
    after, (ids, labels, properties) = page
    names = Names()
    keys = [names.number(tuple(each), each) for each in labels]
    rows = Nodes(ids, keys, properties, names.values)
    _write(
        writer,
        replace(writer.state, scan_nodes=after),
        lambda batch: batch.create_nodes(rows),
    )


def _write_relationships(writer: LinkWriter, page: tuple[int, Row]) -> None:
    """Relationships whose ends the target has. One with an end that the scan of nodes did not see was created after
    the stream's start, so the stream brings it."""
    after, (ids, kinds, starts, ends, properties) = page
    names = Names()
    rows = Relationships(
        ids,
        starts,
        ends,
        [names.number(kind, kind) for kind in kinds],
        properties,
        names.values,
    )
    nodes = writer.map.nodes
    usable = np.array([kind != "" and a >= 0 and b >= 0 for kind, a, b in zip(kinds, starts, ends, strict=True)])
    rows = select_relationships(rows, usable)
    rows = select_relationships(rows, (nodes.find(rows.starts) >= 0) & (nodes.find(rows.ends) >= 0))
    _write(
        writer,
        replace(writer.state, scan_rels=after),
        lambda batch: batch.create_relationships(rows),
    )


def _write(writer: LinkWriter, change: LinkState, create: Callable[[Batch], None]) -> None:
    def body(tx: Transaction) -> MapChange:
        batch = Batch(writer, tx)
        create(batch)
        writer.faults.at("page")
        return batch.change

    writer.write(change, body)
