"""Names of a snapshot's objects, relative to the path of the S3 location (pure). See docs/archive-format.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

_MANIFEST = re.compile(r"(?:.*/)?snapshots/(\d{10})/(\d{12})-(\d{20})-(\d{15})\.json")
_CHUNK = re.compile(r"(?:.*/)?chunks/[0-9a-f]{2}/([0-9a-f]{64})\.gz")
_AMENDMENT = re.compile(r"(?:.*/)?amendments/([0-9a-f]{64})\.seg")


def snapshots(archive: str) -> str:
    """What the names of all manifests begin with; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/snapshots/"


def chunks(archive: str) -> str:
    """What the names of all chunks begin with."""
    return f"{archive}/chunks/"


def amendments(archive: str) -> str:
    """What the names of all amendments begin with."""
    return f"{archive}/amendments/"


def chunk(archive: str, sha256: str) -> str:
    """The chunk whose canonical bytes have this SHA-256 (hex)."""
    return f"{chunks(archive)}{sha256[:2]}/{sha256}.gz"


def amendment(archive: str, sha256: str) -> str:
    """The amendment whose bytes, as they lie there, have this SHA-256 (hex)."""
    return f"{amendments(archive)}{sha256}.seg"


def content(name: str) -> str | None:
    """The SHA-256 in the name of a chunk or an amendment; None when it is another object."""
    found = _CHUNK.fullmatch(name) or _AMENDMENT.fullmatch(name)
    return found[1] if found else None


@dataclass(frozen=True, order=True)
class SnapshotName:
    """What a manifest's name says. They order as epochs do, then as the segments in them, then as positions;
    see :func:`in_order`.

    ``segment``: number of a segment of the epoch up to whose end the snapshot holds everything, 0 for none. ``tx``: the
    last transaction in the snapshot; ``created``: ms since 1970 on the clock of who wrote it.
    """

    epoch: int
    segment: int
    tx: int
    created: int

    def key(self, archive: str) -> str:
        """The object's name."""
        return f"{snapshots(archive)}{self.epoch:010d}/{self.segment:012d}-{self.tx:020d}-{self.created:015d}.json"

    @classmethod
    def of(cls, name: str) -> SnapshotName | None:
        """From an object's name or whole key; None when it is another object."""
        found = _MANIFEST.fullmatch(name)
        return cls(*map(int, found.groups())) if found else None


def in_order(found: Iterable[SnapshotName], database: Callable[[SnapshotName], str | None]) -> list[SnapshotName]:
    """Snapshots in the order in which what they hold came about: that of their names, with one exception.

    Where nothing is shipped (``segment`` 0), a database that is made anew within an epoch counts its transactions from
    the beginning once more: snapshots of one database then follow those of another whose newest one is older.
    ``database`` (its UUID, None where that cannot be told) is asked only where transactions and times of creation
    disagree. Whose it is not told of stays with the one before it by name.
    """
    made: list[SnapshotName] = []
    for (_, segment), group in groupby(sorted(found), key=lambda name: (name.epoch, name.segment)):
        run = list(group)
        rises = all(before.created <= after.created for before, after in pairwise(run))
        made += run if segment or rises else _by_database(run, database)
    return made


def _by_database(run: Sequence[SnapshotName], database: Callable[[SnapshotName], str | None]) -> list[SnapshotName]:
    owners = [database(name) for name in run]
    owner = next(filter(None, owners), None)
    groups: dict[str | None, list[SnapshotName]] = {}
    newest: dict[str | None, int] = {}
    for name, told in zip(run, owners, strict=True):
        owner = told or owner
        groups.setdefault(owner, []).append(name)
        newest[owner] = max(newest.get(owner, 0), name.created if told else 0)
    return [name for each in sorted(groups, key=lambda each: newest[each]) for name in groups[each]]
