"""What a backup worker is told: its configuration line (JSON)."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.objects import Encryption
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.config import endpoint, reading
from neo4j_dr_operator.shipping.config import address, check_archive

AMENDMENT_BYTES = 16 << 20


@dataclass(frozen=True)
class BackupConfig:
    """One snapshot. ``archive``: ``<namespace>/<name>``; ``timeout`` in seconds; ``site``: whose the source is.

    ``encryption``: what every put has to be answered with, None for no such wish. ``retention``: what to delete after
    the snapshot was made, None for nothing. ``resource``: UID of whose archive it is, None for no look at that.
    ``leave``: what changes whenever the leave to go on is renewed, None for leave without end.
    """

    archive: str
    epoch: int
    site: str
    source: Endpoint
    destination: S3Address
    timeout: float
    encryption: Encryption | None
    retention: Retention | None
    amendment_bytes: int
    resource: str | None = None
    leave: float | None = None

    @classmethod
    def parse(cls, line: bytes | str) -> BackupConfig:
        """The configuration line. Raises :class:`ConfigInvalid`, which never quotes a value."""
        with reading("a backup worker"):
            raw = orjson.loads(line)
            timeout = float(raw["timeout"])
            config = cls(
                archive=str(raw["archive"]),
                epoch=int(raw["epoch"]),
                site=str(raw["site"]),
                source=endpoint(raw["source"], timeout),
                destination=address(raw["destination"]),
                timeout=timeout,
                encryption=Encryption(raw["kmsKeyId"]) if raw["encrypted"] else None,
                retention=Retention.parse(raw["retention"]) if raw["retention"] else None,
                amendment_bytes=int(raw.get("amendmentBytes") or AMENDMENT_BYTES),
                resource=raw.get("resource"),
                leave=raw.get("leave"),
            )
        check_archive(config.archive)
        if config.epoch < 1 or config.timeout <= 0:
            raise ConfigInvalid("epoch and timeout must be positive")
        return config
