"""The backup worker: a process that takes one snapshot. docs/archive-format.md has the format."""

from __future__ import annotations

from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.process import Patience, serve
from neo4j_dr_operator.backup.snapshot import POINTS, Snapshot
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.replication.faults import Faults


def main() -> int:
    """Take one snapshot; the exit code is 0 when it is there, 3 when it cannot be taken, 4 when its parent died."""
    status = BackupStatus()

    def begin(line: bytes, patience: Patience) -> Snapshot:
        return Snapshot(BackupConfig.parse(line), status, patience, Faults.from_environment(points=POINTS))

    return serve(status, begin)
