"""The schema as it was seen while an epoch was shipped: an object whenever it had changed (pure).

Constraints and indexes are in no change stream, so segments hold none. See docs/archive-format.md, "The schema".
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.sealed import seal, unseal

FORMAT, VERSION = "neo4j-dr-schema", 1
PERIOD = 30.0
"""Seconds between two looks at a source's schema: a change of it is known to within that."""
_NAME = re.compile(r"(?:.*/)?schema/(\d{10})/(\d{12})-(\d{20})-(\d{15})\.json")


def folder(archive: str, epoch: int) -> str:
    """What the names of an epoch's notes begin with; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/schema/{epoch:010d}/"


@dataclass(frozen=True, order=True)
class SchemaName:
    """What a note's name says. They order as epochs do, then as the looks in them.

    ``segment``: the last one of the chain when it was looked at, ``tx``: the source's last transaction then; ``seen``:
    ms since 1970 on the source's clock.
    """

    epoch: int
    segment: int
    tx: int
    seen: int

    def key(self, archive: str) -> str:
        """The object's name."""
        return f"{folder(archive, self.epoch)}{self.segment:012d}-{self.tx:020d}-{self.seen:015d}.json"

    @classmethod
    def of(cls, name: str) -> SchemaName | None:
        """From an object's name or whole key; None when it is another object."""
        found = _NAME.fullmatch(name)
        return cls(*map(int, found.groups())) if found else None


@dataclass(frozen=True)
class SchemaRef:
    """A constraint or an index. ``lookup``: NODE or RELATIONSHIP for a token lookup index, else empty."""

    kind: str
    name: str
    statement: str
    lookup: str = ""


@dataclass(frozen=True)
class SchemaNote:
    """The rules that held in ``database`` at ``position`` (a change identifier), sorted by kind and name.

    ``segment`` and ``seen`` as in its name. ``created``: ms since 1970 on the writer's clock; to look at only.
    """

    archive: str
    epoch: int
    segment: int
    site: str
    database: str
    position: str
    seen: int
    created: int
    rules: tuple[SchemaRef, ...]

    @property
    def name(self) -> SchemaName:
        """What it is called. Raises ValueError for a position that is none."""
        return SchemaName(self.epoch, self.segment, Position.decode(self.position).tx, self.seen)

    def encode(self) -> bytes:
        """The object's bytes."""
        head = {name: value for name, value in asdict(self).items() if name != "rules"}
        lines = [{"format": FORMAT, "version": VERSION, **head}, *({"schema": asdict(rule)} for rule in self.rules)]
        return seal(lines)

    @classmethod
    def decode(cls, data: bytes, name: SchemaName, archive: str) -> SchemaNote:
        """From the bytes of the object of that name. Raises :class:`ArchiveBroken`."""
        try:
            head, lines = unseal(data, FORMAT, VERSION, "note of the schema")
            note = cls(**head, rules=tuple(SchemaRef(**line["schema"]) for line in lines if "schema" in line))
            fits = (note.name, note.archive) == (name, archive)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArchiveBroken("a note of the schema cannot be read") from error
        if not fits:
            raise ArchiveBroken("it is another note of the schema than its name says")
        return note
