"""Reading a whole graph by ranges of internal ids: pages bounded in elements and in bytes, several read ahead.

A range is read as records of at most :data:`WIDTH` ids, which the server makes one at a time (the slotted runtime does
not work ahead), so that neither side ever holds more than a few of them however wide the rows become. A page ends early
where it has grown to :data:`PAGE_BYTES`. What the server refuses for its memory or its time limit is asked for again in
half the size.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.replication.stream import WHOLE_SECONDS

PAGE_BYTES = 8 << 20
"""Bytes of properties after which a page ends."""
WIDTH = 64
"""Most ids of one record."""
FETCH = 32
"""Records asked for at a time."""
READERS = 3
AHEAD = 3
"""Pages that are being read, or wait to be written."""

NODES_END = "MATCH (n) RETURN coalesce(max(id(n)), -1) + 1"
RELATIONSHIPS_END = "MATCH ()-[r]->() RETURN coalesce(max(id(r)), -1) + 1"
"""One more than the highest id in use, 0 where there is none. The server looks at every element: see :func:`end`."""

_RANGES = (
    "CYPHER runtime=slotted UNWIND range($a, $b, $w) AS first CALL (first) { "
    "UNWIND range(first, CASE WHEN first + $w - 1 < $b THEN first + $w - 1 ELSE $b END) AS i "
)
NODES = (
    f"{_RANGES}MATCH (n) WHERE elementId(n) = $x + i WITH i, n, labels(n) AS l WHERE NOT '{BOOKKEEPING}' IN l "
    "RETURN collect(i) AS c0, collect(l) AS c1, collect(properties(n)) AS c2 } RETURN first, c0, c1, c2"
)
RELATIONSHIPS = (
    f"{_RANGES}MATCH (s)-[r]->(e) WHERE elementId(r) = $x + i RETURN collect(i) AS c0, "
    "collect(coalesce(type(r), '')) AS c1, collect(coalesce(id(s), -1)) AS c2, collect(coalesce(id(e), -1)) AS c3, "
    "collect(properties(r)) AS c4 } RETURN first, c0, c1, c2, c3, c4"
)
FEW = 100
"""So many relationships are read at once. In a graph of a few elements 5.26 looks one id up by going through all that
were ever in use, since it counts on few, and a range of ids costs the square of its width."""
_COUNT = "RETURN COUNT { MATCH ()-[r]->() }"
_ALL = (
    "MATCH (s)-[r]->(e) RETURN id(r), coalesce(type(r), ''), coalesce(id(s), -1), coalesce(id(e), -1), properties(r) "
    f"LIMIT {2 * FEW}"
)
_GONE = "Neo.ClientError.Statement.EntityNotFound"
_TOO_MUCH = (errors.TransientFailure, errors.TimedOut)
_SIZED = (str, bytes, list)


def end(database: Database, query: str) -> int:
    """One of the two ends above, in the time that a whole graph takes."""
    return int(database.row(query, within=WHOLE_SECONDS)[0])


@dataclass(slots=True)
class Page:
    """What was found under the ids ``first`` to ``after`` - 1; the columns of the query, of equal length."""

    first: int
    after: int
    columns: list[list[Any]]
    weight: int = 0

    def parts(self) -> Iterator[Page]:
        """The page in pieces of about :data:`PAGE_BYTES`, one row at least: a record can be far heavier than that."""
        if self.weight <= 2 * PAGE_BYTES:
            yield self
            return
        ids = self.columns[0]
        first, begin, held = self.first, 0, 0
        for row in range(len(ids)):
            held += weight(self.columns[-1][row : row + 1])
            if held >= PAGE_BYTES or row == len(ids) - 1:
                after = ids[row + 1] if row + 1 < len(ids) else self.after
                yield Page(first, after, [column[begin : row + 1] for column in self.columns], held)
                first, begin, held = after, row + 1, 0

    def cut(self, places: Sequence[int]) -> Iterator[Page]:
        """The page in pieces, a new one from each of these ids on; they rise and lie behind its first one."""
        begin = 0
        for first, after in pairwise((self.first, *places, self.after)):
            end = bisect_left(self.columns[0], after, begin)
            columns = [column[begin:end] for column in self.columns]
            yield Page(first, after, columns, weight(columns[-1]))
            begin = end


def weight(properties: list[dict[str, Any]]) -> int:
    """About how many bytes these rows hold: 16 a property, and what texts, bytes and lists hold beyond."""
    total = 0
    for row in properties:
        total += 16 * len(row)
        for value in row.values():
            if value.__class__ in _SIZED:
                total += len(value) if value.__class__ is not list else _listed(value)
    return total


def _listed(values: list[Any]) -> int:
    return 16 * len(values) + sum(len(value) for value in values if value.__class__ is str)


class Pages:
    """Pages of one kind of element, in the order of their ids, read by several threads.

    ``most``: ids a page. Iterate once.
    """

    def __init__(self, source: Database, query: str, prefix: str, ids: range, most: int) -> None:
        self._source, self._query, self._prefix = source, query, prefix
        self._ids, self._most = ids, most
        self._size = min(most, 4 * WIDTH)
        self._width = min(most, WIDTH)

    def __iter__(self) -> Iterator[Page]:
        """Raises what reading raises."""
        if self._query == RELATIONSHIPS and (few := self._few()) is not None:
            yield few
            return
        waiting: deque[tuple[Future[Page], int]] = deque()
        with ThreadPoolExecutor(READERS, thread_name_prefix="scan") as pool:
            planned = self._ids.start
            try:
                while True:
                    while len(waiting) < AHEAD and planned < self._ids.stop:
                        end = min(planned + self._size, self._ids.stop)
                        waiting.append((pool.submit(self._read, planned, end), end))
                        planned = end
                    if not waiting:
                        return
                    future, end = waiting.popleft()
                    page = future.result()
                    yield page
                    while page.after < end:  # it was cut short: the rest comes before what was read ahead
                        page = self._read(page.after, end)
                        yield page
            finally:
                for future, _ in waiting:
                    future.cancel()

    def _few(self) -> Page | None:
        """All relationships of a graph that has few, in the order of their ids; None of one that has more."""
        if not self._ids or self._source.row(_COUNT)[0] > FEW:
            return None
        while True:
            try:
                rows = list(self._source.rows(_ALL))
            except errors.QueryFailed as error:
                if error.code != _GONE:
                    raise
                continue
            if len(rows) >= 2 * FEW:
                return None  # it grows
            columns = [list(column) for column in zip(*sorted(row for row in rows if row[0] in self._ids), strict=True)]
            return Page(
                self._ids.start,
                self._ids.stop,
                columns or [[] for _ in range(5)],
                weight(columns[-1] if columns else []),
            )

    def _read(self, first: int, end: int) -> Page:
        """From ``first`` on, at least one id and up to ``end``."""
        size, width = end - first, self._width
        while True:
            try:
                page = self._records(first, first + size, width)
            except _TOO_MUCH:
                if size == 1:
                    raise
                size, width = max(1, size // 2), max(1, width // 4)
                self._size, self._width = size, width
                continue
            except errors.QueryFailed as error:
                if error.code != _GONE:  # an element of the page was deleted while it was read: read the page again
                    raise
                continue
            self._adapt(page)
            return page

    def _records(self, first: int, end: int, width: int) -> Page:
        page = Page(first, first, [])
        rows = self._source.rows(self._query, fetch=FETCH, x=self._prefix, a=first, b=end - 1, w=width)
        try:
            for begin, *columns in rows:
                page.after = min(begin + width, end)
                page.weight += weight(columns[-1])
                if page.columns:
                    for whole, part in zip(page.columns, columns, strict=True):
                        whole.extend(part)
                else:
                    page.columns = columns
                if page.weight >= PAGE_BYTES:
                    break
        finally:
            rows.close()
        return page

    def _adapt(self, page: Page) -> None:
        """Pages as large as they may be, records an eighth of the bytes that a page may have."""
        each = max(1.0, page.weight / (page.after - page.first))
        fits = max(1, math.floor(PAGE_BYTES / each))
        self._size = max(1, min(self._most, fits, 2 * self._size))
        self._width = max(1, min(WIDTH, self._most, fits // 8 or 1))
