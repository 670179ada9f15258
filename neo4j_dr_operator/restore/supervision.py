"""The parent's side of a restore: what its worker processes are started with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address

BATCH = 5000
"""Changes in one transaction of the target."""


def located(at: S3Address) -> dict[str, Any]:
    """A location as a configuration line holds it. Holds the keys: for a pipe, never for a log."""
    return {
        "bucket": at.bucket,
        "path": at.path,
        "region": at.region,
        "endpoint": at.endpoint,
        "accessKey": at.access_key,
        "secretKey": at.secret_key,
        "sessionToken": at.session_token,
    }


@dataclass(frozen=True)
class LookPlan:
    """A look at an archive for one point. ``point``: as in docs/restore.md. ``held``: UUID of a database and the
    transaction up to which a standby holds it."""

    restore: str
    archive: str | None
    database: str | None
    source: S3Address
    point: str
    timeout: float
    held: tuple[str, int] | None = None

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"survey of {self.restore}"

    def identity(self) -> LookPlan:
        """Itself."""
        return self

    def line(self) -> bytes:
        """One JSON line. Holds credentials: for a pipe, never for a log."""
        held = {"database": self.held[0], "transaction": self.held[1]} if self.held else None
        config = {
            "archive": self.archive,
            "database": self.database,
            "source": located(self.source),
            "point": json.loads(self.point),
            "timeout": self.timeout,
            "held": held,
        }
        return json.dumps(config).encode() + b"\n"


@dataclass(frozen=True)
class RestorePlan:
    """One restore. ``restore``: the name under which it goes on after a crash. ``clean``: leave no link behind."""

    restore: str
    archive: str | None
    database: str | None
    source: S3Address
    target: Endpoint
    point: str
    timeout: float
    skip_indexes: bool
    validate: bool
    clean: bool
    overwrite: bool
    force: bool

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"restore {self.restore}"

    def identity(self) -> RestorePlan:
        """Itself."""
        return self

    def line(self) -> bytes:
        """One JSON line. Holds credentials: for a pipe, never for a log."""
        config = {
            "restore": self.restore,
            "archive": self.archive,
            "database": self.database,
            "source": located(self.source),
            "target": self.target.wire(),
            "point": json.loads(self.point),
            "batchSize": BATCH,
            "timeout": self.timeout,
            "skipIndexes": self.skip_indexes,
            "validate": self.validate,
            "clean": self.clean,
            "overwrite": self.overwrite,
            "force": self.force,
        }
        return json.dumps(config).encode() + b"\n"


def point_text(point: Mapping[str, Any]) -> str:
    """A point in the one form in which a restore is known again."""
    return json.dumps(point, sort_keys=True)
