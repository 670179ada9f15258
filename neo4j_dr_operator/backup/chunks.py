"""Elements of a range of ids as canonical bytes, so that what has not changed has the bytes that it had (pure).

A chunk never crosses a multiple of :data:`SPAN` ids, and is cut within such a range where its rows have grown to
:data:`HEAVY` bytes: neither depends on how the graph was read, nor on what stands in another range. Labels and the keys
of properties are sorted, since a database gives them in the order in which they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from isal import isal_zlib
from isal.igzip_lib import IsalError  # a class of the C module, which the stubs do not call one

from neo4j_dr_operator.graph.values import plain, tagged, untagged
from neo4j_dr_operator.replication.fold import Names, Nodes, Relationships
from neo4j_dr_operator.replication.portions import weight
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.segment import LEVEL

Kind = Literal["nodes", "relationships"]
SPAN = 4096
"""Ids of a chunk, at most."""
HEAVY = 8 << 20
"""Bytes of rows at which a chunk ends before its range does: what a reader has to hold, but for one row."""
_GZIP = 31
_NESTED = (dict, list)


@dataclass(frozen=True)
class Chunk:
    """One chunk: what stands under the ids ``first`` to ``after`` - 1, as bytes, and their SHA-256 in hex."""

    kind: Kind
    first: int
    after: int
    count: int
    plain: bytes
    sha256: str

    def packed(self) -> bytes:
        """As it lies in S3: one gzip member."""
        engine = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
        return bytes(engine.compress(self.plain) + engine.flush())


@dataclass
class Cutter:
    """Takes rows in the order of their ids, gives chunks. ``at``: everything below is in a chunk that was given."""

    kind: Kind
    at: int
    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _size: int = 0

    def add(self, after: int, columns: list[list[Any]]) -> Iterator[Chunk]:
        """What was found below ``after``: columns as :mod:`neo4j_dr_operator.replication.scan` reads them.

        Raises ValueError for a value unknown to us.
        """
        for row in zip(*columns, strict=True) if columns else ():
            here = row[0]
            if self._rows and here // SPAN != self.at // SPAN:
                yield self._cut((self.at // SPAN + 1) * SPAN)
            if not self._rows and here // SPAN != self.at // SPAN:
                self.at = here // SPAN * SPAN
            more = weight(row[-1])
            if self._rows and self._size + more > HEAVY:
                yield self._cut(here)
            self._rows.append(row)
            self._size += more
        end = after // SPAN * SPAN
        if end > self.at:
            if self._rows:
                yield self._cut((self.at // SPAN + 1) * SPAN)
            self.at = max(self.at, end)

    def close(self, after: int) -> Iterator[Chunk]:
        """The last one, up to ``after``."""
        if self._rows:
            yield self._cut(after)
        self.at = max(self.at, after)

    def _cut(self, after: int) -> Chunk:
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        data = encoded(self.kind, columns)
        chunk = Chunk(self.kind, self.at, after, len(self._rows), data, hashlib.sha256(data).hexdigest())
        self._rows.clear()
        self._size, self.at = 0, after
        return chunk


def encoded(kind: Kind, columns: list[list[Any]]) -> bytes:
    """The canonical bytes of rows. Raises ValueError for a value unknown to us."""
    names = Names()
    if kind == "nodes":
        ids, labels, properties = columns
        sets = [sorted(each) for each in labels]
        keys = [names.number(tuple(each), each) for each in sets]
        values: dict[str, Any] = {"nodes": ids, "labels": names.values, "keys": keys}
    else:
        ids, types, starts, ends, properties = columns
        keys = [names.number(each, each) for each in types]
        values = {"relationships": ids, "types": names.values, "keys": keys, "starts": starts, "ends": ends}
    try:
        return orjson.dumps(values)[:-1] + b',"properties":' + _properties(properties) + b"}\n"
    except TypeError as error:  # a value that is no property of 5.26, or, so orjson, no text
        raise ValueError(str(error)) from error


def _properties(rows: list[dict[str, Any]]) -> bytes:
    text = orjson.dumps(rows, default=tagged, option=orjson.OPT_SORT_KEYS)
    if b"null" in text:  # no value is null: it is NaN, or infinite, or only a word in a text
        exact = [{key: plain(value) for key, value in row.items()} for row in rows]
        text = orjson.dumps(exact, default=tagged, option=orjson.OPT_SORT_KEYS)
    return text


def unpacked(data: bytes, size: int) -> bytes:
    """The canonical bytes from an object's, which are to be ``size``. Raises :class:`ArchiveBroken`."""
    engine = isal_zlib.decompressobj(_GZIP)
    try:
        text = bytes(engine.decompress(data, size + 1))
    except IsalError as error:  # type: ignore[misc]
        raise ArchiveBroken("it is no gzip data, or was changed") from error
    if not engine.eof or engine.unused_data or len(text) != size:
        raise ArchiveBroken("it is cut short, or something stands behind its end")
    return text


def nodes(data: bytes) -> Nodes:
    """The rows of a chunk of nodes. Raises :class:`ArchiveBroken`."""
    values = _parsed(data)
    try:
        return Nodes(values["nodes"], values["keys"], values["properties"], values["labels"])
    except KeyError as error:
        raise ArchiveBroken("it does not hold nodes") from error


def relationships(data: bytes) -> Relationships:
    """The rows of a chunk of relationships. Raises :class:`ArchiveBroken`."""
    values = _parsed(data)
    try:
        return Relationships(
            values["relationships"],
            values["starts"],
            values["ends"],
            values["keys"],
            values["properties"],
            values["types"],
        )
    except KeyError as error:
        raise ArchiveBroken("it does not hold relationships") from error


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        values: dict[str, Any] = orjson.loads(data)
        for row in values["properties"]:
            for key, value in row.items():
                if type(value) in _NESTED:
                    row[key] = untagged(value)
        return values
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArchiveBroken("it is not what the format says") from error
