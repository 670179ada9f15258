"""What a link worker says: one JSON line at every change of state, and at least every half second."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from neo4j_dr_operator import errors
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.replication.stream import SourceFailure

PERIOD = 0.5
_SIDED = {
    errors.DatabaseUnreachable: "Unreachable",
    errors.AuthenticationFailed: "AuthFailed",
    errors.ReadOnlyRefused: "ReadOnly",
}
_SIDED_AS_THEY_ARE = (errors.CertificateRejected, errors.PermissionDenied, errors.PlainServer, errors.TlsRequired)


@dataclass
class Problem:
    """An error as the report shows it."""

    reason: str
    message: str

    @classmethod
    def of(cls, error: errors.DrError) -> Problem:
        """The reason names the side where the error alone does not."""
        side, cause = ("Source", error.cause) if isinstance(error, SourceFailure) else ("Target", error)
        for kind, word in _SIDED.items():
            if isinstance(cause, kind):
                return cls(side + word, cause.message)
        if isinstance(cause, _SIDED_AS_THEY_ARE):
            return cls(side + cause.reason, cause.message)
        return cls(cause.reason, cause.message)


@dataclass
class Status:
    """What the threads of a worker know; each field has one writer. Times: seconds since 1970."""

    epoch: int
    state: str = "attaching"
    link: LinkState | None = None
    read_at: float | None = None
    caught_up: bool = False
    pending: int = 0
    changes: int = 0
    transactions: int = 0
    latency: float | None = None
    schema: Problem | None = None
    source_problem: Problem | None = None
    target_problem: Problem | None = None
    changed: threading.Event = field(default_factory=threading.Event, repr=False)

    def become(self, state: str) -> None:
        """Enter a state; the reporter says so at once."""
        if state != self.state:
            self.state = state
            self.changed.set()

    def line(self) -> dict[str, Any]:
        """The report. ``caughtUp`` is taken before the position: a report may be late with it, never early."""
        caught_up = self.caught_up and self.pending == 0 and self.state in ("streaming", "finished")
        link = self.link
        problem = self.target_problem or self.source_problem
        seed = None
        if link is not None and link.scan_nodes_end + link.scan_rels_end:
            seed = {
                "nodes": link.scan_nodes,
                "nodesEnd": link.scan_nodes_end,
                "rels": link.scan_rels,
                "relsEnd": link.scan_rels_end,
            }
        return {
            "report": {
                "state": self.state,
                "epoch": self.epoch,
                "cursor": link.cursor if link else None,
                "cursorTx": link.cursor_tx if link else None,
                "seq": link.seq if link else None,
                "heartbeat": (link.heartbeat or None) if link else None,
                "commitMillis": (link.commit_millis or None) if link else None,
                "caughtUp": caught_up,
                "readAt": self.read_at,
                "pending": self.pending,
                "changes": self.changes,
                "transactions": self.transactions,
                "seed": seed,
                "latency": self.latency,
                "schema": shown(self.schema),
                "error": shown(problem),
            }
        }


def shown(problem: Problem | None) -> dict[str, str] | None:
    """A problem as reports hold it."""
    return None if problem is None else {"reason": problem.reason, "message": problem.message}


class Lines:
    """Standard output as a stream of JSON lines, one at a time from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def write(self, value: dict[str, Any]) -> None:
        """One line, at once."""
        with self._lock:
            sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
            sys.stdout.buffer.flush()


class Reported(Protocol):
    """A worker's status, as a reporter sees it. Setting ``changed`` makes it speak at once."""

    changed: threading.Event

    def line(self) -> dict[str, Any]:
        """The report."""
        ...


class Reporter(threading.Thread):
    """Writes the status until the process ends."""

    def __init__(self, status: Reported, lines: Lines, period: float = PERIOD) -> None:
        """``period``: seconds between two reports while nothing changes."""
        super().__init__(name="report", daemon=True)
        self._status, self._lines, self._period = status, lines, period

    def run(self) -> None:
        """Forever."""
        while True:
            self._lines.write(self._status.line())
            self._status.changed.wait(self._period)
            self._status.changed.clear()
