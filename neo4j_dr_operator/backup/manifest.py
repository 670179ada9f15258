"""The manifest of a snapshot: lines of JSON, written last; what has none is no snapshot (pure).

See docs/archive-format.md, "A snapshot".
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from neo4j_dr_operator.backup.chunks import Kind
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.shipping.reading import ArchiveBroken

FORMAT, VERSION = "neo4j-dr-snapshot", 1


@dataclass(frozen=True)
class ChunkRef:
    """A chunk as a manifest names it: elements under the ids ``first`` to ``after`` - 1.

    ``size``: bytes of its canonical form.
    """

    sha256: str
    kind: Kind
    first: int
    after: int
    count: int
    size: int


@dataclass(frozen=True)
class AmendmentRef:
    """A segment of what was committed meanwhile. ``start`` (exclusive), ``to``: change identifiers."""

    sha256: str
    start: str
    to: str
    transactions: int
    changes: int


@dataclass(frozen=True)
class SchemaRef:
    """A constraint or an index. ``lookup``: NODE or RELATIONSHIP for a token lookup index, else empty."""

    kind: str
    name: str
    statement: str
    lookup: str = ""


@dataclass(frozen=True)
class Manifest:
    """A snapshot: the graph at ``position``, under the source's own ids. Times: ms since 1970, source's clock.

    ``start``: change identifier before which nothing of the amendments stands. ``latest``: no transaction in it was
    committed later. ``covered``: every transaction committed up to then is in it. ``nodes_end``, ``relationships_end``:
    one more than the highest ids that were looked at. ``segment``: as in its name. ``created``: the writer's clock; to
    look at, not to rely on.
    """

    archive: str
    epoch: int
    segment: int
    site: str
    database: str
    start: str
    position: str
    latest: int
    covered: int
    created: int
    nodes_end: int
    relationships_end: int
    schema: tuple[SchemaRef, ...]
    chunks: tuple[ChunkRef, ...]
    amendments: tuple[AmendmentRef, ...]

    @property
    def tx(self) -> int:
        """The last transaction in it."""
        return Position.decode(self.position).tx

    @property
    def name(self) -> SnapshotName:
        """What it is called."""
        return SnapshotName(self.epoch, self.segment, self.tx, self.created)

    @property
    def elements(self) -> int:
        """Elements in the chunks."""
        return sum(chunk.count for chunk in self.chunks)

    def contents(self) -> frozenset[str]:
        """SHA-256 of every chunk and amendment that it needs."""
        return frozenset(ref.sha256 for refs in (self.chunks, self.amendments) for ref in refs)

    def encode(self) -> bytes:
        """The object's bytes."""
        head = {name: value for name, value in asdict(self).items() if name not in ("schema", "chunks", "amendments")}
        lines: list[dict[str, Any]] = [{"format": FORMAT, "version": VERSION, **head}]
        lines += [{"schema": asdict(rule)} for rule in self.schema]
        lines += [{"chunk": asdict(ref)} for ref in self.chunks]
        lines += [{"amendment": asdict(ref)} for ref in self.amendments]
        text = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        end = {"end": len(lines), "sha256": hashlib.sha256(text).hexdigest()}
        return text + orjson.dumps(end) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """From an object's bytes. Raises :class:`ArchiveBroken`."""
        try:
            return _decoded(data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArchiveBroken("a manifest cannot be read") from error


def _decoded(data: bytes) -> Manifest:
    body, _, last = data.removesuffix(b"\n").rpartition(b"\n")
    text, end = body + b"\n", orjson.loads(last)
    head, *lines = map(orjson.loads, text.splitlines())
    if head.pop("format") != FORMAT:
        raise ArchiveBroken("not a manifest of this format")
    if (version := head.pop("version")) != VERSION:
        raise ArchiveBroken(f"a manifest of version {version}; this program reads version {VERSION}")
    if not data.endswith(b"\n") or end != {"end": len(lines) + 1, "sha256": hashlib.sha256(text).hexdigest()}:
        raise ArchiveBroken("the checksum of a manifest does not fit")
    return Manifest(
        **head,
        schema=tuple(SchemaRef(**line["schema"]) for line in lines if "schema" in line),
        chunks=tuple(ChunkRef(**line["chunk"]) for line in lines if "chunk" in line),
        amendments=tuple(AmendmentRef(**line["amendment"]) for line in lines if "amendment" in line),
    )
