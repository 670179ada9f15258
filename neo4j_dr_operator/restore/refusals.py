"""Why a restore does not begin, each by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.restore.point import moment


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


@dataclass(frozen=True)
class Nearest:
    """A point that can be restored instead: ``millis`` since 1970, source's clock; ``tx`` counted in ``epoch``."""

    millis: int
    tx: int
    epoch: int

    def __str__(self) -> str:
        return f"{moment(self.millis)}, transaction {self.tx} of epoch {self.epoch}"


class PointRefused(RestoreRefused):
    """A point that the archive cannot give. The message names the nearest ones that it can, on both sides."""

    def __init__(self, sentence: str, *, before: Nearest | None = None, after: Nearest | None = None) -> None:
        """``before``, ``after``: None where there is none."""
        super().__init__(f"{sentence}; nearest before: {before or 'none'}; nearest after: {after or 'none'}")
        self._sentence, self._before = sentence, before

    def followed_by(self, after: Nearest | None) -> Self:
        """The same, by who knows what comes behind the point."""
        return type(self)(self._sentence, before=self._before, after=after)


class PointBeforeStart(PointRefused):
    """The point lies before the first one that the archive can give."""

    reason = "PointBeforeStart"


class PointAfterEnd(PointRefused):
    """The archive cannot know what was committed up to the point: it ends before."""

    reason = "PointAfterEnd"


class PointInGap(PointRefused):
    """Between the snapshot and the point stands something that the archive lacks."""

    reason = "PointInGap"


class EpochBoundary(PointRefused):
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
