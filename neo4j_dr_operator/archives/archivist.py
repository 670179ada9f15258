"""All about a resource's archives besides log shipping: its snapshots, when they are taken, what is told of them.

`keeping.py` decides. Here is what it needs: what the store holds, how the worker ended, who owns the job; and the
worker is started for what stands in the stored status, never for what has only been decided.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.archives import backup_status
from neo4j_dr_operator.archives.auditor import REQUESTED as VERIFY
from neo4j_dr_operator.archives.auditor import Auditor, Place
from neo4j_dr_operator.archives.inventory import Inventory
from neo4j_dr_operator.archives.keeping import ABANDONED, Sight, Wishes, next_look, step
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.schedule import Schedule
from neo4j_dr_operator.backup.supervision import BackupPlan, BackupSupervisor
from neo4j_dr_operator.failover.kept import Job, JobKind, Keeping, Outcome
from neo4j_dr_operator.failover.state import ControlState, Site
from neo4j_dr_operator.failover.view import Seen, ShippingView
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.metrics import ResourceMetrics
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.recovery.desired import Body
from neo4j_dr_operator.recovery.references import References
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.reporting.objectives import ship_plan
from neo4j_dr_operator.reporting.telling import Teller

log = logging.getLogger(__name__)

REQUESTED = "neo4j.neo4j.com/backup-requested-at"
"""Annotation whose every new value asks for one snapshot now."""


@dataclass(frozen=True)
class Wired:
    """What an archivist works with; `body` gives the resource as last seen."""

    dr: str
    operator: str
    sites: Mapping[Site, SiteRuntime]
    references: References
    body: Callable[[], Body]
    teller: Teller
    metrics: ResourceMetrics


class Archivist:
    """The snapshots of one resource. At every round: `keep`, then, once that is stored, `act`."""

    def __init__(self, wired: Wired, changed: Callable[[], None], restoring: Callable[[S3Address], str | None]) -> None:
        """Nothing runs yet. `changed` is called when something was found or a worker reported.

        `restoring`: which restore reads this resource's archive at a place, so that nothing may be deleted from it.
        """
        self._at, self._changed, self._restoring = wired, changed, restoring
        self._jobs = BackupSupervisor("backup", changed, job=True)
        self._plan: BackupPlan | None = None
        self._failed: dict[JobKind, BackupPlan] = {}
        self._inventory = Inventory(wired.dr, changed)
        self._epoch = 0
        self._wishes, self._sight = Wishes(), Sight(0.0, wired.operator)
        self._stored: Keeping | None = None
        self._owner: tuple[object, float] = (None, 0.0)
        self.auditor = Auditor(changed, wired.metrics.audited)

    # -- deciding ---------------------------------------------------------------------------------------------------

    def keep(
        self, state: ControlState, spec: DisasterRecoverySpec, seen: Seen, shipping: ShippingView | None
    ) -> ControlState:
        """The state with what is to be remembered of backups now."""
        if state.epoch != self._epoch:
            self._epoch = state.epoch
            self._inventory.forget()
        self._wishes = wishes = self._wished(spec)
        references = self._at.references
        self._inventory.keep(((wishes.logs, references.archive), (wishes.backups, references.backups)))
        readable = self._readable(state, seen)
        shipped = shipping if shipping is not None and shipping.epoch == state.epoch else None
        gaps = (shipped.gap if shipped is not None else None, self.auditor.gap(wishes.logs, state.epoch))
        self._sight = sight = Sight(
            wall=time.time(),
            operator=self._at.operator,
            known=state.epoch,
            epoch=state.epoch if readable else 0,
            segment=shipped.segment if shipped is not None else None,
            gap=max(filter(None, gaps), default=None),
            held=self._inventory.held,
            damage=self.auditor.damage(wishes.logs),
            ended=self._ended(state.keeping.job),
            abandoned=self._abandoned(state.keeping.job),
            mended=self._mended(state, spec),
        )
        keeping = step(state.keeping, wishes, sight)
        return state if keeping == state.keeping else state.model_copy(update={"keeping": keeping})

    def _readable(self, state: ControlState, seen: Seen) -> bool:
        """Whether the active site can be read, and is the one that will stay for now."""
        if ship_plan(state) is None or state.operation is not None:
            return False
        up = seen.sites[state.active].verdict is Verdict.UP
        return up and self._at.sites[state.active].link_endpoint is not None

    def _wished(self, spec: DisasterRecoverySpec) -> Wishes:
        meta, backup, references = self._at.body()["metadata"], spec.backup, self._at.references
        schedule = Schedule(backup.schedule, backup.time_zone) if backup.schedule is not None else None
        return Wishes(
            logs=self._place(references.archive),
            backups=self._place(references.backups),
            enabled=backup.enabled,
            schedule=schedule,
            retention=backup.retention,
            request=str((meta.get("annotations") or {}).get(REQUESTED) or "")[:256],
            created=_seconds(meta.get("creationTimestamp")),
            unedited=int(meta.get("generation") or 0) == 1,
        )

    def _place(self, address: S3Address | None) -> str | None:
        if address is None:
            return None
        other = f" at {address.endpoint}" if address.endpoint else ""
        return f"s3://{address.bucket}/{address.key(self._at.dr)}{other}"

    def _ended(self, job: Job | None) -> Outcome | None:
        """How the job's worker ended, if it did as it should: one that was killed is started again."""
        last, plan = self._jobs.last, self._plan
        if job is None or plan is None or self._jobs.worker is not None or last is None:
            return None
        report = last.report
        if (
            last.config.identity() != plan.identity()
            or plan.number != job.number
            or report.get("state") not in ("finished", "failed")
        ):
            return None
        error = report.get("error") or report.get("pruneError") or {}
        return Outcome(
            number=job.number,
            kind=job.kind,
            where=job.where,
            epoch=job.epoch,
            began=job.at,
            ended=time.time(),
            snapshot=report.get("snapshot") if report["state"] == "finished" else None,
            bytes=int(report.get("bytes") or 0),
            saved=int(report.get("saved") or 0),
            reason=str(error.get("reason") or ""),
            message=str(error.get("message") or "")[:512],
        )

    def _abandoned(self, job: Job | None) -> bool:
        """Whether the owner of a job has died, or has not said for long that it still has it."""
        if job is None or job.owner == self._at.operator:
            return False
        version, now = (job.number, job.owner, job.renewed), time.monotonic()
        if self._owner[0] != version:
            self._owner = (version, now)
        return now - self._owner[1] > ABANDONED or _dead(job.owner)

    def _mended(self, state: ControlState, spec: DisasterRecoverySpec) -> frozenset[JobKind]:
        """What failed and would now be tried in another way: other credentials, another address."""
        found: list[JobKind] = []
        for kind, failed in self._failed.items():
            plan = self._planned(kind, 0, state, spec)
            if plan is not None and not plan.same_way(failed):
                found.append(kind)
        return frozenset(found)

    # -- acting -----------------------------------------------------------------------------------------------------

    def act(self, state: ControlState, spec: DisasterRecoverySpec, control: Mapping[str, Any] | None) -> None:
        """Run what the stored state says, and tell what has ended; `control` is that state as stored."""
        kept = Keeping.model_validate((control or {}).get("keeping") or {})
        before, self._stored = self._stored, kept
        if (good := kept.newest(self._wishes.wanted or "")) is not None:
            self._at.metrics.last_backup(good.ended, good.ended - good.began)
        if before is not None:
            self._told(before, kept)
        annotations = self._at.body()["metadata"].get("annotations") or {}
        self.auditor.follow(self._audited(spec), str(annotations.get(VERIFY) or "")[:256])
        job = kept.job
        if job is None or job.owner != self._at.operator:
            self._want(None)
            return
        plan = self._planned(job.kind, job.number, state, spec)
        if plan is not None and job.epoch == state.epoch:
            self._want(replace(plan, leave=job.renewed))

    def _want(self, plan: BackupPlan | None) -> None:
        self._plan = plan
        self._jobs.want(plan)

    def _told(self, before: Keeping, kept: Keeping) -> None:
        for each in backup_status.news(before, kept):
            self._at.teller.tell(each)
        last = kept.last
        if last is None or (before.last is not None and before.last.number == last.number):
            return
        if last.good:
            self._at.metrics.backed_up(last.bytes)
            self.auditor.soon()
            self._failed.pop(last.kind, None)
        else:
            self._at.metrics.backup_failed()
            ended = self._jobs.last
            if ended is not None and ended.config.number == last.number:
                self._failed[last.kind] = ended.config
        self._inventory.added(last.where, SnapshotName.of(last.snapshot or ""))

    def _planned(
        self, kind: JobKind, number: int, state: ControlState, spec: DisasterRecoverySpec
    ) -> BackupPlan | None:
        """What a worker is started with for such a job; None while an end of it is not known."""
        references, shipping, backup = self._at.references, spec.replication.log_shipping, spec.backup
        to_logs = kind == "base" or references.backups is None
        destination = references.archive if to_logs else references.backups
        source = self._at.sites[state.active].link_endpoint
        if destination is None or source is None:
            return None
        encryption = shipping.encryption if to_logs else backup.encryption
        deleting = backup.enabled and kind != "requested" and self._restoring(destination) is None
        return BackupPlan(
            number=number,
            archive=self._at.dr,
            site=state.active,
            epoch=state.epoch,
            source=source,
            destination=destination,
            timeout=spec.replication.timeout.seconds,
            encrypted=encryption.enabled,
            kms_key=encryption.kms_key_id,
            retention=backup.retention if deleting else None,
            resource=self._at.body()["metadata"].get("uid"),
        )

    def _audited(self, spec: DisasterRecoverySpec) -> list[Place]:
        """The archives to look through, that of the window first."""
        references, shipping = self._at.references, spec.replication.log_shipping
        found: dict[str, Place] = {}
        for address, encryption in (
            (references.archive, shipping.encryption),
            (references.backups, spec.backup.encryption),
        ):
            where = self._place(address)
            if where is None or address is None or where in found:
                continue
            found[where] = Place(
                where=where,
                archive=self._at.dr,
                location=address,
                period=shipping.audit_period.seconds,
                timeout=spec.replication.timeout.seconds,
                encrypted=encryption.enabled,
                kms_key=encryption.kms_key_id,
                pruned=spec.backup.enabled,
            )
        return list(found.values())

    # -- telling ----------------------------------------------------------------------------------------------------

    def essence(self) -> object:
        """What a round may come out differently for."""
        worker = self._jobs.worker or self._jobs.last
        report = worker.report if worker is not None else {}
        reported = report.get("state"), (report.get("error") or {}).get("reason"), (report.get("percent") or 0) // 10
        held = self._inventory.essence()
        return self._jobs.worker is None, reported, held, self._restores(), self.auditor.essence()

    def _restores(self) -> tuple[str, ...]:
        """Restores for which nothing is deleted at the moment."""
        places = (self._at.references.backups, self._at.references.archive)
        return tuple(filter(None, (self._restoring(place) for place in places if place is not None)))

    @property
    def pause(self) -> float:
        """Seconds until time alone may change something."""
        wall, stored = time.time(), self._stored
        at = next_look(stored, self._wishes, wall) if stored is not None else None
        own = at - wall if at is not None else float("inf")
        return max(0.0, min(own, self.auditor.pause, self._inventory.pause))

    def seen(self, keeping: Keeping) -> backup_status.Seen:
        """What a status says of backups, `keeping` being what is stored with it."""
        wishes, references = self._wishes, self._at.references
        worker = self._jobs.worker
        mine = worker is not None and keeping.job is not None and worker.config.number == keeping.job.number
        return backup_status.Seen(
            keeping=keeping,
            wishes=wishes,
            sight=self._sight,
            report=worker.report if worker is not None and mine else {},
            problem=references.backups_problem or self._inventory.doubt(wishes.backups),
            base_problem=self._inventory.doubt(wishes.logs),
            restoring=next(iter(self._restores()), ""),
        )

    async def close(self) -> None:
        """End the worker. What it has stored serves the next one."""
        await self._inventory.close()
        await self._jobs.close()
        await self.auditor.close()


def _seconds(instant: Any) -> float:
    """Wall seconds of a time in the metadata; zero for none."""
    if not instant:
        return 0.0
    return datetime.fromisoformat(str(instant).replace("Z", "+00:00")).timestamp()


def _dead(operator: str) -> bool:
    """Whether an operator ran on this host, or in this container before it was started again, and has ended."""
    host, _, rest = operator.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    return int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists()
