"""A drain's configuration line (JSON): what its parent writes, and what its worker reads."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.config import endpoint, reading
from neo4j_dr_operator.shipping.config import address, check_archive


@dataclass(frozen=True)
class DrainConfig:
    """One drain: ``link`` in ``target``, claimed at ``epoch``, takes what ``archive_epoch`` of ``archive`` has.

    ``archive``: ``<namespace>/<name>``; ``archive_epoch``: the one in which the link's source was active.
    ``batch_size`` in changes, ``timeout`` in seconds.
    """

    link: str
    epoch: int
    archive: str
    archive_epoch: int
    source: S3Address
    target: Endpoint
    batch_size: int = 5000
    timeout: float = 30.0

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"drain of {self.archive} into {self.link}"

    def identity(self) -> Self:
        """The same drain, in whatever portions."""
        return replace(self, batch_size=0)

    def line(self) -> bytes:
        """One JSON line. Holds credentials: for a pipe, never for a log."""
        config = {
            "link": self.link,
            "epoch": self.epoch,
            "archive": self.archive,
            "archiveEpoch": self.archive_epoch,
            "source": self.source.wire(),
            "target": self.target.wire(),
            "batchSize": self.batch_size,
            "timeout": self.timeout,
        }
        return json.dumps(config).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes | str) -> DrainConfig:
        """The configuration line. Raises :class:`ConfigInvalid`, which never quotes a value."""
        with reading("a drain worker"):
            raw: dict[str, Any] = orjson.loads(line)
            timeout = float(raw["timeout"])
            config = cls(
                link=str(raw["link"]),
                epoch=int(raw["epoch"]),
                archive=str(raw["archive"]),
                archive_epoch=int(raw["archiveEpoch"]),
                source=address(raw["source"]),
                target=endpoint(raw["target"], timeout),
                batch_size=int(raw["batchSize"]),
                timeout=timeout,
            )
        check_archive(config.archive)
        if not 1 <= config.archive_epoch < config.epoch:
            raise ConfigInvalid("the archive's epoch must come before the one that was claimed")
        if config.batch_size < 1 or config.timeout <= 0:
            raise ConfigInvalid("batchSize and timeout must be positive")
        return config
