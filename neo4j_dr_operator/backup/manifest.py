"""The manifest of a snapshot: lines of JSON, written last; what has none is no snapshot (pure).

See docs/archive-format.md, "A snapshot".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from neo4j_dr_operator.backup.chunks import Kind
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.schema import SchemaRef
from neo4j_dr_operator.shipping.sealed import seal, unseal

FORMAT, VERSION = "neo4j-dr-snapshot", 1
_LINES = ("encryption", "schema", "chunks", "amendments")


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
class EncryptionRef:
    """What was asked of the store: algorithm, as S3 writes it, and key; None for the store's own keys."""

    algorithm: str
    key: str | None


@dataclass(frozen=True)
class Manifest:
    """A snapshot: the graph at ``position``, under the source's own ids. Times: ms since 1970, source's clock.

    ``start``: change identifier before which nothing of the amendments stands. ``latest``: no transaction in it was
    committed later. ``covered``: every transaction committed up to then is in it; never ahead of the writer's clock, so
    it may lie before ``latest``. ``nodes_end``, ``relationships_end``: one more than the highest ids that were looked
    at. ``segment``: as in its name. ``created``: the writer's clock; to look at, not to rely on. ``encryption``: every
    object that it is made of was put under it, or seen to lie under it; None where nobody asked for any.
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
    encryption: EncryptionRef | None = None

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
        head = {name: value for name, value in asdict(self).items() if name not in _LINES}
        lines: list[dict[str, Any]] = [{"format": FORMAT, "version": VERSION, **head}]
        if self.encryption is not None:
            lines.append({"encryption": asdict(self.encryption)})
        lines += [{"schema": asdict(rule)} for rule in self.schema]
        lines += [{"chunk": asdict(ref)} for ref in self.chunks]
        lines += [{"amendment": asdict(ref)} for ref in self.amendments]
        return seal(lines)

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """From an object's bytes. Raises :class:`ArchiveBroken`."""
        try:
            return _decoded(data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArchiveBroken("a manifest cannot be read") from error


def _decoded(data: bytes) -> Manifest:
    head, lines = unseal(data, FORMAT, VERSION, "manifest")
    return Manifest(
        **head,
        schema=tuple(SchemaRef(**line["schema"]) for line in lines if "schema" in line),
        chunks=tuple(ChunkRef(**line["chunk"]) for line in lines if "chunk" in line),
        amendments=tuple(AmendmentRef(**line["amendment"]) for line in lines if "amendment" in line),
        encryption=next((EncryptionRef(**line["encryption"]) for line in lines if "encryption" in line), None),
    )
