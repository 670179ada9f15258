"""The parent's side of a backup: what its worker process is started with."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Literal

from neo4j_dr_operator.errors import ReplicationError
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.workers import Supervisor, Worker


@dataclass(frozen=True)
class BackupPlan:
    """One snapshot, told apart from others by ``number``. ``timeout`` in seconds.

    ``retention``: what is deleted after it, as written in a spec; None for nothing. ``resource``: UID of the
    resource whose archive it is. ``leave``: when its job was last renewed in the stored status (seconds since 1970): as
    long as that moves on, nobody else takes it over; None for leave without end.
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
    resource: str | None = None
    leave: float | None = None

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"backup of {self.archive}"

    def identity(self) -> BackupPlan:
        """Without what a worker that is at it can be told: credentials, whether it may delete, and leave."""
        source = replace(self.source, user="", password="")
        destination = replace(self.destination, access_key=None, secret_key=None, session_token=None)
        return replace(self, source=source, destination=destination, retention=None, leave=None)

    def same_way(self, other: BackupPlan) -> bool:
        """Whether it would fail as the other one did: same ends, same wishes."""
        mine, others = (replace(each, number=0, retention=None, leave=None) for each in (self, other))
        return mine == others

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
            "resource": self.resource,
            "retention": self.retention,
            "leave": self.leave,
        }
        return json.dumps(config).encode() + b"\n"


class BackupSupervisor(Supervisor[BackupPlan]):
    """Tells a worker of other credentials, so that a scan outlives a session; and that it may delete, or no longer."""

    def renew(self, worker: Worker[BackupPlan], config: BackupPlan) -> None:
        """Hand the plan over. The worker's ``config`` is what it works with from then on."""
        if config.identity() != worker.config.identity():
            return
        with contextlib.suppress(ReplicationError):
            worker.tell({"do": "renew", "plan": json.loads(config.line())})
            worker.config = config
