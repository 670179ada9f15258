"""The parent's side of the log shipper: what its worker process is started with."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Literal

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address


@dataclass(frozen=True)
class ShipConfig:
    """One archive at one epoch. Times in seconds; ``start``: position to begin at where the epoch has no segment.

    ``resource``: UID of the resource whose archive it is.
    """

    archive: str
    site: Literal["primary", "secondary"]
    epoch: int
    start: str | None
    source: Endpoint
    destination: S3Address
    interval: float
    timeout: float
    encrypted: bool = False
    kms_key: str | None = None
    resource: str | None = None

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"shipper of {self.archive}"

    def identity(self) -> ShipConfig:
        """The same shipper, wherever it began."""
        return replace(self, start=None)

    def line(self) -> bytes:
        """One JSON line. Holds credentials: for a pipe, never for a log."""
        config = {
            "archive": self.archive,
            "site": self.site,
            "epoch": self.epoch,
            "start": self.start,
            "source": self.source.wire(),
            "destination": self.destination.wire(),
            "interval": self.interval,
            "timeout": self.timeout,
            "encrypted": self.encrypted,
            "kmsKeyId": self.kms_key,
            "resource": self.resource,
            "segmentBytes": None,
        }
        return json.dumps(config).encode() + b"\n"
