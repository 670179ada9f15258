"""The element map in the target: loading it, compacting its journal, clearing it.

Valid are the slices of the link's ``gen`` and the journal records after ``genSeq``. A new generation is written beside
the old one and becomes valid by one compare-and-set; only then is the old one deleted. Each step may be the last one
before a crash: slices of a later generation are left-overs and deleted first; slices of an earlier one, and journal
records up to ``genSeq``, are not read and deleted at leisure.

Two workers that attached to a link at rest know the same state, so the compare-and-set of neither refuses the other,
and each would take the other's slices for left-overs. Whoever writes a generation moves the link on first: of two, the
one that did so last goes on, and the other one's next transaction is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING, LOG, MAP
from neo4j_dr_operator.graph.element_map import ElementMap
from neo4j_dr_operator.replication import link
from neo4j_dr_operator.replication.link import LinkState, LinkWriter

MAX_RECORDS = 2_000
MAX_BYTES = 16 << 20
"""Journal size that is compacted, in records and in bytes: it bounds what a restart has to read."""

_PAGE_BYTES = 2 << 20
_DELETES = 500
_SLICES = (
    f"MATCH (m:{MAP}) WHERE m.link = $link AND m.gen = $gen AND m.kind = $kind AND m.base >= $at "
    "WITH m ORDER BY m.base LIMIT 100 RETURN collect(m.base), collect(m.d)"
)
_RECORDS = (
    f"MATCH (l:{LOG}) WHERE l.link = $link AND l.seq > $at AND l.seq <= $to "
    "WITH l ORDER BY l.seq LIMIT 200 RETURN collect(l.seq), collect(l.d)"
)
_ADD = f"UNWIND $rows AS row CREATE (m:{BOOKKEEPING}:{MAP}) SET m = row, m.link = $link, m.gen = $gen RETURN count(*)"
_DROP_SLICES = f"MATCH (m:{MAP}) WHERE m.link = $link AND {{}} WITH m LIMIT $limit DELETE m RETURN count(*)"
_DROP_LATER = _DROP_SLICES.format("m.gen > $gen")
_DROP_EARLIER = _DROP_SLICES.format("m.gen < $gen")
_DROP_ALL = _DROP_SLICES.format("m.gen >= 0")
_DROP_RECORDS = f"MATCH (l:{LOG}) WHERE l.link = $link AND l.seq <= $seq WITH l LIMIT $limit DELETE l RETURN count(*)"


@dataclass(slots=True)
class Loaded:
    """A map as of ``state``, and the size of the journal that was replayed for it."""

    state: LinkState
    elements: ElementMap
    records: int
    record_bytes: int


def load(database: Database, name: str) -> Loaded:
    """The map of link ``name`` as the database holds it now.

    A checkpoint of another worker in between deletes what is being read, so the generation has to be the same after
    as before, else all is read again. Raises :class:`errors.LinkMissing`.
    """
    while True:
        state = _state(database, name)
        loaded = _load(database, state)
        if _state(database, name).gen == state.gen:
            return loaded


def _state(database: Database, name: str) -> LinkState:
    state = link.read(database, name)
    if state is None:
        raise errors.LinkMissing(f"the database has no link {name}")
    return state


def _load(database: Database, state: LinkState) -> Loaded:
    elements = ElementMap()
    for kind, part in (("n", elements.nodes), ("r", elements.relationships)):
        at = 0
        while True:
            bases, slices = database.row(_SLICES, link=state.link, gen=state.gen, kind=kind, at=at)
            for base, data in zip(bases, slices, strict=True):
                part.load_slice(base, data)
            if not bases:
                break
            at = bases[-1] + 1
    numbers = size = 0
    for data in records(database, state.link, state.gen_seq, state.seq):
        elements.replay(data)
        numbers += 1
        size += len(data)
    return Loaded(state, elements, numbers, size)


def records(database: Database, name: str, after: int, to: int) -> Iterator[bytes]:
    """The journal records of link ``name`` after transaction ``after``, up to ``to``, in their order.

    They are all there only while the link's ``gen`` stays what it was: look at it again afterwards.
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


def save(writer: LinkWriter, change: LinkState | None = None) -> None:
    """Write the map as a new generation and make it valid, together with ``change``; then delete the old one.

    Raises :class:`errors.Stale` and database errors; what was not finished is cleaned up by the next one.
    """
    writer.write(writer.state)  # alone from here on, see above
    gen = writer.state.gen + 1
    _repeat(writer, _DROP_LATER, gen=writer.state.gen)
    for rows in _pages(writer.map):
        writer.guarded(_ADD, rows=rows, gen=gen)
    writer.write(replace(change or writer.state, gen=gen, gen_seq=writer.state.seq + 1))
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


def _pages(elements: ElementMap) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    size = 0
    for kind, part in (("n", elements.nodes), ("r", elements.relationships)):
        for base, data in part.slices():
            page.append({"kind": kind, "base": base, "d": data})
            size += len(data)
            if size >= _PAGE_BYTES:
                yield page
                page, size = [], 0
    if page:
        yield page
