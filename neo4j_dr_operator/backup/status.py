"""What a worker of backups or restores says: one JSON line at every change of state, and at least every second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.replication.report import Problem, Rate, shown

PERIOD = 1.0


@dataclass
class JobStatus:
    """What all of them say. ``done`` of ``total`` are dealt with; what is counted is each worker's own affair."""

    state: str = "attaching"
    problem: Problem | None = None
    done: int = 0
    total: int = 0
    changed: threading.Event = field(default_factory=threading.Event, repr=False)
    _rate: Rate = field(default_factory=Rate, repr=False)

    def become(self, state: str) -> None:
        """Enter a state; the reporter says so at once. What a job that is finished has met on its way is no problem."""
        if state == "finished":
            self.problem = None
        if state != self.state:
            self.state = state
            self.changed.set()

    def fail(self, error: DrError) -> tuple[str, str]:
        """The job cannot be done. Reason and message as the report shows them."""
        self.problem = problem = Problem.of(error)
        self.become("failed")
        return problem.reason, problem.message

    def line(self) -> dict[str, Any]:
        """The report. ``percent`` is 99 at most before the end; ``rate`` a second."""
        rate = self._rate.of(self.done, time.monotonic())
        left = max(0, self.total - self.done)
        ended = self.state == "finished"
        return {
            "report": {
                "state": self.state,
                "percent": 100 if ended else min(99, 100 * self.done // self.total) if self.total else 0,
                "rate": round(rate) if rate else None,
                "estimatedSecondsLeft": round(left / rate) if rate and not ended else None,
                **self.more(),
                "error": shown(self.problem),
            }
        }

    def more(self) -> dict[str, Any]:
        """What else there is to say."""
        return {}


@dataclass
class BackupStatus(JobStatus):
    """``done`` and ``total`` count ids. ``snapshot``: name of the manifest, once it is there; ``bytes``: what its
    objects take, as far as they were written now; ``saved``: what was there already, uncompressed; ``pruned``: objects
    deleted; ``prune_problem``: why no more were."""

    nodes: int = 0
    relationships: int = 0
    chunks: int = 0
    chunks_new: int = 0
    bytes: int = 0
    saved: int = 0
    amendments: int = 0
    transactions: int = 0
    snapshot: str | None = None
    position: str | None = None
    position_tx: int | None = None
    latest: int | None = None
    pruned: int = 0
    prune_problem: Problem | None = None

    def more(self) -> dict[str, Any]:
        """See :class:`JobStatus`."""
        return {
            "nodes": self.nodes,
            "relationships": self.relationships,
            "chunks": self.chunks,
            "chunksNew": self.chunks_new,
            "bytes": self.bytes,
            "saved": self.saved,
            "amendments": self.amendments,
            "transactions": self.transactions,
            "snapshot": self.snapshot,
            "position": self.position,
            "positionTx": self.position_tx,
            "latest": self.latest,
            "pruned": self.pruned,
            "pruneError": shown(self.prune_problem),
        }
