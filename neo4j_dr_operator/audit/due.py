"""What is looked at in one round: everything new at once, of the rest a share, the oldest look first (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from neo4j_dr_operator.audit.findings import segment_of
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.shipping.schema import SchemaName

ROUNDS = 1000
"""Rounds of one period."""
SHORTEST, LONGEST = 2.0, 600.0
"""Seconds between two rounds."""
LISTINGS = 7
"""Times that everything is listed in one period."""
SUSPECTS = 1000
"""Objects found damaged that are looked at again in one round, at most."""


def pause(period: float) -> float:
    """Seconds between two rounds."""
    return min(LONGEST, max(SHORTEST, period / ROUNDS))


def listing(ledger: Ledger, now: int, period: float) -> bool:
    """Whether everything is to be listed though nobody asks for it."""
    return ledger.listed == 0 or now - ledger.listed >= period / LISTINGS


@dataclass(frozen=True)
class Work:
    """Objects to read, by what names them."""

    segments: tuple[tuple[int, int], ...]
    snapshots: tuple[SnapshotName, ...]
    contents: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.segments) + len(self.snapshots) + len(self.contents)


def due(ledger: Ledger, new: Iterable[str], now: int, period: float, *, full: bool = False) -> Work:
    """What to read in this round. ``new``: names of segments and manifests that nobody has read yet.

    ``full``: everything that was not read since that was asked for is due. Each object is read once in ``period``
    seconds, however often rounds come.
    """
    since = ledger.since if full else now - period
    segments = {(piece.at, (epoch, piece.number)) for epoch, held in ledger.pieces.items() for piece in held.values()}
    aged: list[tuple[int, object]] = [
        *segments,
        *((copy.at, name) for name, copy in ledger.copies.items()),
        *((content.since, sha256) for sha256, content in ledger.contents.items()),
    ]
    aged.sort(key=lambda item: (item[0], str(item[1])))
    share = math.ceil(len(aged) * min(1.0, max(0, now - ledger.at) / period)) if ledger.at else 0
    wanted: set[object] = {item for at, item in aged if at <= since} | {item for _, item in aged[:share]}
    suspects = list(ledger.findings)[:SUSPECTS]
    return _work(wanted.union(map(subject, (*new, *suspects))))


def at_once(names: Iterable[str]) -> Work:
    """The objects of these names, whenever they were read."""
    return _work(map(subject, names))


def _work(items: Iterable[object]) -> Work:
    wanted = set(items)
    return Work(
        segments=tuple(sorted(item for item in wanted if isinstance(item, tuple))),
        snapshots=tuple(sorted(item for item in wanted if isinstance(item, SnapshotName))),
        contents=tuple(sorted(item for item in wanted if isinstance(item, str))),
    )


def subject(name: str) -> tuple[int, int] | SnapshotName | str | None:
    """What an object's name stands for: a segment, a snapshot, or contents by their SHA-256; None for another."""
    return segment_of(name) or SnapshotName.of(name) or snapshot_names.content(name)


def known(archive: str, name: str) -> bool:
    """Whether the format says what the object is."""
    if subject(name) is not None or SchemaName.of(name) is not None:
        return True
    rest = name.removeprefix(f"{archive}/")
    folder, _, last = rest.rpartition("/")
    return (folder.isdigit() and last == "watermark.json") or rest in OTHERS


OTHERS = frozenset(["archive.json", "owner.json", "encryption-probe", "audit.json.gz", "damage.json"])
"""Objects that stand beside the archive's folders."""
