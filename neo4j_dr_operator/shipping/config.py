"""What a shipper is told: its configuration line (JSON)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.objects import Encryption
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.config import endpoint, reading

SEGMENT_BYTES = 16 << 20


@dataclass(frozen=True)
class ShipperConfig:
    """One archive at one epoch. Times in seconds.

    ``archive``: ``<namespace>/<name>``. ``start``: position from which to ship when the epoch has no segment; None is
    the stream's end. ``interval``: a segment is cut that long after its first transaction was read, or when it has
    ``segment_bytes`` (compressed). ``encryption``: what every put has to be answered with, None for no such wish.
    ``resource``: UID of whose archive it is, None for no look at that.
    """

    archive: str
    epoch: int
    site: str
    start: str | None
    source: Endpoint
    destination: S3Address
    interval: float
    timeout: float
    encryption: Encryption | None
    segment_bytes: int
    resource: str | None = None

    @classmethod
    def parse(cls, line: bytes | str) -> ShipperConfig:
        """The configuration line. Raises :class:`ConfigInvalid`, which never quotes a value."""
        with reading("a shipper"):
            raw = orjson.loads(line)
            timeout = float(raw["timeout"])
            config = cls(
                archive=str(raw["archive"]),
                epoch=int(raw["epoch"]),
                site=str(raw["site"]),
                start=raw["start"],
                source=endpoint(raw["source"], timeout),
                destination=address(raw["destination"]),
                interval=float(raw["interval"]),
                timeout=timeout,
                encryption=Encryption(raw["kmsKeyId"]) if raw["encrypted"] else None,
                segment_bytes=int(raw["segmentBytes"] or SEGMENT_BYTES),
                resource=raw.get("resource"),
            )
        config._check()
        return config

    def _check(self) -> None:
        check_archive(self.archive)
        if self.epoch < 1 or self.segment_bytes < 1 or self.timeout <= 0 or self.interval <= 0:
            raise ConfigInvalid("epoch, segmentBytes, timeout and interval must be positive")


def check_archive(name: str) -> None:
    """Raise :class:`ConfigInvalid` for what names no archive."""
    if name.count("/") != 1 or not all(name.split("/")):
        raise ConfigInvalid("archive must be <namespace>/<name>")


def address(raw: dict[str, Any]) -> S3Address:
    """A location as a configuration line holds it. Raises KeyError or TypeError for anything else."""
    return S3Address(
        bucket=raw["bucket"],
        path=raw["path"] or "",
        region=raw["region"],
        endpoint=raw["endpoint"],
        access_key=raw["accessKey"],
        secret_key=raw["secretKey"],
        session_token=raw["sessionToken"],
    )
