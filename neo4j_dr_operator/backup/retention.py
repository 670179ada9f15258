"""What retention may delete: never what a kept snapshot, or a point of the window, needs (pure).

Kept by age (``30d``): every snapshot of the last 30 days, and the newest one before, from which the first of these days
is reached. Kept by number: the newest ones. Only a whole snapshot counts, as that one or as one of so many: a restore
passes over one that lacks anything, for an older one. Of segments only those go whose end the oldest kept snapshot
names as lying before its own, and those of earlier epochs; the last one of an epoch stays, because its chain goes on
from it. The newest snapshot always stays. While no whole snapshot is older than the age, no segment goes: those before
the first snapshot are of no use to a restore, and may be what a standby lacks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.position import Position
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
    """A snapshot as retention sees it.

    ``until``: ms since 1970; whatever is in it was committed by then, on the source's clock and on the operator's, of
    which either may be slow. ``whole``: everything that it is made of is there and, as far as known, in order.
    """

    name: SnapshotName
    until: int
    whole: bool = True

    @classmethod
    def of(cls, manifest: Manifest, *, whole: bool) -> Copy:
        """What counts of a manifest. How long it was read is told by the source's clock, whatever that was set to."""
        begun = Position.decode(manifest.start).commit_millis
        lasted = max(0, manifest.latest - begun) if begun else 0
        return cls(manifest.name, max(manifest.latest, manifest.created + lasted), whole)


@dataclass(frozen=True, order=True)
class Piece:
    """A segment as retention sees it: its name."""

    epoch: int
    number: int


@dataclass(frozen=True)
class Kept:
    """What stays, beside what these snapshots are made of. Everything else may be deleted: manifests first, then
    contents, then segments. ``copies``: the newest ones, in their order."""

    copies: tuple[Copy, ...]
    pieces: frozenset[Piece]

    def needs_schema(self, name: SchemaName) -> bool:
        """Whether a restore may want this note: it does not lie before the oldest kept snapshot, which has its own."""
        oldest = min((copy.name for copy in self.copies), default=None)
        return oldest is None or (name.epoch, name.segment, name.tx) >= (oldest.epoch, oldest.segment, oldest.tx)


def keepable(copies: Sequence[Copy], pieces: Collection[Piece], retention: Retention, now: int) -> Kept:
    """What has to stay at ``now`` (ms since 1970). ``copies`` are given in their order, the oldest first."""
    first = _first_kept(copies, retention, now)
    if first is None:
        return Kept(tuple(copies), frozenset(pieces))
    oldest = copies[first].name
    last: dict[int, int] = {}
    for piece in pieces:
        last[piece.epoch] = max(last.get(piece.epoch, 0), piece.number)
    stay = frozenset(
        piece
        for piece in pieces
        if (piece.epoch, piece.number) > (oldest.epoch, oldest.segment) or piece.number == last[piece.epoch]
    )
    return Kept(tuple(copies[first:]), stay)


def _first_kept(ordered: Sequence[Copy], retention: Retention, now: int) -> int | None:
    """Index of the oldest snapshot that stays; None where nothing may go, of the segments neither."""
    whole = [index for index, copy in enumerate(ordered) if copy.whole]
    if retention.copies is not None:
        return (0 if len(whole) < retention.copies else whole[-retention.copies]) if whole else None
    begin = now - (retention.millis or 0)
    return max((index for index in whole if ordered[index].until <= begin), default=None)
