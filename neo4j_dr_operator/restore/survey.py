"""What lies at a location, and what of it gives a point: an archive, a snapshot, the segments behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.vault import ObjectAltered, Vault
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.restore import chain
from neo4j_dr_operator.restore.chain import Link
from neo4j_dr_operator.restore.point import NEWEST, Point, moment
from neo4j_dr_operator.restore.refusals import (
    ArchiveAmbiguous,
    ArchiveMissing,
    EpochBoundary,
    PointBeforeStart,
    SnapshotMissing,
    WrongDatabase,
)
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Chain, Tail
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader


@dataclass(frozen=True)
class Plan:
    """What to load, what to replay, and up to where. ``point`` always has a bound: a time or a transaction."""

    manifest: Manifest
    links: tuple[Link, ...]
    point: Point

    @property
    def total(self) -> int:
        """Elements and changes that it takes at most."""
        amended = sum(ref.changes for ref in self.manifest.amendments)
        return self.manifest.elements + amended + sum(link.changes for link in self.links)


def find(bucket: Bucket, wanted: str | None) -> str:
    """The archive at a location, ``<namespace>/<name>``.

    Raises :class:`ArchiveMissing`; :class:`ArchiveAmbiguous` where several are there and none is wanted by name.
    """
    if wanted is not None:
        if bucket.get(names.marker(wanted)) is None:
            raise ArchiveMissing(f"there is no archive {wanted} at this location")
        return wanted
    found = [
        archive
        for namespace in bucket.folders("")
        for name in bucket.folders(f"{namespace}/")
        if bucket.get(names.marker(archive := f"{namespace}/{name}")) is not None
    ]
    if not found:
        raise ArchiveMissing("there is no archive at this location")
    if len(found) > 1:
        raise ArchiveAmbiguous(f"several archives lie at this location, name one of {', '.join(sorted(found))}")
    return found[0]


class Survey:
    """One archive, looked at for one restore. Every method raises ObjectStoreError, ArchiveBroken."""

    def __init__(self, bucket: Bucket, vault: Vault, archive: str, checked: Callable[[int], None]) -> None:
        """``checked`` is told the number of each segment that was looked at."""
        self._bucket, self._vault, self._archive, self._checked = bucket, vault, archive, checked
        self._snapshots = vault.snapshots()

    def plan(self, point: Point, database: str | None, chosen: str | None = None) -> Plan:
        """How to restore ``point``. ``database``: UUID that the snapshot has to be of; ``chosen``: name of the manifest
        that a restore has begun with. Raises :class:`RestoreRefused`."""
        if not self._snapshots:
            raise SnapshotMissing(f"archive {self._archive} holds no snapshot to begin with")
        name = chosen or (point.snapshot if point.millis is None else None)
        if name is not None:
            manifest = self._named(name)
        elif point.snapshot is not None:
            manifest = self._newest_of_all(point)
        else:
            manifest = self._newest_before(point, self._epoch(point))
        if database is not None and manifest.database != database:
            raise WrongDatabase(f"the archive is of database {manifest.database}, not of {database}")
        if point.database not in (None, manifest.database):
            raise WrongDatabase(f"the point is one of database {point.database}, the archive of {manifest.database}")
        self._whole(manifest)
        tail = self._tail(manifest.epoch)
        found = chain.links(manifest, point, tail, self._fetch, self._checked)
        if point.snapshot is not None or (point.millis is None and point.tx is None):
            end = max(manifest.tx, tail.seen.tx if tail and found else 0)
            point = replace(point, tx=end, snapshot=None, millis=None)
        return Plan(manifest, tuple(found), point)

    def newest(self) -> str | None:
        """UUID of the database that the newest epoch is of, None while the archive holds nothing."""
        shipped = max(self._shipped(), default=0)
        tail = self._tail(shipped) if shipped else None
        newest = self._snapshots[-1] if self._snapshots else None
        if tail is not None and (newest is None or newest.epoch <= shipped):
            return tail.position.database
        return self._vault.manifest(newest).database if newest is not None else None

    # -- snapshots -------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> Manifest:
        if name == NEWEST:
            return self._vault.manifest(self._snapshots[-1])
        wanted = SnapshotName.of(name)
        if wanted is None or wanted not in self._snapshots:
            raise SnapshotMissing(f"archive {self._archive} holds no snapshot {name}")
        return self._vault.manifest(wanted)

    def _newest_of_all(self, point: Point) -> Manifest:
        """The newest snapshot that lies before the point, whatever its epoch."""
        earliest = None
        for name in reversed(self._snapshots):
            earliest = self._vault.manifest(name)
            if point.holds(earliest):
                return earliest
        assert earliest is not None
        raise PointBeforeStart(
            f"there is no snapshot from before {moment(point.millis or 0)}; the first one holds what was committed up "
            f"to {moment(earliest.latest)}"
        )

    def _newest_before(self, point: Point, epoch: int) -> Manifest:
        """The newest snapshot of the epoch that lies before the point, which has to be of that epoch."""
        earliest: Manifest | None = None
        for name in reversed([name for name in self._snapshots if name.epoch == epoch]):
            earliest = self._vault.manifest(name)
            if point.holds(earliest):
                return earliest
        if earliest is not None and not any(name.epoch < epoch for name in self._snapshots):
            raise PointBeforeStart(
                f"{point} lies before the first snapshot; nearest after: {moment(earliest.latest)}, "
                f"transaction {earliest.tx}"
            )
        if any(name.epoch < epoch for name in self._snapshots):
            after = f"; nearest after: {moment(earliest.latest)}, transaction {earliest.tx}" if earliest else ""
            raise EpochBoundary(
                f"{point} lies in epoch {epoch} before its first snapshot, and segments of an epoch need a snapshot of "
                f"that epoch{after}; before: any point of an earlier epoch"
            )
        raise PointBeforeStart(f"{point} lies in epoch {epoch}, of which the archive holds no snapshot")

    def _whole(self, manifest: Manifest) -> None:
        """Whether everything that the snapshot is made of is there, before anything is written."""
        if missing := sorted(manifest.contents() - self._vault.contents().keys()):
            ref = next(ref for refs in (manifest.chunks, manifest.amendments) for ref in refs if ref.sha256 in missing)
            raise self._vault.missing(ref)

    # -- epochs ----------------------------------------------------------------------------------------------------

    def _epoch(self, point: Point) -> int:
        """The epoch in which the point lies."""
        epochs = sorted({name.epoch for name in self._snapshots} | set(self._shipped()))
        if point.epoch is not None:
            return point.epoch
        for epoch in reversed(epochs):
            if epoch == epochs[0] or self._begins_before(epoch, point):
                return epoch
        return epochs[0]

    def _begins_before(self, epoch: int, point: Point) -> bool:
        begin = self._begin(epoch)
        if begin is None:
            return True
        position, created = begin
        if point.millis is not None:
            return (position.commit_millis or created) <= point.millis
        if point.tx is None:
            return True
        return position.tx <= point.tx and point.database in (None, position.database)

    def _shipped(self) -> list[int]:
        return [int(folder) for folder in self._bucket.folders(f"{self._archive}/") if folder.isdigit()]

    def _begin(self, epoch: int) -> tuple[Position, int] | None:
        """Where the epoch's first segment that is there begins, and when it was made; None without any."""
        folder = names.folder(self._archive, epoch)
        found = [name for name in self._bucket.list(folder, folder, 2)[0] if names.number(name) is not None]
        data = self._fetch(found[0]) if found else None
        if data is None:
            return self._begin_of_snapshots(epoch)
        try:
            header = SegmentReader(data).header
            return Position.decode(header.position), header.created
        except (ArchiveBroken, ValueError) as error:
            raise ObjectAltered(f"{found[0]}: {error}") from error

    def _begin_of_snapshots(self, epoch: int) -> tuple[Position, int] | None:
        first = next((name for name in self._snapshots if name.epoch == epoch), None)
        if first is None:
            return None
        manifest = self._vault.manifest(first)
        return Position.decode(manifest.start), manifest.latest

    def _tail(self, epoch: int) -> Tail | None:
        return Chain(self._bucket, self._archive, epoch, None).tail()

    def _fetch(self, name: str) -> bytes | None:
        held = self._bucket.get(name)
        return None if held is None else held.body
