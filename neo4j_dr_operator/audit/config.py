"""What an auditor is told: its configuration line (JSON)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.objectstore.objects import Encryption
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.config import reading
from neo4j_dr_operator.shipping.config import address, check_archive

FULL = " full"
"""End of a request that wants everything read."""


@dataclass(frozen=True)
class AuditConfig:
    """One round over one archive. Times in seconds; ``archive``: ``<namespace>/<name>``.

    ``period``: in which every object is read once. ``request``: what somebody asked for, empty for nothing; a whole
    pass where it ends with :data:`FULL`, else a list of everything. ``encryption``: what to ask for when the ledger is
    put. ``pruned``: whether retention deletes anything there.
    """

    archive: str
    location: S3Address
    period: float
    timeout: float
    request: str
    encryption: Encryption | None
    pruned: bool = True

    @classmethod
    def parse(cls, line: bytes | str) -> AuditConfig:
        """The configuration line. Raises :class:`ConfigInvalid`, which never quotes a value."""
        with reading("an auditor"):
            raw: dict[str, Any] = orjson.loads(line)
            config = cls(
                archive=str(raw["archive"]),
                location=address(raw["location"]),
                period=float(raw["period"]),
                timeout=float(raw["timeout"]),
                request=str(raw["request"]),
                encryption=Encryption(raw["kmsKeyId"]) if raw["encrypted"] else None,
                pruned=bool(raw["pruned"]),
            )
        check_archive(config.archive)
        if config.period <= 0 or config.timeout <= 0:
            raise ConfigInvalid("period and timeout must be positive")
        return config
