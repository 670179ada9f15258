"""What the auditor knows of an archive's objects, and what it finds wrong with them (pure).

Times are ms since 1970 on the source's clock where nothing else is said; ``at`` and ``seen`` are seconds since 1970 on
the auditor's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.graph.position import Position

Kind = Literal["Missing", "Truncated", "Altered", "Unreadable", "Expiring", "Foreign"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The worst first."""
DAMAGE: tuple[Kind, ...] = ("Missing", "Truncated", "Altered")
"""What a new snapshot helps against."""
DIGITS = 16
"""Hex digits of a SHA-256 that are kept, to compare neighbours by."""

Place = tuple[int, int, int]
"""A position of a change stream: transaction, sequence in it, commit time (0: not known)."""


def place(position: Position) -> Place:
    """The parts of a position by which two of one database are told apart."""
    return position.tx, position.seq, position.commit_millis


class Damaged(DrError):
    """An object is not what was put there. ``kind`` says how, the message what was seen."""

    reason = "ArchiveObjectAltered"

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Finding:
    """Something wrong with one object, or with what keeps it. ``name``: its name below the location's path.

    ``at``: when it was first found. ``contained``: what was committed since the newest whole snapshot does not need it.
    """

    kind: Kind
    name: str
    message: str
    at: int
    contained: bool = False

    @property
    def harmful(self) -> bool:
        """Whether recovery suffers from it, now or, for a rule that deletes, soon."""
        return self.kind != "Foreign"


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment that was read and is in order. ``at``: when; ``size`` in bytes.

    ``start``: why it continues nothing, empty where it continues the one before. ``regressed``: it stands behind a gap
    into an earlier state. ``sha256``, ``previous``: the first :data:`DIGITS` hex digits of its own and of the one that
    it names as the one before.
    """

    number: int
    database: str
    begin: Place
    end: Place
    covered: int
    last: int | None
    created: int
    sha256: str
    previous: str
    start: str
    regressed: bool
    size: int
    at: int

    @property
    def begins(self) -> int:
        """When its epoch began, if it is the first that is there."""
        return self.begin[2] or self.created

    def follows(self, before: Piece) -> bool:
        """Whether it is the next link of the chain behind ``before``."""
        return self.previous == before.sha256 and (bool(self.start) or self.begin == before.end)


@dataclass(frozen=True)
class Copy:
    """A snapshot whose manifest was read and is in order. ``lacking``: what it is made of and is not in order."""

    name: SnapshotName
    database: str
    latest: int
    covered: int
    begins: int
    objects: int
    size: int
    at: int
    lacking: int = 0

    @classmethod
    def of(cls, manifest: Manifest, size: int, at: int) -> Copy:
        """What counts of a manifest."""
        start = Position.decode(manifest.start)
        return cls(
            name=manifest.name,
            database=manifest.database,
            latest=manifest.latest,
            covered=manifest.covered,
            begins=start.commit_millis or manifest.latest,
            objects=len(manifest.contents()),
            size=size,
            at=at,
        )


@dataclass(frozen=True)
class Content:
    """A chunk or an amendment, by its SHA-256. ``at``: when it was read and in order, 0 for not yet; ``seen``: since
    when it is known; ``size``: bytes when it was read."""

    amendment: bool
    seen: int
    at: int = 0
    size: int = 0

    @property
    def since(self) -> int:
        """Since when nobody has looked at it."""
        return self.at or self.seen


@dataclass(frozen=True)
class Mark:
    """An epoch's watermark: it counts while segment ``number`` has ``sha256``."""

    number: int
    sha256: str
    covered: int
