"""The parent's side of a backup: what its worker process is started with."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Literal

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address


@dataclass(frozen=True)
class BackupPlan:
    """One snapshot, told apart from others by ``number``. ``timeout`` in seconds.

    ``retention``: what is deleted after it, as written in a spec; None for nothing.
    """

    number: int
    archive: str
    site: Literal["primary", "secondary"]
    epoch: int
    source: Endpoint
    destination: S3Address
    timeout: float
    encrypted: bool = False
    kms_key: str | None = None
    retention: str | None = None

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"backup of {self.archive}"

    def identity(self) -> BackupPlan:
        """All of it: with other credentials, or when deleting is no longer allowed, it is begun anew."""
        return self

    def same_way(self, other: BackupPlan) -> bool:
        """Whether it would fail as the other one did: same ends, same wishes."""
        return replace(self, number=0, retention=None) == replace(other, number=0, retention=None)

    def line(self) -> bytes:
        """One JSON line. Holds credentials: for a pipe, never for a log."""
        config = {
            "archive": self.archive,
            "site": self.site,
            "epoch": self.epoch,
            "source": self.source.wire(),
            "destination": self.destination.wire(),
            "timeout": self.timeout,
            "encrypted": self.encrypted,
            "kmsKeyId": self.kms_key,
            "retention": self.retention,
        }
        return json.dumps(config).encode() + b"\n"
