"""One side of a comparison: a database that is only ever read, through connections that may break and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database, Row
from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.replication import scan
from neo4j_dr_operator.verify.states import Kind, State
from neo4j_dr_operator.verify.verdict import CannotCompare, Place

T = TypeVar("T")
RETRIED = (errors.DatabaseUnreachable, errors.TransientFailure)
PAUSE = 0.5
"""Seconds between two attempts to reach a database that was lost."""

_NODES = (
    "UNWIND $a AS i MATCH (n) WHERE elementId(n) = $x + i WITH i, labels(n) AS l, properties(n) AS p "
    f"WHERE NOT '{BOOKKEEPING}' IN l RETURN collect(i), collect(l), collect(p)"
)
_RELATIONSHIPS = (
    "UNWIND $a AS i MATCH (s)-[r]->(e) WHERE elementId(r) = $x + i RETURN collect(i), "
    "collect(coalesce(type(r), '')), collect(coalesce(id(s), -1)), collect(coalesce(id(e), -1)), collect(properties(r))"
)
_READ: dict[Kind, str] = {"node": _NODES, "relationship": _RELATIONSHIPS}
_SCAN: dict[Kind, str] = {"node": scan.NODES, "relationship": scan.RELATIONSHIPS}
_THERE: dict[Kind, str] = {
    "node": "UNWIND range($a, $b) AS i MATCH (n) WHERE elementId(n) = $x + i "
    f"AND NOT n:{BOOKKEEPING} RETURN collect(i)",
    "relationship": "UNWIND range($a, $b) AS i MATCH ()-[r]->() WHERE elementId(r) = $x + i RETURN collect(i)",
}
_END: dict[Kind, str] = {
    "node": scan.NODES_END,
    "relationship": scan.RELATIONSHIPS_END,
}
_GONE = "Neo.ClientError.Statement.EntityNotFound"
_PREFIX: dict[Kind, str] = {"node": "4", "relationship": "5"}

Found = tuple[list[int], list[State]]
"""Ids that are in use, and the states of their elements."""


class Side:
    """One database under the name that people know it by."""

    def __init__(self, name: str, endpoint: Endpoint, patience: float) -> None:
        """``patience``: seconds for which a lost connection is tried again. Nothing is sent yet."""
        self.name, self.patience = name, patience
        self.database = Database(endpoint)
        self.identity = ""
        """The database's id, which is in its element ids."""
        self.widest = 1.0
        """Bytes an element, on the page of the scan where they were most."""
        self._waiting = threading.Event()
        self._answered = False

    @property
    def place(self) -> Place:
        """What is told of it."""
        return Place(self.name, self.database.endpoint.address, self.identity)

    def ask(self, question: Callable[[Database], T]) -> T:
        """The answer. One that answered before is asked again while it cannot be reached.

        Raises :class:`CannotCompare`.
        """
        end = time.monotonic() + (self.patience if self._answered else 0.0)
        while True:
            try:
                answer = question(self.database)
            except errors.DatabaseError as error:
                if isinstance(error, errors.QueryFailed) and error.code == _GONE:
                    continue  # an element was deleted while it was read: read again
                if not isinstance(error, RETRIED) or time.monotonic() >= end:
                    raise self._told(error) from error
                self.database.reconnect()
                self._waiting.wait(PAUSE)
            else:
                self._answered = True
                return answer

    def row(self, query: str, **params: Any) -> Row:
        """The one row of a reading query."""
        return self.ask(lambda database: database.row(query, **params))

    def rows(self, query: str, **params: object) -> Iterator[Row]:
        """The rows of a reading query. A connection that breaks meanwhile ends it: CannotCompare."""
        try:
            yield from self.database.rows(query, **params)
        except errors.DatabaseError as error:
            raise self._told(error) from error

    def _told(self, error: errors.DatabaseError) -> CannotCompare:
        return CannotCompare(f"{self.name} at {self.database.endpoint.address}: {error.message}")

    def prefix(self, kind: Kind) -> str:
        """What stands before the number in an element id."""
        return f"{_PREFIX[kind]}:{self.identity}:"

    def element_id(self, kind: Kind, number: int) -> str:
        """The whole id of an element, as Cypher's elementId() has it; empty for -1."""
        return f"{self.prefix(kind)}{number}" if number >= 0 else ""

    def end(self, kind: Kind) -> int:
        """One more than the highest id in use."""
        return self.ask(lambda database: scan.end(database, _END[kind]))

    def pages(self, kind: Kind, ids: range, most: int) -> Iterator[tuple[range, Found]]:
        """The elements in a range of ids, in pages of at most so many ids and bounded bytes, read ahead."""
        first, tried = ids.start, -1
        while first < ids.stop:
            rest = range(first, ids.stop)
            try:
                for page in scan.Pages(self.database, _SCAN[kind], self.prefix(kind), rest, most):
                    yield range(page.first, page.after), _states(kind, page.columns) if page.columns else ([], [])
                    first = page.after
                    self.widest = max(self.widest, page.weight / max(1, len(page.columns[0]) if page.columns else 1))
            except errors.DatabaseError as error:
                if first == tried or not isinstance(error, RETRIED):
                    raise self._told(error) from error
                tried = first
                self.database.reconnect()
                self.row("RETURN 1")

    def some(self, kind: Kind, ids: Ids) -> Found:
        """The elements of these ids that are there."""
        if not len(ids):
            return [], []
        return _states(kind, self.row(_READ[kind], x=self.prefix(kind), a=ids.tolist()))

    def present(self, kind: Kind, ids: range) -> list[int]:
        """Ids in use in a range, bookkeeping left out."""
        found: list[int] = self.row(_THERE[kind], x=self.prefix(kind), a=ids.start, b=ids.stop - 1)[0]
        return found

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()


def _states(kind: Kind, columns: Sequence[list[Any]]) -> Found:
    """Columns of a page as states."""
    if kind == "node":
        ids, labels, properties = columns
        for each in labels:
            each.sort()
        return ids, [list(state) for state in zip(labels, properties, strict=True)]
    return columns[0], [list(state) for state in zip(*columns[1:], strict=True)]


def paged(ids: Ids, page: int) -> Iterator[Ids]:
    """The ids in pieces of up to ``page``."""
    for first in range(0, len(ids), page):
        yield ids[first : first + page]
