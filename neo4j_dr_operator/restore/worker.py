"""The restore worker: a process that brings one graph back into one database."""

from __future__ import annotations

from neo4j_dr_operator.backup.process import Patience, serve
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.restore.config import RestoreConfig
from neo4j_dr_operator.restore.run import POINTS, Restore
from neo4j_dr_operator.restore.status import RestoreStatus


def main() -> int:
    """Run one restore; the exit code is 0 when the graph is back, 3 when it cannot be, 4 when its parent died."""
    status = RestoreStatus()

    def begin(line: bytes, patience: Patience) -> Restore:
        return Restore(RestoreConfig.parse(line), status, patience, Faults.from_environment(points=POINTS))

    return serve(status, begin)
