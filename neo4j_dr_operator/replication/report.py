"""What a link worker says: one JSON line at every change of state, and at least every half second."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator import errors
from neo4j_dr_operator.replication import progress
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.replication.stream import SourceFailure

SPAN = 10.0
"""Seconds that a throughput looks back."""
_SIDED = {
    errors.DatabaseUnreachable: "Unreachable",
    errors.AuthenticationFailed: "AuthFailed",
    errors.ReadOnlyRefused: "ReadOnly",
}
_SIDED_AS_THEY_ARE = (
    errors.CertificateRejected,
    errors.PermissionDenied,
    errors.PlainServer,
    errors.StorageFailed,
    errors.TlsRequired,
)


@dataclass
class Problem:
    """An error as the report shows it. ``hiccup``: it has not lasted long enough to call the link unhealthy."""

    reason: str
    message: str
    hiccup: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, error: errors.DrError, *, hiccup: bool = False) -> Problem:
        """The reason names the side where the error alone does not."""
        reason, message = cls._told(error)
        return cls(reason, message, hiccup)

    @classmethod
    def _told(cls, error: errors.DrError) -> tuple[str, str]:
        side, cause = ("Source", error.cause) if isinstance(error, SourceFailure) else ("Target", error)
        for kind, word in _SIDED.items():
            if isinstance(cause, kind):
                return side + word, cause.message
        if isinstance(cause, _SIDED_AS_THEY_ARE):
            return side + cause.reason, cause.message
        return cause.reason, cause.message


class Rate:
    """How fast a counter grows, over the last :data:`SPAN` seconds."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, count: int, now: float) -> float | None:
        """Growth a second up to ``count`` at ``now`` (monotonic seconds); None within the first second of looking."""
        seen = self._seen
        seen.append((now, count))
        while len(seen) > 2 and now - seen[1][0] >= SPAN:
            seen.popleft()
        began, first = seen[0]
        return max(0, count - first) / (now - began) if now - began >= 1.0 else None


@dataclass
class Status:
    """What the threads of a worker know; each field has one writer. Times: seconds since 1970.

    ``head``: the source's newest transaction, as seen within the last second or two, None while the way is lost;
    ``received``: bytes read from the source; ``schema_seen``: how often in a row the schemas were compared
    with nothing left that has to wait for the copy.
    """

    epoch: int
    state: str = "attaching"
    link: LinkState | None = None
    read_at: float | None = None
    caught_up: bool = False
    pending: int = 0
    changes: int = 0
    transactions: int = 0
    latency: float | None = None
    head: int | None = None
    received: int = 0
    schema: Problem | None = None
    schema_seen: int = 0
    source_problem: Problem | None = None
    target_problem: Problem | None = None
    changed: threading.Event = field(default_factory=threading.Event, repr=False)
    _rates: tuple[Rate, Rate] = field(default_factory=lambda: (Rate(), Rate()), repr=False)
    _began: float = field(default_factory=time.monotonic, repr=False)
    _scan: Rate = field(default_factory=Rate, repr=False)
    _last: tuple[Problem, float] | None = field(default=None, repr=False)
    _shown: Problem | None = field(default=None, repr=False)

    def become(self, state: str) -> None:
        """Enter a state; the reporter says so at once."""
        if state != self.state:
            self.state = state
            self.changed.set()

    def fail(self, error: errors.DrError) -> tuple[str, str]:
        """The worker cannot go on. Reason and message as the report shows them."""
        self.target_problem = problem = Problem.of(error)
        self.become("failed")
        return problem.reason, problem.message

    def line(self) -> dict[str, Any]:
        """The report. ``caughtUp`` is taken before the position: a report may be late with it, never early."""
        caught_up = self.caught_up and self.pending == 0 and self.state in ("streaming", "finished")
        link = self.link
        problem = self.target_problem or self.source_problem
        now = time.monotonic()
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
                "seed": progress.seeding(link, self._scan.of(progress.scanned(link), now), now - self._began),
                "reseed": link.reseed if link else None,
                "latency": self.latency,
                "behind": self._behind(),
                "received": self.received,
                "changesPerSecond": self._rates[0].of(self.changes, now),
                "bytesPerSecond": self._rates[1].of(self.received, now),
                "schema": shown(self.schema),
                "schemaSeen": self.schema_seen,
                "error": shown(problem),
                "retrying": problem is not None and problem.hiccup,
                "lastError": self._remembered(problem),
            }
        }

    def _behind(self) -> int | None:
        """Transactions that the source has and the target lacks; None while that cannot be told."""
        if self.link is None or self.head is None or self.state not in ("streaming", "catching-up"):
            return None
        return max(0, self.head - self.link.cursor_tx)

    def _remembered(self, problem: Problem | None) -> dict[str, Any] | None:
        """The last error, also when it is over; ``at`` is when it began, however often it came back unchanged."""
        if problem is not None and (self._shown is None or self._shown.reason != problem.reason):
            self._last = (problem, time.time())
        self._shown = problem
        if self._last is None:
            return None
        last, at = self._last
        return {"reason": last.reason, "message": last.message, "at": at}


def shown(problem: Problem | None) -> dict[str, str] | None:
    """A problem as reports hold it."""
    return None if problem is None else {"reason": problem.reason, "message": problem.message}
