"""What a shipper says: one JSON line at every change of state, and each second."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.graph.retention import Retention
from neo4j_dr_operator.objectstore.traffic import Traffic
from neo4j_dr_operator.replication.report import Problem, shown

PERIOD = 1.0


@dataclass
class ShipperStatus:
    """What the threads of a shipper know; each field has one writer. Times: seconds since 1970 on this host's clock.

    ``segment`` and ``position``: the last segment of the chain, and where it ends. ``behind``: the transaction up to
    which everything is in S3 or is nothing to ship. ``end``: the newest transaction of the source that was seen.
    ``up_to``: everything that was committed before is in S3. ``covered``: the same as the archive has it, ms since 1970
    on the source's clock. ``gap``: the number of the last segment that this process put after a gap.
    ``schema_problem``: why a change of the schema may not be noted. ``traffic``: requests to S3 and bytes.
    ``retention``: how far back the source's log goes. The rest is the reader's (see
    :class:`~neo4j_dr_operator.replication.reader.Feed`).
    """

    epoch: int
    behind: int | None = None
    state: str = "attaching"
    segment: int | None = None
    position: Position | None = None
    end: int | None = None
    shipped_at: float | None = None
    up_to: float | None = None
    covered: int | None = None
    segments: int = 0
    bytes: int = 0
    gap: int | None = None
    problem: Problem | None = None
    source_problem: Problem | None = None
    schema_problem: Problem | None = None
    traffic: Traffic | None = None
    retention: Retention = field(default_factory=Retention)
    caught_up: bool = False
    pending: int = 0
    read_at: float | None = None
    changed: threading.Event = field(default_factory=threading.Event, repr=False)

    def become(self, state: str) -> None:
        """Enter a state; the reporter says so at once."""
        if state != self.state:
            self.state = state
            self.changed.set()

    def fail(self, error: DrError) -> tuple[str, str]:
        """The shipper cannot go on. Reason and message as the report shows them."""
        self.problem = problem = Problem.of(error)
        self.become("failed")
        return problem.reason, problem.message

    def saw(self, tx: int) -> None:
        """The source has committed transaction ``tx``."""
        self.end = max(self.end or 0, tx)
        if self.behind is None:
            self.behind = tx  # what was committed before the archive begins is no backlog of it

    def line(self) -> dict[str, Any]:
        """The report."""
        position, end, behind = self.position, self.end, self.behind
        return {
            "report": {
                "state": self.state,
                "epoch": self.epoch,
                "segment": self.segment,
                "position": position.text if position else None,
                "positionTx": position.tx if position else None,
                "endTx": end,
                "backlogTransactions": max(0, (end or 0) - (behind or 0)),
                "shippedAt": self.shipped_at,
                "upTo": self.up_to,
                "covered": self.covered,
                "segments": self.segments,
                "bytes": self.bytes,
                "gap": self.gap,
                "retention": asdict(self.retention),
                "traffic": self.traffic.shown() if self.traffic else None,
                "error": shown(self.problem or self.source_problem or self.schema_problem),
            }
        }
