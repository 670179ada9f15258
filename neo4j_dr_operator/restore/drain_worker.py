"""The drain worker: a process that brings a standby up to the end of its dead primary's archive."""

from __future__ import annotations

from neo4j_dr_operator.backup.process import Patience, serve
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.restore.drain import POINTS, Drain, DrainStatus
from neo4j_dr_operator.restore.drain_config import DrainConfig


def main() -> int:
    """Run one drain; the exit code is 0 when all of it is applied, 3 when it cannot be, 4 when its parent died."""
    status = DrainStatus()

    def begin(line: bytes, patience: Patience) -> Drain:
        return Drain(DrainConfig.parse(line), status, patience, Faults.from_environment(points=POINTS))

    return serve(status, begin)
