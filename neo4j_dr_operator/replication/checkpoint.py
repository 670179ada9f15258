"""The element map in the target: loading it, compacting its journal, clearing it.

Valid are the slices of the link's ``gen`` and the journal records after ``genSeq``. What always holds of them:

1. Every slice is the map's own as of some transaction of the link, at the latest the present one (a slice that is not
   there is one without entries). It is written under the link's lock, by a worker whose state was found to be the
   valid one there.
2. No entry of a slice was changed between the slice's transaction and ``genSeq``.
3. All records after ``genSeq`` are there. A record says what an entry becomes, whatever it was before.

So slices of any age with the records replayed over them give the map: an entry that some record after ``genSeq``
changes is what the last of them says, and no slice matters to it; one that none changes has had its value ever since
``genSeq``, and by 2 that is the one in its slice, which may be as old or as new as it likes.

Compaction (:func:`step`) writes the slices that were changed since they were written last, in place, a few between two
batches, while the link goes on; when all that had been changed by the transaction at which it began are written,
``genSeq`` becomes that transaction (1 and 3 hold all along, 2 does for the new value by then), and what is before it is
deleted. It may end after any of its transactions: what was written stays good, what was not is still in the journal.
A second worker at the same state writes the same; one at an older state is refused.

Where the whole map changes hands (:func:`save`), a new generation is written beside the old one and becomes valid by
one compare-and-set; only then is the old one deleted. Slices of a later generation are left-overs and deleted first;
slices of an earlier one, and records up to ``genSeq``, are not read and deleted at leisure. Two workers that attached
to a link at rest know the same state, so the compare-and-set of neither refuses the other, and each would take the
other's slices for left-overs. Whoever writes a generation moves the link on first: of two, the one that did so last
goes on, and the other one's next transaction is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LOG, MAP
from neo4j_dr_operator.graph.element_map import ElementMap, FlatMap
from neo4j_dr_operator.replication import link
from neo4j_dr_operator.replication.link import LinkState, LinkWriter

MAX_RECORDS = 2_000
MAX_BYTES = 16 << 20
"""Journal size that is compacted, in records and in bytes: it bounds what a restart has to read."""

_PAGE_BYTES = 2 << 20
_STEP_BYTES = 256 << 10
"""Slices of one step: what they take (docs/performance.md) is added to the lag of a batch."""
_DELETES = 500
_SLICES = (
    f"MATCH (m:{MAP}) WHERE m.link = $link AND m.gen = $gen AND m.kind = $kind AND m.base >= $at "
    "WITH m ORDER BY m.base LIMIT 100 RETURN collect(m.base), collect(m.d)"
)
_RECORDS = (
    f"MATCH (l:{LOG}) WHERE l.link = $link AND l.seq > $at AND l.seq <= $to "
    "WITH l ORDER BY l.seq LIMIT 200 RETURN collect(l.seq), collect(l.d)"
)
_PUT = (
    f"UNWIND $rows AS row MERGE (m:{BOOKKEEPING}:{MAP} {{link: $link, gen: $gen, kind: row.kind, base: row.base}}) "
    "SET m.d = row.d RETURN count(*)"
)
_ADD = f"UNWIND $rows AS row CREATE (m:{BOOKKEEPING}:{MAP}) SET m = row, m.link = $link, m.gen = $gen RETURN count(*)"
_DROP_SLICES = f"MATCH (m:{MAP}) WHERE m.link = $link AND {{}} WITH m LIMIT $limit DELETE m RETURN count(*)"
_DROP_LATER = _DROP_SLICES.format("m.gen > $gen")
_DROP_EARLIER = _DROP_SLICES.format("m.gen < $gen")
_DROP_ALL = _DROP_SLICES.format("m.gen >= 0")
_DROP_RECORDS = f"MATCH (l:{LOG}) WHERE l.link = $link AND l.seq <= $seq WITH l LIMIT $limit DELETE l RETURN count(*)"


_OVER = object()


@dataclass(slots=True)
class Loaded:
    """A map as of ``state``, and the size of the journal that was replayed for it."""

    state: LinkState
    elements: ElementMap
    records: int
    record_bytes: int


def load(database: Database, name: str) -> Loaded:
    """The map of link ``name`` as the database holds it now.

    Another worker may go on meanwhile: slices are at most as new as the state that is read after them, up to which the
    journal is replayed. A compaction of its that ends in between deletes what is being read, so what is valid has to
    be the same after as before, else all is read again. Raises :class:`errors.LinkMissing`.
    """
    while True:
        before = _state(database, name)
        elements = _slices(database, before)
        state = _state(database, name)
        sizes = [0]
        for data in records(database, name, before.gen_seq, state.seq):
            elements.replay(data)
            sizes.append(len(data))
        after = _state(database, name)
        if (before.gen, before.gen_seq) == (after.gen, after.gen_seq):
            return Loaded(state, elements, len(sizes) - 1, sum(sizes))


def _state(database: Database, name: str) -> LinkState:
    state = link.read(database, name)
    if state is None:
        raise errors.LinkMissing(f"the database has no link {name}")
    return state


def _slices(database: Database, state: LinkState) -> ElementMap:
    elements = ElementMap()
    for kind, part in _parts(elements):
        at = 0
        while True:
            bases, slices = database.row(_SLICES, link=state.link, gen=state.gen, kind=kind, at=at)
            for base, data in zip(bases, slices, strict=True):
                part.load_slice(base, data)
            if not bases:
                break
            at = bases[-1] + 1
    return elements


def records(database: Database, name: str, after: int, to: int) -> Iterator[bytes]:
    """The journal records of link ``name`` after transaction ``after``, up to ``to``, in their order.

    They are all there only if the link's ``gen`` is still what it was, and its ``gen_seq`` at most ``after``: look at
    them again afterwards.
    """
    while True:
        numbers, data = database.row(_RECORDS, link=name, at=after, to=to)
        if not numbers:
            return
        yield from data
        after = numbers[-1]


def due(writer: LinkWriter, records: int = MAX_RECORDS) -> bool:
    """Whether the journal has grown beyond its bounds."""
    return writer.journal_records >= records or writer.journal_bytes >= MAX_BYTES


def step(writer: LinkWriter, records: int = MAX_RECORDS) -> None:
    """The next transaction of a compaction that is under way or due; to be called between two batches, and at rest.

    Raises :class:`errors.Stale` and database errors. The compaction is over then; the next one begins with what is
    still unsaved.
    """
    writer.decide()  # slices are taken from a map with nothing to undo
    if writer.compaction is None and due(writer, records):
        writer.compaction = _compacting(writer)
    if writer.compaction is not None and next(writer.compaction, _OVER) is _OVER:
        writer.compaction = None


def _compacting(writer: LinkWriter) -> Iterator[None]:
    seq, records, size = writer.state.seq, writer.journal_records, writer.journal_bytes
    waiting = deque((kind, base) for kind, part in _parts(writer.map) for base in part.unsaved())
    while rows := _next(writer.map, waiting):
        writer.guarded(_PUT, rows=rows, gen=writer.state.gen)
        _saved(writer.map, rows)
        yield
    writer.write(replace(writer.state, gen_seq=seq))
    writer.journal_records -= records
    writer.journal_bytes -= size
    yield
    while writer.guarded(_DROP_RECORDS, seq=seq, limit=_DELETES) == _DELETES:
        yield


def _next(elements: ElementMap, waiting: deque[tuple[str, int]]) -> list[dict[str, Any]]:
    """As many of the slices that wait as one step may write."""
    parts = dict(_parts(elements))
    rows: list[dict[str, Any]] = []
    size = 0
    while waiting and size < _STEP_BYTES:
        kind, base = waiting.popleft()
        rows.append({"kind": kind, "base": base, "d": parts[kind].slice(base)})
        size += len(rows[-1]["d"])
    return rows


def _saved(elements: ElementMap, rows: list[dict[str, Any]]) -> None:
    for kind, part in _parts(elements):
        part.saved(row["base"] for row in rows if row["kind"] == kind)


def save(writer: LinkWriter, change: LinkState | None = None) -> None:
    """Write the whole map as a new generation and make it valid, together with ``change``; then delete the old one.

    Raises :class:`errors.Stale` and database errors; what was not finished is cleaned up by the next one.
    """
    writer.write(writer.state)  # alone from here on, see above
    gen = writer.state.gen + 1
    _repeat(writer, _DROP_LATER, gen=writer.state.gen)
    for rows in _pages(writer.map):
        writer.guarded(_ADD, rows=rows, gen=gen)
    writer.write(replace(change or writer.state, gen=gen, gen_seq=writer.state.seq + 1))
    for _, part in _parts(writer.map):
        part.saved(part.unsaved())
    writer.journal_records = writer.journal_bytes = 0
    clean(writer)


def clean(writer: LinkWriter) -> None:
    """Delete slices and journal records that the valid generation has replaced."""
    _repeat(writer, _DROP_EARLIER, gen=writer.state.gen)
    _repeat(writer, _DROP_RECORDS, seq=writer.state.gen_seq)


def clear(writer: LinkWriter) -> None:
    """Delete everything kept of the map, before a handover starts over."""
    _repeat(writer, _DROP_ALL)
    _repeat(writer, _DROP_RECORDS, seq=writer.state.seq)


def _repeat(writer: LinkWriter, query: str, **params: object) -> None:
    while writer.guarded(query, limit=_DELETES, **params) == _DELETES:
        pass


def _parts(elements: ElementMap) -> tuple[tuple[str, FlatMap], tuple[str, FlatMap]]:
    return ("n", elements.nodes), ("r", elements.relationships)


def _pages(elements: ElementMap) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    size = 0
    for kind, part in _parts(elements):
        for base, data in part.slices():
            page.append({"kind": kind, "base": base, "d": data})
            size += len(data)
            if size >= _PAGE_BYTES:
                yield page
                page, size = [], 0
    if page:
        yield page
