"""A look at an archive without a target: which one it is, whether it gives the point, and what a standby holds.

It comes before a restore into a cluster of a disaster recovery resource, so that a refusal does not even stop its links
for a moment. A process of its own, since it may read many segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup.process import Patience, serve
from neo4j_dr_operator.backup.status import JobStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.config import reading
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.refusals import RestoreRefused
from neo4j_dr_operator.restore.survey import Survey, find
from neo4j_dr_operator.shipping.config import address
from neo4j_dr_operator.shipping.reading import ArchiveBroken


@dataclass(frozen=True)
class LookConfig:
    """What to look for. ``source``, ``tx``: a database's transaction up to which a standby holds everything, or None.

    The rest as in :class:`neo4j_dr_operator.restore.config.RestoreConfig`.
    """

    archive: str | None
    database: str | None
    location: S3Address
    point: Point
    timeout: float
    source: str | None
    tx: int

    @classmethod
    def parse(cls, line: bytes | str) -> LookConfig:
        """The configuration line. Raises :class:`errors.ConfigInvalid`, which never quotes a value."""
        with reading("a look at an archive"):
            raw: dict[str, Any] = orjson.loads(line)
            return cls(
                archive=raw["archive"] or None,
                database=raw["database"] or None,
                location=address(raw["source"]),
                point=Point.parse(raw["point"]),
                timeout=float(raw["timeout"]),
                source=raw["held"]["database"] if raw["held"] else None,
                tx=int(raw["held"]["transaction"]) if raw["held"] else 0,
            )


@dataclass
class LookStatus(JobStatus):
    """``newest``: UUID of the database that the newest epoch is of. ``within``: whether the standby's position can be
    restored from the archive, None where none was asked about; ``lacking``: why not."""

    archive: str | None = None
    snapshot: str | None = None
    epoch: int | None = None
    segments: int = 0
    newest: str | None = None
    within: bool | None = None
    lacking: str = ""

    def more(self) -> dict[str, Any]:
        """See :class:`JobStatus`."""
        return {
            "archive": self.archive,
            "snapshot": self.snapshot,
            "epoch": self.epoch,
            "segments": self.segments,
            "newest": self.newest,
            "within": self.within,
            "lacking": self.lacking,
        }


class Look:
    """One look, by the main thread of its process."""

    def __init__(self, config: LookConfig, status: LookStatus, patience: Patience) -> None:
        """Nothing is sent yet. Raises ObjectStoreError for a location that cannot be used."""
        self._config, self._status, self._patience = config, status, patience
        self._bucket = Bucket(config.location, config.timeout, None)

    def run(self) -> None:
        """Until it has seen everything. Raises :class:`errors.DrError` for what no retry will mend."""
        self._status.become("surveying")
        while True:
            try:
                self._look()
                return
            except errors.DrError as error:
                self._patience.trouble(error)

    def _look(self) -> None:
        config, status = self._config, self._status
        archive = find(self._bucket, config.archive)
        vault = Vault(self._bucket, archive, None, self._patience.trouble)
        survey = Survey(self._bucket, vault, archive, lambda _: self._patience.well())
        plan = survey.plan(config.point, config.database)
        status.archive, status.snapshot = archive, plan.manifest.name.key(archive)
        status.epoch, status.segments = plan.manifest.epoch, len(plan.links)
        status.newest = survey.newest()
        if config.source is None:
            return
        try:
            survey.plan(Point(tx=config.tx, database=config.source), config.source)
            status.within = True
        except (RestoreRefused, ArchiveBroken) as error:
            status.within, status.lacking = False, error.message


def main() -> int:
    """Look once; the exit code is 0 when the point can be restored, 3 when not, 4 when the parent died."""
    status = LookStatus()
    return serve(status, lambda line, patience: Look(LookConfig.parse(line), status, patience))
