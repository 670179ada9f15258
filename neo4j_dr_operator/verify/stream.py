"""The primary's change stream as a witness: which elements changed, and into what.

As in :mod:`neo4j_dr_operator.replication.stream`, columns are collected on the server, and a transaction that the limit
may have cut is left for the next chunk; one larger than a chunk is read row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.fold import ID_AT
from neo4j_dr_operator.verify.side import Side
from neo4j_dr_operator.verify.states import KINDS, Kind, State

LIMIT = 10_000
"""Changes a chunk, when only their ids are read."""
HEAVY = 2_000
"""The same, when what stood in the elements is read as well, and is not wide."""

_CURRENT = "CALL db.cdc.current() YIELD id RETURN id"
_EVENTS = "CALL db.cdc.query($cursor) YIELD id, txId, event "
_STATE = (
    "CASE WHEN {wanted} THEN [event.operation, event.labels, event.type, event.start.elementId, event.end.elementId, "
    "event.state.{when}] ELSE [] END"
)
_NONE = "[]"
_BEFORE = _STATE.format(wanted="true", when="before")
_AFTER = _STATE.format(wanted="event.elementId IN $ids", when="after")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some changes in their order, as columns. ``cursor``: where to go on, at the end of a transaction."""

    cursor: str
    txs: list[int]
    elements: list[str]
    states: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Event:
    """One change: its transaction, and the element's state after it with ends as source ids; None when deleted."""

    tx: int
    state: State | None


def current(primary: Side) -> Position:
    """The position after everything committed so far."""
    return Position.decode(primary.row(_CURRENT)[0])


def touched(primary: Side, cursor: str) -> Iterator[tuple[str, dict[Kind, Ids]]]:
    """Ids that changed after ``cursor``, up to now or a little later, and the cursor after each piece; one at least."""
    for piece in _pieces(primary, cursor, _NONE, LIMIT):
        yield piece.cursor, _by_kind(piece.elements)


def befores(primary: Side, cursor: str, limit: int) -> Iterator[tuple[str, Kind, list[int], list[State | None]]]:
    """What stood in each changed element before the change, from ``cursor`` up to now, node pieces before those of
    relationships; an element that changed twice is there twice. The cursor is that after both."""
    for piece in _pieces(primary, cursor, _BEFORE, limit):
        for kind in KINDS:
            at = [place for place, element in enumerate(piece.elements) if _kind(element) == kind]
            ids = [int(piece.elements[place][ID_AT:]) for place in at]
            yield piece.cursor, kind, ids, [_state(kind, piece.states[place]) for place in at]


def events(primary: Side, kind: Kind, ids: Ids, cursor: str, to: int, limit: int) -> dict[int, list[Event]]:
    """The changes of some elements after ``cursor``, at least up to transaction ``to``, in their order by id."""
    wanted = [primary.element_id(kind, number) for number in ids.tolist()]
    found: dict[int, list[Event]] = {}
    for piece in _pieces(primary, cursor, _AFTER, limit, ids=wanted):
        for tx, element, state in zip(piece.txs, piece.elements, piece.states, strict=True):
            if state:
                found.setdefault(int(element[ID_AT:]), []).append(Event(tx, _state(kind, state)))
        if Position.decode(piece.cursor).tx >= to:
            break
    return found


def _kind(element: str) -> Kind:
    return "node" if element[0] == "4" else "relationship"


def _by_kind(elements: Sequence[str]) -> dict[Kind, Ids]:
    found: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    for element in elements:
        found[_kind(element)].append(int(element[ID_AT:]))
    return {kind: np.array(ids, np.int64) for kind, ids in found.items()}


def _state(kind: Kind, told: list[Any]) -> State | None:
    """The state in a row of ``_STATE``; None for no element, and for bookkeeping."""
    _, _, type_, start, end, state = told
    if state is None:
        return None
    if kind == "relationship":
        return [type_, int(start[ID_AT:]), int(end[ID_AT:]), state["properties"]]
    labels = sorted(state["labels"])
    return None if BOOKKEEPING in labels else [labels, state["properties"]]


def _pieces(primary: Side, cursor: str, state: str, limit: int, **params: object) -> Iterator[Piece]:
    columns = ("id", "txId", "event.elementId", state)
    chunk = (
        f"CALL db.cdc.current() YIELD id AS now CALL (now) {{ {_EVENTS} WITH * LIMIT $limit RETURN "
        + ", ".join(f"collect({column}) AS c{at}" for at, column in enumerate(columns))
        + " } RETURN now, c0, c1, c2, c3"
    )
    while True:
        now, ids, txs, elements, states = primary.row(chunk, cursor=cursor, limit=limit, **params)
        if len(txs) < limit:
            yield Piece(ids[-1] if ids else now, txs, elements, states)
            return
        keep = txs.index(txs[-1])
        if keep:
            cursor = ids[keep - 1]
            yield Piece(cursor, txs[:keep], elements[:keep], states[:keep])
            continue
        for piece in _single(primary, cursor, f"{_EVENTS} RETURN {', '.join(columns)}", limit, params):
            yield piece
            cursor = piece.cursor


def _single(primary: Side, cursor: str, query: str, limit: int, params: dict[str, object]) -> Iterator[Piece]:
    """The one transaction after ``cursor``; pieces before its last keep the cursor."""
    held: list[list[Any]] = []
    tx = None
    for row in primary.rows(query, cursor=cursor, **params):
        if tx not in (None, row[1]):
            break
        tx = row[1]
        if len(held) == limit:
            yield Piece(cursor, *([each[at] for each in held] for at in (1, 2, 3)))
            held.clear()
        held.append(row)
    yield Piece(held[-1][0], *([each[at] for each in held] for at in (1, 2, 3)))
