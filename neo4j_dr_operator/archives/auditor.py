"""The auditors of one resource: one round after the other over each of its archives, and what they found.

A round is a worker process that ends; what was read when lies in the archive itself, so a restart costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from neo4j_dr_operator.archives.audit_status import Audited
from neo4j_dr_operator.audit import due
from neo4j_dr_operator.audit.supervision import AuditPlan
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.workers import Supervisor

REQUESTED = "neo4j.neo4j.com/archive-verify-requested-at"
"""Annotation whose every new value asks for a check now; of every byte where it ends with ` full`."""
EARLY = 2.5
"""Seconds after which an archive that is empty is looked at again, doubled each time."""
PENDING = 10.0
"""Seconds after which it is looked again for what the newest snapshot gives, where that was nothing yet, at most."""
REFUSED = 60.0
"""Seconds before a round that could not be done is tried again, at most."""


@dataclass(frozen=True)
class Place:
    """An archive. ``where``: for people, the same for the same place. ``timeout`` in seconds."""

    where: str
    archive: str
    location: S3Address
    period: float
    timeout: float
    encrypted: bool = False
    kms_key: str | None = None
    pruned: bool = True


@dataclass
class Rounds:
    """The rounds over one archive. Times are monotonic."""

    place: Place
    changed: Callable[[], None]
    request: str = ""
    next_at: float = 0.0
    seen: Audited = field(default_factory=lambda: Audited(""))
    _number: int = 0
    _empty: int = 0
    _plan: AuditPlan | None = None
    _jobs: Supervisor[AuditPlan] | None = None

    def follow(self, place: Place, request: str) -> int:
        """Take in how the last round ended, and begin the next one when it is due; bytes that were read in one that
        ended just now."""
        other = place.location != self.place.location or request != self.request
        self.place = place
        if request != self.request:
            self.request, self.seen = request, replace(self.seen, problem=None)
        if self._jobs is None:
            self._jobs = Supervisor("audit", self.changed, job=True)
        read = self._ended(self._jobs)
        if other or (self._plan is None and time.monotonic() >= self.next_at):
            self._number += self._plan is None
            self._plan, self.next_at = self._planned(), float("inf")
            self._jobs.want(self._plan)
        worker = self._jobs.worker if self._plan is not None else None
        percent = int(worker.report.get("percent") or 0) if worker is not None else None
        error = (worker.report.get("error") or {}) if worker is not None else {}
        waits = (str(error.get("reason")), str(error.get("message") or "")[:512]) if error else None
        self.seen = replace(
            self.seen, where=place.where, period=place.period, request=request, percent=percent, waits=waits
        )
        return read

    def stop(self) -> None:
        """End the round that is under way."""
        self._plan = None
        if self._jobs is not None:
            self._jobs.want(None)

    def soon(self) -> None:
        """Look again at once, or, while a round is under way, after it."""
        self.next_at, self._empty = 0.0, 0

    def _planned(self) -> AuditPlan:
        place = self.place
        return AuditPlan(
            number=self._number,
            archive=place.archive,
            location=place.location,
            period=place.period,
            timeout=place.timeout,
            request=self.request,
            encrypted=place.encrypted,
            kms_key=place.kms_key,
            pruned=place.pruned,
        )

    def _ended(self, jobs: Supervisor[AuditPlan]) -> int:
        last, plan = jobs.last, self._plan
        if plan is None or jobs.worker is not None or last is None or last.config != plan:
            return 0
        report = last.report
        if report.get("state") not in ("finished", "failed"):
            return 0  # it was killed, and is started again
        self._plan = None
        pause = due.pause(self.place.period)
        if report["state"] == "failed":
            error = report.get("error") or {}
            self.seen = replace(self.seen, problem=(str(error.get("reason")), str(error.get("message") or "")[:512]))
            self.next_at = min(self.next_at, time.monotonic() + min(pause, REFUSED))
            return 0
        self.seen = replace(self.seen, report=dict(report), problem=None)
        if (report.get("window") or {}).get("pending"):
            pause = min(pause, PENDING)
        if not self.seen.looked:
            self._empty += 1
            pause = min(pause, EARLY * 2**self._empty)
        self.next_at = min(self.next_at, time.monotonic() + pause)
        return int(report.get("bytesRead") or 0)

    def essence(self) -> object:
        """What a round of the resource may come out differently for."""
        jobs = self._jobs
        worker = (jobs.worker or jobs.last) if jobs is not None else None
        report = worker.report if worker is not None else {}
        error = (report.get("error") or {}).get("reason")
        return jobs is None or jobs.worker is None, report.get("state"), (report.get("percent") or 0) // 10, error

    async def close(self) -> None:
        """End the worker."""
        if self._jobs is not None:
            await self._jobs.close()


class Auditor:
    """The archives of one resource, the log archive first."""

    def __init__(self, changed: Callable[[], None], read: Callable[[int], None]) -> None:
        """Nothing runs yet. ``changed``: called when a worker reported; ``read``: told of bytes that were read."""
        self._changed, self._read = changed, read
        self._rounds: dict[str, Rounds] = {}
        self._left: list[Rounds] = []

    def follow(self, places: Sequence[Place], request: str) -> None:
        """Look through these archives from now on. ``request``: what the annotation says, empty without it."""
        wanted = {place.where: place for place in places}
        for where in self._rounds.keys() - wanted.keys():
            self._rounds[where].stop()
            self._left.append(self._rounds.pop(where))
        self._rounds = {
            where: self._rounds.get(where) or Rounds(place, self._changed) for where, place in wanted.items()
        }
        for where, place in wanted.items():
            if read := self._rounds[where].follow(place, request):
                self._read(read)

    def soon(self) -> None:
        """Look again at once: a snapshot was taken."""
        for each in self._rounds.values():
            each.soon()

    @property
    def seen(self) -> tuple[Audited, ...]:
        """The archives as last seen."""
        return tuple(each.seen for each in self._rounds.values())

    def damage(self, where: str | None) -> str:
        """What of an archive a new snapshot would heal, empty for nothing."""
        rounds = self._rounds.get(where or "")
        return str(rounds.seen.report.get("damaged") or "") if rounds is not None else ""

    def gap(self, where: str | None, epoch: int) -> int | None:
        """Number of an archive's last segment behind a gap, in this epoch; None where none was seen."""
        rounds = self._rounds.get(where or "")
        report = rounds.seen.report if rounds is not None else {}
        found: int | None = report.get("gap")
        return found if report.get("epoch") == epoch else None

    def essence(self) -> object:
        """What a round of the resource may come out differently for."""
        return tuple(each.essence() for each in self._rounds.values())

    @property
    def pause(self) -> float:
        """Seconds until the next round is due."""
        now = time.monotonic()
        return min((max(0.0, each.next_at - now) for each in self._rounds.values()), default=float("inf"))

    async def close(self) -> None:
        """End all workers."""
        for each in (*self._rounds.values(), *self._left):
            await each.close()
