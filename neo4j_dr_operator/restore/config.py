"""What a restore worker is told: its configuration line (JSON)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.config import endpoint, reading
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.shipping.config import address


@dataclass(frozen=True)
class RestoreConfig:
    """One restore. ``restore``: its name, under which it is resumed; ``archive``: ``<namespace>/<name>``, None for the
    only one that is there; ``database``: UUID of the database that the archive has to be of, None for any.

    ``asked``: the point in the words of the configuration. ``batch_size`` in changes, ``timeout`` in seconds.
    ``skip_indexes``: constraints only. ``clean``: leave nothing behind but a note that it is done. ``validate``: look
    for each element once more in the end, else only count them. ``overwrite``: empty the target first, whatever it
    holds; ``force``: also where it is the active site of a disaster recovery.
    """

    restore: str
    archive: str | None
    database: str | None
    source: S3Address
    target: Endpoint
    point: Point
    asked: str
    batch_size: int
    timeout: float
    skip_indexes: bool
    clean: bool
    validate: bool = True
    overwrite: bool = False
    force: bool = False

    @classmethod
    def parse(cls, line: bytes | str) -> RestoreConfig:
        """The configuration line. Raises :class:`ConfigInvalid`, which never quotes a value."""
        with reading("a restore worker"):
            raw: dict[str, Any] = orjson.loads(line)
            timeout = float(raw["timeout"])
            config = cls(
                restore=str(raw["restore"]),
                archive=raw["archive"] or None,
                database=raw["database"] or None,
                source=address(raw["source"]),
                target=endpoint(raw["target"], timeout),
                point=Point.parse(raw["point"]),
                asked=orjson.dumps(raw["point"], option=orjson.OPT_SORT_KEYS).decode(),
                batch_size=int(raw["batchSize"]),
                timeout=timeout,
                skip_indexes=bool(raw["skipIndexes"]),
                clean=bool(raw["clean"]),
                validate=bool(raw.get("validate", True)),
                overwrite=bool(raw.get("overwrite")),
                force=bool(raw.get("force")),
            )
        if not config.restore or config.batch_size < 1 or config.timeout <= 0:
            raise ConfigInvalid("restore must have a name, batchSize and timeout must be positive")
        return config
