"""Filling a target from a source that goes on writing, and bringing a copy back to its source in place.

The change stream's position is taken first, then everything is scanned by id ranges (each page one transaction in the
target, with the scan's place in it, so that a crash resumes at the page), then the stream is applied from that position
in idempotent mode until it has passed a position taken after the scan. Re-seeding is the same over a target that holds
a copy: a page is compared with what stands in the target, and what differs is written. Why that is exact:
``docs/replication.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database, Transaction
from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.graph.element_map import FlatMap, MapChange
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import link, lost, repair, schema, stream
from neo4j_dr_operator.replication.apply import Batch, select_relationships
from neo4j_dr_operator.replication.fold import Names, Net, Nodes, Relationships
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.scan import NODES, NODES_END, RELATIONSHIPS, RELATIONSHIPS_END, Page, Pages
from neo4j_dr_operator.replication.scan import end as end_of
from neo4j_dr_operator.replication.stream import from_source

SPARSE = 50
"""A scan by ranges is refused when fewer than one id in this many is in use (beyond the first million)."""
LAGGING = 0.25
"""Seconds between two looks at a member that lags behind the scan's position."""
ALIKE = 20
"""Pages without a difference after which the scan's place is noted all the same."""

_COUNTS = "RETURN COUNT { MATCH (n) }, COUNT { MATCH ()-[r]->() }"
_OURS = f"MATCH (n:{BOOKKEEPING}) RETURN count(n)"


def counts(database: Database) -> tuple[int, int]:
    """User nodes and relationships that the database holds, from its count store."""
    nodes, relationships = database.row(_COUNTS)
    return nodes - database.row(_OURS)[0], relationships


@dataclass(frozen=True, slots=True)
class Start:
    """Where a scan begins: the stream's position, and the ends of the id ranges, read after it."""

    position: Position
    nodes_end: int
    rels_end: int

    @classmethod
    def of(cls, source: Database) -> Start:
        """Look. Raises :class:`errors.UnsupportedIds` for ids too sparse to scan by ranges."""
        with from_source():
            position = stream.current(source)  # before the ends are read: what appears behind them is in the stream
            ends = end_of(source, NODES_END), end_of(source, RELATIONSHIPS_END)
            used = source.row(_COUNTS)
        for kind, end, count in zip(("node", "relationship"), ends, used, strict=True):
            if end > SPARSE * count + 1_000_000:
                raise errors.UnsupportedIds(f"{kind} ids are too sparse to scan: {count} in use up to {end}")
        return cls(position, *ends)


def begin(source: Database, target: Database, name: str, epoch: int, reseed: str = "") -> LinkState:
    """Make the link in a target without user data; with ``reseed`` (a request) in one without a link.

    Raises :class:`errors.TargetNotEmpty`, :class:`errors.SameDatabase`, :class:`errors.UnsupportedIds`,
    :class:`errors.SourceEmpty`.
    """
    state = beginning(source, name, epoch, reseed)
    if any(held := counts(target)):
        if not reseed:
            raise errors.TargetNotEmpty("the target holds user data; seeding fills empty databases only")
        refuse_empty(source, held)
    return link.create(target, state)


def beginning(source: Database, name: str, epoch: int, reseed: str) -> LinkState:
    """The link before its scan. Raises :class:`errors.UnsupportedIds`."""
    start = Start.of(source)
    return LinkState(
        link=name,
        epoch=epoch,
        phase=link.SEEDING,
        cursor=start.position.text,
        cursor_tx=start.position.tx,
        source_db=start.position.database,
        scan_nodes_end=start.nodes_end,
        scan_rels_end=start.rels_end,
        reseed=reseed,
    )


def begin_again(source: Database, writer: LinkWriter, reseed: str) -> None:
    """Turn the copy into one that is being re-seeded, by the request ``reseed``: one transaction, nothing else yet.

    Raises as :func:`begin`; then nothing has changed.
    """
    start = Start.of(source)
    before = writer.state
    here = link.home(writer.database, before)  # the copy may have been loaded into another database since
    if start.position.database == here:
        raise errors.SameDatabase("source and target are the same database")
    refuse_empty(source, counts(writer.database))
    writer.write(
        replace(
            before,
            phase=link.SEEDING,
            cursor=start.position.text,
            cursor_tx=start.position.tx,
            source_db=start.position.database,
            target_db=here,
            heartbeat=0,
            commit_millis=0,
            scan_nodes=0,
            scan_rels=0,
            scan_nodes_end=max(start.nodes_end, writer.map.nodes.top),
            scan_rels_end=max(start.rels_end, writer.map.relationships.top),
            seed_barrier="",
            seed_barrier_tx=0,
            reseed=reseed,
            swept=False,
        )
    )


def refuse_empty(source: Database, held: tuple[int, int]) -> None:
    """Raise :class:`errors.SourceEmpty` for a source without users' data under a target that holds some (``held``)."""
    with from_source():
        empty = not any(counts(source))
    if empty and any(held):
        raise errors.SourceEmpty(
            f"the source holds no user data, and the target {held[0]} nodes: re-seeding would erase what may be the "
            "last copy"
        )


def reached(source: Database, start: Position, pause: Callable[[float], object] = time.sleep) -> None:
    """Wait until the member that answers has got as far as a scan's ``start``: what it shows from here on is no older.

    Raises (as the source's) :class:`errors.SourceReplaced` when the scan was begun over another database, and
    :class:`errors.SourceRestored` when the source stays behind for :data:`lost.PATIENCE` seconds.
    """
    tries = round(lost.PATIENCE / LAGGING)
    with from_source():
        for _ in range(tries):
            now = stream.current(source)
            if not now.same_stream(start):
                raise errors.SourceReplaced(
                    f"the source is database {now.database}, and the scan was begun over database {start.database}"
                )
            if now.tx >= start.tx:
                return
            pause(LAGGING)
        raise errors.SourceRestored(
            f"the change stream has ended before the scan's position, transaction {start.tx}, for {lost.PATIENCE:.0f} s"
        )


def scan(source: Database, writer: LinkWriter, page: int, go_on: Callable[[], bool]) -> bool:
    """Scan what is still missing, then leave the link in phase catching-up with its barrier.

    ``page``: most ids a transaction; ``go_on`` is called after each, False ends the scan early (and is the result).
    Raises as :func:`reached`.
    """
    state = writer.state
    reached(source, Position.decode(state.cursor))
    if state.reseed:  # also behind the sweep: a constraint may have been made since, by what a dead worker had sent
        schema.suspend(writer.database, state.link, state.epoch)
    if state.reseed and not state.swept:
        repair.sweep(writer)
        writer.write(replace(writer.state, swept=True))
    scanning = _Scan(source, writer, page, go_on)
    if not (scanning.nodes() and scanning.relationships()):
        return False
    with from_source():
        barrier = stream.current(source, leading=True)  # behind what any member has shown, also to workers before
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


class _Scan:
    """The two passes of a scan: a page read, its transaction written, and so on."""

    def __init__(self, source: Database, writer: LinkWriter, page: int, go_on: Callable[[], bool]) -> None:
        self._source, self._writer, self._page, self._go_on = source, writer, page, go_on
        self._alike = 0

    def nodes(self) -> bool:
        """Every node; False: ended early."""
        state = self._writer.state
        ids = range(state.scan_nodes, state.scan_nodes_end)
        return self._pass(NODES, f"4:{state.source_db}:", ids, self._writer.map.nodes, self._nodes)

    def relationships(self) -> bool:
        """Every relationship; False: ended early."""
        state = self._writer.state
        ids = range(state.scan_rels, state.scan_rels_end)
        elements = self._writer.map.relationships
        return self._pass(RELATIONSHIPS, f"5:{state.source_db}:", ids, elements, self._relationships)

    def _pass(self, query: str, prefix: str, ids: range, elements: FlatMap, write: Callable[[Page], None]) -> bool:
        pages = iter(Pages(self._source, query, prefix, ids, self._page))
        self._alike = 0
        while True:
            with from_source():
                page = next(pages, None)
            if page is None:
                return True
            pieces = (repair.bounded(part, elements, self._page) for part in page.parts())
            for piece in chain.from_iterable(pieces):
                write(piece)
                if not self._go_on():
                    return False

    def _nodes(self, page: Page) -> None:
        ids, labels, properties = page.columns
        names = Names()
        rows = Nodes(ids, [names.number(tuple(each), each) for each in labels], properties, names.values)
        place = replace(self._writer.state, scan_nodes=page.after)
        if len(repair.mapped_between(self._writer.map.nodes, page.first, page.after)):
            self._repair(repair.node_repairs(self._writer, rows, page.first, page.after), place, page)
        else:
            self._write(place, None if not ids else lambda batch: batch.create_nodes(rows))

    def _relationships(self, page: Page) -> None:
        """Relationships whose ends the target has. One with an end that the scan of nodes did not see was created after
        the stream's start, so the stream brings it."""
        ids, kinds, starts, ends, properties = page.columns
        names = Names()
        rows = Relationships(ids, starts, ends, [names.number(kind, kind) for kind in kinds], properties, names.values)
        nodes = self._writer.map.nodes
        usable = np.array([kind != "" and a >= 0 and b >= 0 for kind, a, b in zip(kinds, starts, ends, strict=True)])
        if len(ids):
            rows = select_relationships(rows, usable)
        if len(rows.ids):
            rows = select_relationships(rows, (nodes.find(rows.starts) >= 0) & (nodes.find(rows.ends) >= 0))
        place = replace(self._writer.state, scan_rels=page.after)
        if len(repair.mapped_between(self._writer.map.relationships, page.first, page.after)):
            self._repair(repair.relationship_repairs(self._writer, rows, page.first, page.after), place, page)
        else:
            self._write(place, None if not rows.ids else lambda batch: batch.create_relationships(rows))

    def _repair(self, net: Net | None, place: LinkState, page: Page) -> None:
        if net is None:
            self._write(place, None)
            return
        net.size = page.weight
        self._alike = 0
        writer = self._writer

        def body(tx: Transaction) -> MapChange:
            change = Batch(writer, tx, net).run()
            writer.faults.at("page")
            return change

        writer.write(place, body)

    def _write(self, place: LinkState, create: Callable[[Batch], None] | None) -> None:
        """A page that is all new, or (None) one with nothing to write: its place is noted now and then."""
        writer = self._writer
        if create is None:
            self._alike += 1
            if self._alike % ALIKE == 0:
                writer.write(place)
            return
        self._alike = 0

        def body(tx: Transaction) -> MapChange:
            batch = Batch(writer, tx)
            create(batch)
            writer.faults.at("page")
            return batch.change

        writer.write(place, body)
