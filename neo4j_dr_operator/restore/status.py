"""What a restore worker says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.backup.status import JobStatus


@dataclass
class RestoreStatus(JobStatus):
    """``done`` and ``total`` count elements loaded and changes applied. ``restored_to``: commit time of the last
    transaction in the target, ms since 1970. ``schema``: what of the schema could not be made, in words;
    ``schema_of``: as of when it is.
    ``check``: what the graph was compared with in the end."""

    archive: str | None = None
    snapshot: str | None = None
    epoch: int | None = None
    segments: int = 0
    checked: int = 0
    transactions: int = 0
    nodes: int | None = None
    relationships: int | None = None
    position: str | None = None
    position_tx: int | None = None
    restored_to: int | None = None
    schema: list[str] = field(default_factory=list)
    schema_of: str | None = None
    check: str | None = None

    def more(self) -> dict[str, Any]:
        """See :class:`JobStatus`. ``segments``: to replay; ``checked``: segments that were looked at for that."""
        return {
            "archive": self.archive,
            "snapshot": self.snapshot,
            "epoch": self.epoch,
            "segments": self.segments,
            "checked": self.checked,
            "transactions": self.transactions,
            "nodes": self.nodes,
            "relationships": self.relationships,
            "position": self.position,
            "positionTx": self.position_tx,
            "restoredTo": self.restored_to,
            "schema": self.schema,
            "schemaOf": self.schema_of,
            "check": self.check,
        }
