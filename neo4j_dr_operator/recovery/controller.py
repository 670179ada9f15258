"""One disaster recovery resource, reconciled: observe, decide, store, act.

Everything decided is in `failover/machine.py`.
A changed state is stored in the status, over the version it was made from, before anything is done about it: a crash at
any point resumes in the stored step, and of two operators only one moves the machine.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

from pydantic import ValidationError

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.archives.archivist import Archivist, Wired
from neo4j_dr_operator.cluster.endpoint import Secrets
from neo4j_dr_operator.errors import DrError, Gone, KubernetesError
from neo4j_dr_operator.failover.actions import Consume, Decision
from neo4j_dr_operator.failover.lease import term_for
from neo4j_dr_operator.failover.machine import decide
from neo4j_dr_operator.failover.reseed import advised
from neo4j_dr_operator.failover.state import SITES, ControlState, Site, Step
from neo4j_dr_operator.failover.view import Desired, Now, Seen
from neo4j_dr_operator.metrics import ResourceMetrics
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.recovery import due
from neo4j_dr_operator.recovery.aside import Aside
from neo4j_dr_operator.recovery.desired import Body, desired_of
from neo4j_dr_operator.recovery.drainer import Drainer
from neo4j_dr_operator.recovery.executor import Executor
from neo4j_dr_operator.recovery.holds import Holds
from neo4j_dr_operator.recovery.plans import drain_config, link_config, ship_config
from neo4j_dr_operator.recovery.pulse import Holder, Pulse
from neo4j_dr_operator.recovery.references import References, first_error
from neo4j_dr_operator.recovery.sight import link_view
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.supervisor import LinkSupervisor
from neo4j_dr_operator.reporting.causes import Cause
from neo4j_dr_operator.reporting.meter import Meter
from neo4j_dr_operator.reporting.reporter import Reporter, Running
from neo4j_dr_operator.reporting.statuses import ResourceApi, StatusWriter, asked
from neo4j_dr_operator.reporting.telling import News, Teller
from neo4j_dr_operator.shipping.supervision import ShipConfig
from neo4j_dr_operator.standbys.followers import Followers
from neo4j_dr_operator.standbys.following import Moment
from neo4j_dr_operator.standbys.secondaries import clusters_named, regions_of
from neo4j_dr_operator.standbys.several import Several
from neo4j_dr_operator.workers import Supervisor

log = logging.getLogger(__name__)

FAULTS = Faults(os.environ.get("NEO4J_DR_FAULT_STEP"), get_args(Step))
"""For fault tests: what happens when a step of an operation has just been stored."""


class Api(ResourceApi, Secrets, Protocol):
    """What a controller needs of the Kubernetes API."""


@dataclass(frozen=True)
class Wiring:
    """What all controllers share: the API, this operator's name, the cluster bodies seen so far by name, which of them
    restores hold, and which restore reads an archive (`<namespace>/<name>`) at a place. `missed`: called with the
    namespace, name and uid of a resource that turned out to be gone."""

    api: Api
    operator: str
    cluster: Callable[[str, str], Body | None]
    holds: Holds = field(default_factory=Holds)
    reading: Callable[[str, S3Address], str | None] = field(default=lambda *_: None)
    missed: Callable[[str, str, str], None] = field(default=lambda *_: None)


class RecoveryController:
    """The reconciling task of one resource."""

    def __init__(self, wiring: Wiring, metrics: ResourceMetrics, body: Body) -> None:
        """Start with the body of its first event."""
        meta = body["metadata"]
        self.namespace, self.name = meta["namespace"], meta["name"]
        self.dr, self.uid = f"{self.namespace}/{self.name}", meta["uid"]
        self._wiring, self._metrics = wiring, metrics
        self._wake = asyncio.Event()
        self._writer = StatusWriter(wiring.api, self.namespace, self.name)
        self._teller = Teller(self._writer.event)
        self._supervisor = LinkSupervisor(self._reported)
        self._shipper: Supervisor[ShipConfig] = Supervisor("ship", self._noticed)
        self._drainer = Drainer(self._noticed)
        self._sites: dict[Site, SiteRuntime] = {site: self._site(site) for site in SITES}
        names = self.namespace, self.name
        self._references = References(wiring.api, wiring.cluster, names, wiring.operator, self._sites)
        followers = Followers(wiring.api, wiring.cluster, names, self._sites, metrics, self._noticed)
        followers.held = wiring.holds.held
        self._several = Several(followers, self._writer, names)
        self._pulse = Pulse(self._sites, self._supervisor, self._noticed)
        body_of, restoring = (lambda: self._writer.body), (lambda place: wiring.reading(self.dr, place))
        wired = Wired(self.dr, wiring.operator, self._sites, self._references, body_of, self._teller, metrics)
        self._archivist = Archivist(wired, self._noticed, restoring)
        running = Running(
            self._sites,
            self._supervisor,
            self._shipper,
            self._pulse,
            self._references,
            self._several,
            self._archivist,
        )
        self._report = Reporter(self.name, running, self._writer, self._teller, Meter(metrics), self._stored, self.wake)
        self._executor = Executor(self.dr, self._sites, self._consume, self._may_open, self.wake)
        self._state: ControlState | None = None
        self._control: Any = None
        self._step: tuple[object, float] = (None, time.monotonic())
        self._spec: DisasterRecoverySpec | None = None
        self._desired: Desired | None = None
        self._looked: object = None
        self._restless = True
        self._aside = Aside(
            wiring.holds,
            self.namespace,
            self._supervisor,
            self._several,
            lambda: self._spec,
            lambda: self._state,
            self._probe_again,
        )
        wiring.holds.join(self)
        self.update(body)
        self._task = asyncio.create_task(self._run(), name=f"recovery-{self.dr}")

    def _site(self, site: Site) -> SiteRuntime:
        return SiteRuntime(site, self._noticed, lambda: self._metrics.failed_probe(site))

    def _probe_again(self) -> None:
        for runtime in self._sites.values():
            runtime.soon()

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()

    def _noticed(self) -> None:
        """A probe, a look at the witness or a report: look again where that can make a difference."""
        self._wiring.holds.noticed()
        if self._restless or (self._desired is not None and self._essence(self._see(self._desired)) != self._looked):
            self.wake()

    def _essence(self, seen: Seen) -> object:
        several = self._several.essence(self._moment(self._state or ControlState(), seen))
        return due.essence(seen, self._report.shipping), several, self._archivist.essence()

    def _reported(self) -> None:
        """The link's worker has reported, or ended."""
        if self._state is not None:
            self._report.linked(self._state)
        self._noticed()

    def update(self, body: Body) -> None:
        """Take in a newer body of the resource; what this operator has written itself is no news."""
        if self._writer.update(body):
            self.wake()

    def stands_aside(self, namespace: str, cluster: str) -> bool:
        """Whether none of its links runs into or out of this cluster, nor will begin to while it is held."""
        return self._aside.stands_aside(namespace, cluster)

    def refers_to(self, cluster: str) -> bool:
        """Whether this resource is about a cluster of its namespace."""
        named = clusters_named({**self._writer.body, "status": self._writer.status})
        return cluster in named or self._several.refers_to(cluster)

    def update_cluster(self, name: str, body: Body | None) -> None:
        """Take in a newer body of one of its clusters, None when it is gone."""
        if self._writer.update_cluster(name, body):
            self.wake()
        if body is not None:
            self._references.changed(name, body)

    async def close(self) -> None:
        """Stop everything that runs for this resource. No data is touched (P7)."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._teller.close()
        await self._pulse.close()
        await self._executor.close()
        await self._supervisor.close()
        await self._shipper.close()
        await self._drainer.close()
        await self._archivist.close()
        await self._several.close()
        self._wiring.holds.leave(self)
        for runtime in self._sites.values():
            await runtime.close()
        self._metrics.remove()

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._restless, pause = True, due.TICK
            try:
                pause = await self._reconcile()
            except Gone:
                log.info("%s was deleted", self.dr)
                self._wiring.missed(self.namespace, self.name, self.uid)
                pause = due.IDLE
            except KubernetesError as error:
                log.warning("%s: %s: %s", self.dr, error.reason, error)
            except Exception:  # the boundary of one resource: a mistake of ours must not end its loop, nor others'
                log.exception("%s: a round failed", self.dr)
            if not pause:
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _reconcile(self) -> float:
        """One round; gives the seconds until the next one, zero when the state moved."""
        self._load()
        self._aside.step()
        self._desired = read = None
        body = self._writer.body
        wrong: tuple[str, str] | None = None
        try:
            read = spec = DisasterRecoverySpec.read(body.get("spec") or {})
            regions = regions_of(self._wiring.cluster, self.namespace, body)
            spec = self._several.pair_of(spec, self._state, regions)
            clusters = await self._references.clusters(spec, first=self._state is None or self._state.epoch == 0)
            await self._references.follow(spec, clusters)
            again = min(await self._several.follow(spec), self._references.due)
        except ValidationError as error:
            wrong = "InvalidSpec", f"spec.{first_error(error)}"
        except DrError as error:
            if isinstance(error, KubernetesError):
                raise
            wrong = error.reason, error.message
        if asked(self._writer.body) != asked(body) or self._overtaken():
            return 0.0  # an event came meanwhile: spec, owners, generation and state of a round are of one moment
        if wrong is not None:
            return await self._not_ready(wrong, read)
        self._spec = spec
        self._pulse.keeper = self._executor.keeper = self._references.keeper
        check = spec.failover.health_check
        self._pulse.term = self._executor.term = term_for(check.interval.seconds, check.consecutive_failures)
        self._pulse.start()  # no await from here until the state is stored
        desired = desired_of(body, spec, clusters)
        state = self._state = self._several.pinned(self._state or ControlState())
        seen = self._see(desired)
        state = self._archivist.keep(state, spec, seen, self._report.shipping)  # counts once it is stored, not before
        self._desired, self._looked = desired, self._essence(seen)
        silence = max(3.0, spec.failover.health_check.timeout.seconds)
        decision = decide(state, desired, seen, self._now(state), self.dr, silence)
        log.debug("%s: %s", self.dr, decision.why)
        moved = decision.state != state
        acquainted = due.acquainted(decision, seen) and self._several.acquainted(self._moment(state, seen))
        if not moved and not acquainted and self._report.told():
            self._act(decision)
            return due.TICK
        if not await self._report.store(decision, desired, seen, spec, clusters):
            self._state = None
            return 0.0
        self._state = decision.state
        if moved:
            self._moved(state, decision)
        if moved or self._overtaken():
            return 0.0
        self._act(decision)
        self._restless = due.under_way(decision, seen)
        again = min(again - time.monotonic(), self._archivist.pause)
        return min(due.pause(decision, seen), max(due.TICK, again))

    def _load(self) -> None:
        """Take the state from the stored status, once, and whenever it is not the one this operator stored last."""
        if self._state is None or self._overtaken():
            control = self._writer.status.get("control")
            self._state = ControlState.model_validate(control) if control else ControlState()
            self._control = control

    def _stored(self) -> None:
        """The state is what this operator has just stored, whatever an event says before the answer is here."""
        self._control = self._writer.control

    def _overtaken(self) -> bool:
        """Whether the stored state is not the one that this operator took or stored last: then that is no more."""
        return bool(self._writer.status.get("control") != self._control)

    def _now(self, state: ControlState) -> Now:
        key = (state.operation.epoch, state.operation.step) if state.operation is not None else None
        if key != self._step[0]:
            self._step = (key, time.monotonic())
            self._executor.new_step()
        return Now(time.time(), time.monotonic(), self._step[1])

    # -- sight ------------------------------------------------------------------------------------------------------

    def _see(self, desired: Desired) -> Seen:
        keeper = self._pulse.keeper
        return Seen(
            sites={site: runtime.view() for site, runtime in self._sites.items()},
            link=advised(link_view(self._supervisor.speaking, time.time(), self._report.places), self.name),
            drain=self._drainer.view(),
            witness=keeper.view() if keeper is not None and desired.witness else None,
            results=self._executor.results,
            unresolved=dict(self._references.problems),
            blocked=self._executor.blocked,
            held=self._aside.held(),
        )

    def _moment(self, state: ControlState, seen: Seen) -> Moment:
        return self._report.moment(state, seen, self._spec)

    # -- effects ----------------------------------------------------------------------------------------------------

    def _act(self, decision: Decision) -> None:
        state = decision.state
        self._pulse.hold(Holder(decision.holder, state.epoch) if decision.holder is not None else None)
        if self._spec is not None:
            self._supervisor.want(link_config(decision.link, self._spec, self._sites))
            archive = self._references.archive
            self._shipper.want(ship_config(self.dr, state, self._spec, self._sites, archive, self.uid))
            drain = drain_config(self.dr, decision.drain, self._spec, self._sites, archive)
            self._drainer.want(drain, shipping=not self._shipper.stopped)  # one that is being started will ship, too
            self._archivist.act(state, self._spec, self._control)
        if self._desired is not None:
            self._several.act(self._moment(state, self._see(self._desired)))
        self._executor.start(decision.actions)

    async def _may_open(self, site: Site) -> bool:
        """Whether the stored state, read afresh, is still the one in which this operator wants a site opened."""
        control = await self._writer.fresh_control()
        return control == self._control and self._state is not None and site in self._state.restricted

    async def _consume(self, action: Consume) -> None:
        spec, site = self._spec, action.site
        cluster = spec.cluster_of(site) if spec is not None and site is not None else None
        await self._writer.consume(action, cluster)

    def _moved(self, before: ControlState, decision: Decision) -> None:
        """The machine moved: log it and count it. What turned has been told of; here only what that hides."""
        after = decision.state
        self._state = after
        log.info("%s: %s", self.dr, decision.why)
        if after.operation is not None:
            FAULTS.at(after.operation.step)
        if len(after.history) != len(before.history) or after.history[-1:] != before.history[-1:]:
            entry = after.history[-1]
            if after.epoch != before.epoch and entry.result == "Completed":
                self._metrics.failover(entry.kind)
        if decision.notes:
            self._teller.tell(News("Operation", "Warning", decision.why.partition(":")[0], decision.why))

    async def _not_ready(self, found: Cause, asked: DisasterRecoverySpec | None) -> float:
        """Say what is missing; whatever runs goes on with what it had, and is told of as it is seen.

        `asked`: the spec, None while it cannot be read. Gives the seconds until the next round.
        """
        if self._report.told():  # not everything that is there has been seen yet: an event will wake us, or time
            self._restless = False
            return max(due.TICK, self._report.began + due.BEGINNING - time.monotonic())
        state, self._desired = self._state or ControlState(), Desired()
        seen = self._see(self._desired)
        self._looked = self._essence(seen)
        await self._report.undecided(found, state, seen, asked)
        self._restless = False
        return due.FOLLOWING if seen.link is not None else due.IDLE
