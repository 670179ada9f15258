"""Writing a segment: header, blocks of transactions, trailer, as one gzip member (pure). docs/archive-format.md.

Columns, not rows: a change costs under half a microsecond beside the 8 of reading it, and compresses as well.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
from isal import isal_zlib

from neo4j_dr_operator.graph.cypher import BOOKKEEPING
from neo4j_dr_operator.graph.position import Position, commit_times
from neo4j_dr_operator.graph.values import plain, tagged
from neo4j_dr_operator.replication.changes import Chunk

FORMAT, VERSION = "neo4j-dr-segment", 1
LEVEL = 2
"""Of ISA-L: about ten times as fast as zlib's default of 6, for a sixth more bytes."""
BLOCK = 5000
"""Changes of one line, at most: what a reader has to hold."""
_GZIP = 31
_HIDDEN = b'"%s"' % BOOKKEEPING.encode()


CONTINUATION = "continuation"


@dataclass(frozen=True)
class Start:
    """Why a segment does not continue the one before it.

    ``reason``: ``first`` (the first of an archive, at the stream's end of then), ``promotion`` (the first of an epoch,
    at the barrier it was told), ``continuation`` (the first of an epoch that no promotion opened, at the end of the one
    before, of the same database), ``gap`` (the stream no longer held ``lost``, the position where it should go on).
    """

    reason: str
    lost: str | None = None


@dataclass(frozen=True)
class Header:
    """The first line. ``position`` (exclusive) is the trailer's of segment ``number - 1``, unless ``start`` is set.

    ``previous``: SHA-256 (hex) of that segment's bytes, None for number 1. ``database``: UUID of the source database.
    ``created``: ms since 1970, on the shipper's clock.
    """

    archive: str
    epoch: int
    site: str
    number: int
    database: str
    position: str
    previous: str | None
    start: Start | None
    created: int

    def line(self) -> bytes:
        """As it stands in the segment."""
        return _line({"format": FORMAT, "version": VERSION, **_renamed(asdict(self), "position", "from")})


@dataclass(frozen=True)
class Trailer:
    """The last line. ``position``: after everything in the segment. Times in ms since 1970 on the source's clock.

    ``first`` and ``last``: commit times of the first and last transaction, None when there is none. ``covered``: what
    was committed up to then stands in this segment or before it. ``crc32``: of all bytes before this line.
    """

    position: str
    transactions: int
    changes: int
    first: int | None
    last: int | None
    covered: int
    crc32: str

    def line(self) -> bytes:
        """As it stands in the segment."""
        return _line(_renamed(asdict(self), "position", "to"))


@dataclass(frozen=True)
class Segment:
    """A finished segment: the object's bytes and their SHA-256 in hex."""

    header: Header
    trailer: Trailer
    data: bytes
    sha256: str


class SegmentWriter:
    """Takes chunks of the stream in order, gives the segment. Holds only what is compressed already."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self._gzip = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._parts: list[bytes] = []
        self._crc = 0
        self.size = 0
        """Bytes that have come out of the compressor so far."""
        self.transactions = self.changes = 0
        self._first: int | None = None
        self._last: int | None = None
        self._write(header.line())

    def add(self, chunk: Chunk) -> None:
        """Whole transactions; bookkeeping is left out. Raises ValueError for a value or identifier unknown to us."""
        if not chunk.ids:
            return
        try:
            chunk, lines = _lines(chunk)
        except TypeError as error:  # a value that is no property of 5.26, or, so orjson, no text
            raise ValueError(str(error)) from error
        if not lines:
            return
        for line in lines:
            self._write(line)
        ends = _ends(chunk.txs)
        self.transactions += len(ends)
        self.changes += len(chunk.ids)
        first, self._last = commit_times([chunk.ids[ends[0]], chunk.ids[ends[-1]]])
        self._first = first if self._first is None else self._first

    def close(self, to: Position, covered: int) -> Segment:
        """The segment up to ``to``; ``covered`` as in :class:`Trailer`. Nothing can be added any more."""
        trailer = Trailer(
            to.text, self.transactions, self.changes, self._first, self._last, covered, f"{self._crc:08x}"
        )
        self._parts.append(self._gzip.compress(trailer.line()))
        self._parts.append(self._gzip.flush())
        data = b"".join(self._parts)
        self._parts.clear()
        return Segment(self.header, trailer, data, hashlib.sha256(data).hexdigest())

    def _write(self, line: bytes) -> None:
        self._crc = zlib.crc32(line, self._crc)
        part = self._gzip.compress(line)
        self._parts.append(part)
        self.size += len(part)


def _line(values: dict[str, Any]) -> bytes:
    return orjson.dumps(values) + b"\n"


def _renamed(values: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    return {key if field == name else field: value for field, value in values.items()}


def _ends(txs: list[int]) -> list[int]:
    """Index of the last change of each transaction."""
    column = np.array(txs)
    ends: list[int] = np.flatnonzero(column[1:] != column[:-1]).tolist()
    return [*ends, len(txs) - 1]


def _lines(chunk: Chunk) -> tuple[Chunk, list[bytes]]:
    """The chunk without bookkeeping, and its blocks.

    All its transactions stand in the first block; changes beyond ``BLOCK`` follow in others that name no transaction.
    """
    slices = [slice(at, at + BLOCK) for at in range(0, len(chunk.ids), BLOCK)]
    large = [(orjson.dumps(chunk.names[part]), _afters(chunk.afters[part])) for part in slices]
    if any(_HIDDEN in names or _HIDDEN in afters for names, afters in large):
        visible = _visible(chunk)
        if len(visible) < len(chunk):
            return _lines(visible) if visible.ids else (visible, [])
    ends = _ends(chunk.txs)
    ids = [chunk.ids[end] for end in ends]
    columns: dict[str, Any] = {
        "ids": ids,
        "txs": [chunk.txs[end] for end in ends],
        "times": commit_times(ids),
        "counts": [end - before for before, end in zip([-1, *ends], ends, strict=False)],
    }
    lines = []
    for part, (names, afters) in zip(slices, large, strict=True):
        columns["operations"] = "".join(chunk.operations[part])
        columns["elements"] = " ".join(chunk.elements[part])
        columns["starts"] = " ".join(chunk.starts[part])
        columns["ends"] = " ".join(chunk.ends[part])
        lines.append(b"".join((orjson.dumps(columns)[:-1], b',"names":', names, b',"afters":', afters, b"}\n")))
        columns = {"ids": [], "txs": [], "times": [], "counts": []}
    return chunk, lines


def _afters(afters: list[Any]) -> bytes:
    text = orjson.dumps(afters, default=tagged)
    if b"null" in text:  # no value is null: it is NaN, or infinite, or only a word in a text
        text = orjson.dumps([_exact(after) for after in afters], default=tagged)
    return text


def _exact(after: Any) -> Any:
    if not after:
        return after
    return after | {"properties": {key: plain(value) for key, value in after["properties"].items()}}


def _visible(chunk: Chunk) -> Chunk:
    """The chunk without changes of bookkeeping nodes, and so without transactions that hold nothing else."""
    keep = [
        index
        for index, (element, names, after) in enumerate(zip(chunk.elements, chunk.names, chunk.afters, strict=True))
        if element[0] != "4" or not (BOOKKEEPING in names or (after and BOOKKEEPING in after["labels"]))
    ]
    columns = (chunk.ids, chunk.txs, chunk.operations, chunk.elements)
    more = (chunk.names, chunk.starts, chunk.ends, chunk.afters)
    kept: list[list[Any]] = [[column[index] for index in keep] for column in (*columns, *more)]
    return Chunk(chunk.more, chunk.cursor, chunk.position, *kept)
