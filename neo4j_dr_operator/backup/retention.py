"""What retention may delete: never what a kept snapshot, or a point of the window, needs (pure).

Kept by age (``30d``): every snapshot of the last 30 days, and the newest one before, from which the first of these days
is reached. Kept by number: the newest ones. Of segments only those go whose end the oldest kept snapshot names as lying
before its own, and those of earlier epochs; the last one of an epoch stays, because its chain goes on from it. The
newest snapshot always stays. While no snapshot is older than the age, no segment goes: those before the first snapshot
are of no use to a restore, and may be what a standby lacks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.shipping.schema import SchemaName

_UNITS = {"h": 3600, "d": 86_400, "w": 604_800}
_AGE, _COUNT = re.compile(r"(\d+)([hdw])"), re.compile(r"(\d+)")


@dataclass(frozen=True)
class Retention:
    """``millis``: age up to which every point stays restorable; ``copies``: snapshots to keep. One of both is None."""

    millis: int | None = None
    copies: int | None = None

    @classmethod
    def parse(cls, text: str) -> Retention:
        """``30d``, ``12h``, ``4w``: an age; ``7``: so many snapshots. Raises :class:`ConfigInvalid`."""
        if found := _AGE.fullmatch(text):
            return cls(millis=int(found[1]) * _UNITS[found[2]] * 1000)
        if (found := _COUNT.fullmatch(text)) and int(found[1]) > 0:
            return cls(copies=int(found[1]))
        raise ConfigInvalid("retention must be an age such as 30d, or a number of snapshots such as 7")


@dataclass(frozen=True)
class Copy:
    """A snapshot as retention sees it. ``latest``: ms since 1970, nothing in it is later; ``contents``: its objects."""

    name: SnapshotName
    latest: int
    contents: frozenset[str]


@dataclass(frozen=True, order=True)
class Piece:
    """A segment as retention sees it: its name."""

    epoch: int
    number: int


@dataclass(frozen=True)
class Kept:
    """What stays. Everything else may be deleted: manifests first, then contents, then segments."""

    copies: tuple[Copy, ...]
    pieces: frozenset[Piece]

    def needs(self, sha256: str) -> bool:
        """Whether a kept snapshot is made of this chunk or amendment."""
        return sha256 in self.contents

    def needs_schema(self, name: SchemaName) -> bool:
        """Whether a restore may want this note: it does not lie before the oldest kept snapshot, which has its own."""
        oldest = self.copies[0].name if self.copies else None
        return oldest is None or (name.epoch, name.segment, name.tx) >= (oldest.epoch, oldest.segment, oldest.tx)

    @cached_property
    def contents(self) -> frozenset[str]:
        """SHA-256 of everything that the kept snapshots are made of."""
        return frozenset[str]().union(*(copy.contents for copy in self.copies))


def keepable(copies: Sequence[Copy], pieces: Collection[Piece], retention: Retention, now: int) -> Kept:
    """What has to stay at ``now`` (ms since 1970)."""
    ordered = sorted(copies, key=lambda copy: copy.name)
    kept = tuple(ordered[_first_kept(ordered, retention, now) :])
    young = retention.millis is not None and all(copy.latest > now - retention.millis for copy in ordered)
    if not kept or young:
        return Kept(kept, frozenset(pieces))
    oldest = kept[0].name
    last: dict[int, int] = {}
    for piece in pieces:
        last[piece.epoch] = max(last.get(piece.epoch, 0), piece.number)
    stay = frozenset(
        piece
        for piece in pieces
        if (piece.epoch, piece.number) > (oldest.epoch, oldest.segment) or piece.number == last[piece.epoch]
    )
    return Kept(kept, stay)


def _first_kept(ordered: list[Copy], retention: Retention, now: int) -> int:
    if retention.copies is not None:
        return max(0, len(ordered) - retention.copies)
    begin = now - (retention.millis or 0)
    before = [index for index, copy in enumerate(ordered) if copy.latest <= begin]
    return before[-1] if before else 0
