"""What is told of one resource, made from what runs for it: statuses, metrics, events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.archives import audit_status, backup_status
from neo4j_dr_operator.archives.archivist import Archivist
from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.state import ControlState, Site
from neo4j_dr_operator.failover.view import Desired, Seen, ShippingView
from neo4j_dr_operator.health.advice import Place
from neo4j_dr_operator.recovery import due
from neo4j_dr_operator.recovery.pulse import Pulse
from neo4j_dr_operator.recovery.references import Clusters, References
from neo4j_dr_operator.recovery.sight import link_lag, shipping_view
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.replication.supervisor import LinkSupervisor
from neo4j_dr_operator.reporting import publish
from neo4j_dr_operator.reporting.causes import Cause
from neo4j_dr_operator.reporting.meter import Meter
from neo4j_dr_operator.reporting.objectives import Objectives
from neo4j_dr_operator.reporting.statuses import StatusWriter
from neo4j_dr_operator.reporting.telling import Teller, gap_news, news
from neo4j_dr_operator.shipping.supervision import ShipConfig
from neo4j_dr_operator.standbys.follower_status import standby_news
from neo4j_dr_operator.standbys.following import Moment
from neo4j_dr_operator.standbys.several import Several
from neo4j_dr_operator.workers import Supervisor


@dataclass(frozen=True)
class Running:
    """What runs for one resource, and is told of."""

    sites: Mapping[Site, SiteRuntime]
    link: LinkSupervisor
    shipper: Supervisor[ShipConfig]
    pulse: Pulse
    references: References
    several: Several
    archivist: Archivist


@dataclass
class Reporter:
    """Tells of the resource `name`. `stored`: called when its status was; `wake`: when it has to be told of again.

    `began`: monotonic time at which this process began to look at it.
    """

    name: str
    running: Running
    writer: StatusWriter
    teller: Teller
    meter: Meter
    stored: Callable[[], None]
    wake: Callable[[], None]
    began: float = field(default_factory=time.monotonic)
    _decided: tuple[DisasterRecoverySpec, Desired, Clusters] | None = None
    """What was decided about last."""

    # -- what runs, as seen from outside ----------------------------------------------------------------------------

    @property
    def shipping(self) -> ShippingView | None:
        """The log shipper, None without one."""
        shipper = self.running.shipper
        return shipping_view(shipper.worker or shipper.last, self.places, self.writer.status.get("shipping"))

    @property
    def places(self) -> dict[Site, Place]:
        """What people call the links' way to each site."""
        return {site: runtime.link_place for site, runtime in self.running.sites.items()}

    def lag(self, state: ControlState) -> float | None:
        """Age in seconds of what the standby holds, None while that is not known."""
        return link_lag(self.running.link.worker, state, self._beating, time.time())

    def moment(self, state: ControlState, seen: Seen, spec: DisasterRecoverySpec | None) -> Moment:
        """The pair, as its followers see it."""
        rpo, reseed = None, False
        if spec is not None:
            rpo, reseed = spec.failover.rpo, spec.replication.reseed == "automatic"
        seconds = rpo.seconds if rpo is not None else None
        return Moment(state, seen, self.lag(state), self._beating, time.time(), seconds, reseed)

    @property
    def _beating(self) -> bool:
        return self.running.pulse.holder is not None

    # -- what is told -----------------------------------------------------------------------------------------------

    def told(self) -> bool:
        """Whether what is stored is newer than what this process can know: it has just begun, the resource has not."""
        status, generation = self.writer.status, self.writer.body["metadata"].get("generation")
        new = not status.get("conditions") or status.get("observedGeneration") != generation
        return not new and time.monotonic() - self.began < due.BEGINNING

    def linked(self, state: ControlState) -> None:
        """The link's worker has reported, or ended: count it."""
        self.meter.take_link(self.lag(state), self.running.link.worker)

    async def store(
        self, decision: Decision, desired: Desired, seen: Seen, spec: DisasterRecoverySpec, clusters: Clusters
    ) -> bool:
        """Store status and cluster statuses; False when another operator was first."""
        state, several = decision.state, self.running.several
        self._decided = spec, desired, clusters
        regions = {site: own.disaster_recovery.region for site, (_, own) in clusters.items()}
        context = replace(self._context(state, decision.why, self._measured(state, seen, spec)), regions=regions)
        self.meter.take_audits(self.running.archivist.auditor.seen, context.objectives)
        moment = self.moment(state, seen, spec)
        status = publish.recovery_status(state, desired, seen, self.writer.status, context, spec)
        if not await self._put({**status, **several.status(moment, status)}):
            return False
        self.stored()
        await self._store_clusters(state, desired, seen, clusters, context, moment)
        return True

    async def _store_clusters(
        self,
        state: ControlState,
        desired: Desired,
        seen: Seen,
        clusters: Clusters,
        context: publish.Context,
        moment: Moment,
    ) -> None:
        """The statuses of the pair's clusters and of those that follow it."""
        for site, (body, own) in clusters.items():
            name = body["metadata"]["name"]
            generation = int(body["metadata"].get("generation") or 0)
            stored = self.writer.cluster_status(name) or {}
            if state.epoch == 0 and stored.get("recovery") not in (None, self.name):
                continue  # it belongs to another resource, which says how it is
            document = publish.cluster_status(site, own, state, desired, seen, stored, generation, context, self.name)
            if not await self.writer.store_cluster(name, document, body["metadata"].get("uid")):
                self.wake()
        if not await self.running.several.store_clusters(moment):
            self.wake()

    async def undecided(
        self, found: Cause, state: ControlState, seen: Seen, asked: DisasterRecoverySpec | None
    ) -> None:
        """Say why nothing can be decided, and what is seen of what runs all the same; clusters as they were known last.

        `asked`: the spec, None while it cannot be read.
        """
        spec, desired, clusters = self._decided or (None, None, {})
        moment = self.moment(state, seen, spec)
        context = self._context(state, found[1], self._measured(state, seen, asked or spec))
        status = publish.undecided_status(state, seen, self.writer.status, context, found, asked is not None)
        status |= self.running.several.undecided(moment, status, found)
        if await self._put(status) and desired is not None:
            await self._store_clusters(state, desired, seen, clusters, context, moment)

    def _measured(self, state: ControlState, seen: Seen, spec: DisasterRecoverySpec | None) -> Objectives:
        """What a spec asks for and is seen of it, with the metrics brought up to it."""
        lag, now = self.lag(state), time.time()
        self.meter.take(seen, lag, self.running.link.worker)
        objectives = Objectives(lag=lag, now=now)
        if spec is not None:
            objectives = self.running.references.objectives(spec, lag, self.shipping, now)
            self.meter.take_archive(objectives, self.running.shipper.worker)
        return objectives

    def _context(self, state: ControlState, why: str, objectives: Objectives) -> publish.Context:
        worker, sites, now = self.running.link.worker, self.running.sites, objectives.now
        backups = self.running.archivist.seen(state.keeping)
        audited = self.running.archivist.auditor.seen
        conditions = self.writer.status.get("conditions") or []
        stored = next((each for each in conditions if each["type"] == audit_status.KIND), None)
        healthy = audit_status.archive_healthy(audited, stored, now)
        return publish.Context(
            generation=int(self.writer.body["metadata"].get("generation") or 0),
            wall=now,
            why=why,
            lag=objectives.lag,
            link_report=worker.report if worker is not None else {},
            objectives=replace(objectives, backups=backup_status.backup_healthy(backups), archives=healthy),
            since={site: self.writer.since(site, runtime.health) for site, runtime in sites.items()},
            places={site: runtime.place for site, runtime in sites.items()},
            backup=backup_status.document(backups),
            recovery=audit_status.document(audited, self.shipping),
        )

    async def _put(self, status: Mapping[str, Any]) -> bool:
        """Store the resource's status and tell what turned; False when another operator was first."""
        old = self.writer.status
        if not await self.writer.store(status):
            return False
        new = self.writer.status
        turned = news(old.get("conditions") or [], new.get("conditions") or [])
        turned += gap_news(old.get("shipping"), new.get("shipping"))
        for each in [*turned, *standby_news(old.get("secondaryClusters") or [], new.get("secondaryClusters") or [])]:
            self.teller.tell(each)
        return True
