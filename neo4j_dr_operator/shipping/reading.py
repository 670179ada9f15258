"""Reading a segment back: checked from its first byte to its last (pure). docs/archive-format.md."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from isal import isal_zlib
from isal.igzip_lib import IsalError  # a class of the C module, which the stubs do not call one

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.graph.values import untagged
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping.segment import FORMAT, VERSION, Header, Start, Trailer

_GZIP = 31
_STEP = 1 << 20
_NESTED = (dict, list)


class ArchiveBroken(errors.DrError):
    """An object of the archive is not what the format says: cut short, changed, or of a version unknown here."""

    reason = "ArchiveBroken"


class VersionUnknown(ArchiveBroken):
    """An object of the archive is of another version of the format; nothing says that it is damaged."""


@dataclass(frozen=True)
class Batch:
    """Whole transactions of a segment, and the commit time (ms since 1970) of each, in commit order.

    In the chunk every change carries the change identifier of its transaction's last one.
    """

    times: list[int]
    chunk: Chunk


class SegmentReader:
    """One segment from its bytes. ``header`` is there at once, ``trailer`` when all batches have been read."""

    def __init__(self, data: bytes) -> None:
        """Raises :class:`ArchiveBroken`, as every other method."""
        self._lines = _checked(data)
        self.header = _header(next(self._lines, b""))
        self._trailer: Trailer | None = None

    @property
    def trailer(self) -> Trailer:
        """The last line; reads what is left of the segment, unparsed."""
        for line in self._lines:
            if self._trailer is not None:
                raise ArchiveBroken(f"segment {self.header.number} goes on after its trailer")
            self._end(line)
        if self._trailer is None:
            raise ArchiveBroken(f"segment {self.header.number} has no trailer")
        return self._trailer

    def batches(self) -> Iterator[Batch]:
        """All transactions, once."""
        open_block: dict[str, Any] | None = None
        transactions = changes = 0
        for line in self._lines:
            if self._end(line):
                break
            block = _parsed(line)
            open_block = block if open_block is None else _joined(open_block, block)
            if len(open_block["operations"]) == sum(open_block["counts"]):
                batch = _batch(open_block)
                transactions += len(batch.times)
                changes += len(batch.chunk)
                open_block = None
                yield batch
        end = self.trailer
        if open_block is not None or (transactions, changes) != (end.transactions, end.changes):
            raise ArchiveBroken(f"segment {self.header.number} does not hold what its trailer counts")

    def _end(self, line: bytes) -> bool:
        """Whether ``line`` is the trailer: it is the only one that begins so."""
        if not line.startswith(b'{"to":'):
            return False
        try:
            values = orjson.loads(line)
            self._trailer = Trailer(position=values.pop("to"), **values)
        except (ValueError, TypeError, KeyError) as error:
            raise ArchiveBroken(f"segment {self.header.number} has a broken trailer") from error
        return True


def _checked(data: bytes) -> Iterator[bytes]:
    """The lines, while they come out of the one gzip member; the trailer's checksum is compared before it is given."""
    crc, rest = 0, b""
    for piece in _inflated(data):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b'{"to":') and f'"crc32":"{crc:08x}"'.encode() not in line:
                raise ArchiveBroken("the checksum of a segment does not fit")
            crc = zlib.crc32(line + b"\n", crc)
            yield line
    if rest:
        raise ArchiveBroken("a segment is cut short")


def _inflated(data: bytes) -> Iterator[bytes]:
    engine = isal_zlib.decompressobj(_GZIP)
    try:
        pending = data
        while not engine.eof:
            piece = engine.decompress(pending, _STEP)
            pending = engine.unconsumed_tail
            if not piece and not pending and not engine.eof:
                raise ArchiveBroken("a segment is cut short")
            yield piece
    except IsalError as error:  # type: ignore[misc]
        raise ArchiveBroken("a segment is no gzip data, or was changed") from error
    if engine.unused_data:
        raise ArchiveBroken("something stands after a segment's end")


def _header(line: bytes) -> Header:
    try:
        values = orjson.loads(line)
        if values.pop("format") != FORMAT:
            raise ArchiveBroken("not a segment of this format")
        if (version := values.pop("version")) != VERSION:
            raise VersionUnknown(f"a segment of version {version}; this program reads version {VERSION}")
        start = Start(**values.pop("start")) if values["start"] else values.pop("start")
        return Header(position=values.pop("from"), start=start, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArchiveBroken("the header of a segment cannot be read") from error


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        block: dict[str, Any] = orjson.loads(line)
        for name in ("elements", "starts", "ends"):
            block[name] = block[name].split(" ")
        block["afters"] = [after and _after(after) for after in block["afters"]]
        return block
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArchiveBroken("a block of a segment cannot be read") from error


def _after(after: dict[str, Any]) -> dict[str, Any]:
    properties = after["properties"]
    for key, value in properties.items():
        if type(value) in _NESTED:
            properties[key] = untagged(value)
    return after


def _joined(block: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {name: column + more[name] for name, column in block.items()}


def _batch(block: dict[str, Any]) -> Batch:
    counts = block["counts"]
    try:
        ids = [each for each, count in zip(block["ids"], counts, strict=True) for _ in range(count)]
        txs = [each for each, count in zip(block["txs"], counts, strict=True) for _ in range(count)]
        position = Position.decode(ids[-1])
    except (ValueError, IndexError) as error:
        raise ArchiveBroken("a block of a segment cannot be read") from error
    chunk = Chunk(
        more=False,
        cursor=position.text,
        position=position,
        ids=ids,
        txs=txs,
        operations=list(block["operations"]),
        elements=block["elements"],
        names=block["names"],
        starts=block["starts"],
        ends=block["ends"],
        afters=block["afters"],
    )
    columns = (chunk.operations, chunk.elements, chunk.names, chunk.starts, chunk.ends, chunk.afters)
    if any(len(column) != len(ids) for column in columns):
        raise ArchiveBroken("a block of a segment has columns of different lengths")
    return Batch(block["times"], chunk)
