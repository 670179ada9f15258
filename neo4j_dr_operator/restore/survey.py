"""What lies at a location, and what of it gives a point: an archive, a snapshot, the segments behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.manifest import AmendmentRef, ChunkRef, Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.vault import ObjectAltered, Vault, unusable
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.restore import chain
from neo4j_dr_operator.restore.chain import Link
from neo4j_dr_operator.restore.point import NEWEST, Point, moment
from neo4j_dr_operator.restore.refusals import (
    ArchiveAmbiguous,
    ArchiveMissing,
    EpochBoundary,
    Nearest,
    PointBeforeStart,
    PointRefused,
    SnapshotMissing,
    WrongDatabase,
)
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import PAGE, Chain, Tail, epochs
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
        self._present: frozenset[str] | None = None
        self._suspects: frozenset[str] = frozenset()

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
        tail = self._end(manifest) if point.snapshot is None else None
        try:
            found = chain.links(manifest, point, tail, self._fetch, self._checked)
        except PointRefused as error:
            behind = self._snapshots[self._snapshots.index(manifest.name) + 1 :]
            raise error.followed_by(self._next(behind)) from error
        if point.snapshot is not None or (point.millis is None and point.tx is None):
            end = max(manifest.tx, tail.seen.tx if tail and found else 0)
            point = replace(point, tx=end, snapshot=None, millis=None)
        return Plan(manifest, tuple(found), point)

    def newest(self) -> str | None:
        """UUID of the database that the newest epoch is of, None while the archive holds nothing."""
        epochs = {name.epoch for name in self._snapshots} | set(self._shipped())
        begin = self._begin(max(epochs)) if epochs else None
        return begin[0].database if begin is not None else None

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
            f"there is no snapshot from before {moment(point.millis or 0)}", after=self._next(self._snapshots)
        )

    def _newest_before(self, point: Point, epoch: int) -> Manifest:
        """The newest snapshot of the epoch that lies before the point, which has to be of that epoch.

        One that is damaged, or that the store does not give us, is passed over for an older one: with the segments
        behind it that gives the same graph.
        """
        earliest: Manifest | None = None
        broken: DrError | None = None
        for name in reversed([name for name in self._snapshots if name.epoch == epoch]):
            try:
                earliest = self._vault.manifest(name)
                if point.holds(earliest):
                    self._whole(earliest)
                    return earliest
            except DrError as error:
                broken = broken or _passed(error)
        if broken is not None:
            raise broken
        after = self._next(name for name in self._snapshots if name.epoch >= epoch)
        if any(name.epoch < epoch for name in self._snapshots):
            raise EpochBoundary(
                f"{point} lies in epoch {epoch} before its first snapshot, and segments of an epoch need a snapshot of "
                "that epoch",
                before=self._last(epoch),
                after=after,
            )
        if earliest is not None:
            raise PointBeforeStart(f"{point} lies before the first snapshot", after=after)
        raise PointBeforeStart(f"{point} lies in epoch {epoch}, of which the archive holds no snapshot", after=after)

    def _next(self, found: Iterable[SnapshotName]) -> Nearest | None:
        """The first of these snapshots that is whole: a point that can be restored."""
        for name in found:
            try:
                manifest = self._vault.manifest(name)
                self._whole(manifest)
                return Nearest(manifest.latest, manifest.tx, manifest.epoch)
            except ArchiveBroken:
                continue
        return None

    def _last(self, epoch: int) -> Nearest | None:
        """The last point before an epoch. A time is one of the newest epoch that had begun by then."""
        begin = self._begin(epoch)
        for name in reversed([name for name in self._snapshots if name.epoch < epoch]):
            try:
                manifest = self._vault.manifest(name)
                self._whole(manifest)
                found = chain.reach(manifest, self._end(manifest), self._fetch)
            except ArchiveBroken:
                continue
            until = (begin[0].commit_millis or begin[1]) - 1 if begin is not None else found.millis
            return replace(found, millis=min(found.millis, until))
        return None

    def _whole(self, manifest: Manifest) -> None:
        """Whether everything that the snapshot is made of is there, before anything is written. What an auditor has
        found damaged is read. Raises :class:`ArchiveBroken`, which names the object."""
        if self._present is None:
            self._present = frozenset(self._vault.contents())
            self._suspects = suspects.read(self._bucket, self._archive).unusable
        refs: list[ChunkRef | AmendmentRef] = [*manifest.chunks, *manifest.amendments]
        for ref in refs:
            if ref.sha256 not in self._present:
                raise self._vault.missing(ref)
        for ref in refs:
            if ref.sha256 in self._suspects:
                _ = self._vault.chunk(ref) if isinstance(ref, ChunkRef) else self._vault.amendment(ref)

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
            return False  # an empty folder
        position, created = begin
        if point.millis is not None:
            return (position.commit_millis or created) <= point.millis
        if point.tx is None:
            return True
        return position.tx <= point.tx and point.database in (None, position.database)

    def _shipped(self) -> list[int]:
        return epochs(self._bucket, self._archive)

    def _begin(self, epoch: int) -> tuple[Position, int] | None:
        """Where the epoch's first segment that can be read begins, and when it was made; None without any.

        The first of all holds no transaction, so that the second one begins where it does.
        """
        folder = names.folder(self._archive, epoch)
        broken: DrError | None = None
        for name in self._bucket.list(folder, folder, PAGE)[0]:
            try:
                data = self._fetch(name) if names.number(name) is not None else None
                if data is None:
                    continue
                reader = SegmentReader(data)
                if reader.trailer and (reader.header.archive, reader.header.epoch) == (self._archive, epoch):
                    return Position.decode(reader.header.position), reader.header.created
                raise ArchiveBroken(f"it holds a segment of epoch {reader.header.epoch} of {reader.header.archive}")
            except (ArchiveBroken, ValueError) as error:
                broken = broken or ObjectAltered(f"{name}: {error}")
            except DrError as error:
                broken = broken or _passed(error)
        found = self._begin_of_snapshots(epoch)
        if found is None and broken is not None:
            raise broken
        return found

    def _begin_of_snapshots(self, epoch: int) -> tuple[Position, int] | None:
        for name in self._snapshots:
            if name.epoch == epoch:
                try:
                    manifest = self._vault.manifest(name)
                except DrError as error:
                    _passed(error)
                    continue
                return Position.decode(manifest.start), manifest.latest
        return None

    def _tail(self, epoch: int) -> Tail | None:
        return self._chain(epoch).tail()

    def _end(self, manifest: Manifest) -> Tail | None:
        """The end of the snapshot's epoch. Of one that cannot be read only its number is known: a point before it does
        not need it, and what needs it is refused by name."""
        try:
            return self._tail(manifest.epoch)
        except DrError as error:
            _passed(error)
            position = Position.decode(manifest.position)
            return Tail(self._chain(manifest.epoch).number(), "", position, position, manifest.covered)

    def _chain(self, epoch: int) -> Chain:
        return Chain(self._bucket, self._archive, epoch, None)

    def _fetch(self, name: str) -> bytes | None:
        held = self._bucket.get(name)
        return None if held is None else held.body


def _passed(error: DrError) -> DrError:
    """The error, where it speaks of one object, without which there may be a way. Raises any other."""
    if not unusable(error):
        raise error
    return error
