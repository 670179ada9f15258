"""The parent's side of an auditor: what its worker process is started with."""

from __future__ import annotations

import json
from dataclasses import dataclass

from neo4j_dr_operator.objectstore.s3 import S3Address


@dataclass(frozen=True)
class AuditPlan:
    """One round over one archive, told apart from others by ``number``. Times in seconds.

    ``period``: in which every object is read once; ``request``, ``pruned``: see
    :class:`~neo4j_dr_operator.audit.config.AuditConfig`.
    """

    number: int
    archive: str
    location: S3Address
    period: float
    timeout: float
    request: str = ""
    encrypted: bool = False
    kms_key: str | None = None
    pruned: bool = True

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"auditor of {self.archive}"

    def identity(self) -> AuditPlan:
        """All of it: with other credentials the round is begun anew, and goes on where it was."""
        return self

    def line(self) -> bytes:
        """One JSON line. Holds credentials: for a pipe, never for a log."""
        config = {
            "archive": self.archive,
            "location": self.location.wire(),
            "period": self.period,
            "timeout": self.timeout,
            "request": self.request,
            "encrypted": self.encrypted,
            "kmsKeyId": self.kms_key,
            "pruned": self.pruned,
        }
        return json.dumps(config).encode() + b"\n"
