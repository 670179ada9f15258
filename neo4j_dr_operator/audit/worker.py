"""The auditor: a process that looks through one archive once."""

from __future__ import annotations

from neo4j_dr_operator.audit.config import AuditConfig
from neo4j_dr_operator.audit.run import POINTS, Audit
from neo4j_dr_operator.audit.status import AuditStatus
from neo4j_dr_operator.backup.process import Patience, serve
from neo4j_dr_operator.replication.faults import Faults


def main() -> int:
    """Do one round; the exit code is 0 when it is over, 3 when it cannot be done, 4 when its parent died."""
    status = AuditStatus()

    def begin(line: bytes, patience: Patience) -> Audit:
        return Audit(AuditConfig.parse(line), status, patience, Faults.from_environment(points=POINTS))

    return serve(status, begin)
