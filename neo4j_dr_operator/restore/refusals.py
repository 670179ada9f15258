"""Why a restore does not begin, each by its name."""

from __future__ import annotations

from neo4j_dr_operator.errors import DrError


class RestoreRefused(DrError):
    """A restore would not give what was asked for."""

    reason = "RestoreRefused"


class ArchiveMissing(RestoreRefused):
    """There is no archive at the location, or not the one that was named."""

    reason = "ArchiveMissing"


class ArchiveAmbiguous(RestoreRefused):
    """Several archives lie at the location, and none was named."""

    reason = "ArchiveAmbiguous"


class SnapshotMissing(RestoreRefused):
    """The archive holds no snapshot to begin with, or not the one that was named."""

    reason = "SnapshotMissing"


class PointBeforeStart(RestoreRefused):
    """The point lies before the first one that the archive can give."""

    reason = "PointBeforeStart"


class PointAfterEnd(RestoreRefused):
    """The archive cannot know what was committed up to the point: it ends before."""

    reason = "PointAfterEnd"


class PointInGap(RestoreRefused):
    """Between the snapshot and the point stands something that the archive lacks."""

    reason = "PointInGap"


class EpochBoundary(RestoreRefused):
    """Between the snapshot and the point lies a failover: behind it, segments speak of another database's elements."""

    reason = "EpochBoundary"


class WrongDatabase(RestoreRefused):
    """The archive is of another database than the one that was expected."""

    reason = "WrongDatabase"


class ActivePrimary(RestoreRefused):
    """The target is the active site of a disaster recovery, and the restore was not told to overwrite that."""

    reason = "ActivePrimary"


class RestoreSuperseded(RestoreRefused):
    """What this restore had begun was given up: replication was resumed over it."""

    reason = "RestoreSuperseded"


class RestoreUnderWay(RestoreRefused):
    """The target holds what another restore has begun, or this one for another point."""

    reason = "RestoreUnderWay"
