"""The followers of one resource as the running operator handles them: their probes, their marks, their links.

Nothing is decided here: `secondaries.py` says who follows whom, `following.py` where each stands. A follower's trouble
is its own: it delays neither the pair nor another follower.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.cluster import site as sites
from neo4j_dr_operator.cluster.access import enable_change_capture
from neo4j_dr_operator.cluster.endpoint import PlainBoltRefused, Unresolved, resolve_follower
from neo4j_dr_operator.errors import DatabaseError, DrError, KubernetesError, NotFound
from neo4j_dr_operator.failover.state import SITES, Site
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.health.advice import explain, of_link
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.metrics import ResourceMetrics
from neo4j_dr_operator.recovery.desired import Body
from neo4j_dr_operator.recovery.plans import follower_config
from neo4j_dr_operator.recovery.references import PERIOD, SOON, Disagreement, Sources
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.replication.supervisor import LinkSupervisor
from neo4j_dr_operator.reporting.causes import Cause
from neo4j_dr_operator.reporting.meter import Behind
from neo4j_dr_operator.standbys.following import (
    FollowerView,
    LinkReport,
    Moment,
    Source,
    Stood,
    source_follower,
    source_site,
    stand,
)
from neo4j_dr_operator.standbys.secondaries import Follower, Layout

log = logging.getLogger(__name__)

MARK_TIMEOUT = 10.0
RETRY_PAUSE = 3.0
"""Seconds before a mark that could not be written is tried again."""


class _Runtime:
    """One follower's probes and its link."""

    def __init__(self, follower: Follower, changed: Callable[[], None], failed: Callable[[], None]) -> None:
        self.follower, self._changed = follower, changed
        self.site = SiteRuntime(follower.name, changed, failed, follower.link)
        self.links = LinkSupervisor(changed)
        self.problem: Cause | None = None
        self.cluster: tuple[Body, ClusterSpec] | None = None
        self.version: object = None
        self.at = float("-inf")
        self.behind = Behind()
        self.ticket: str | None = None
        """The last request to fill its copy anew, as its link knows it."""
        self._blocked: Cause | None = None
        self._marking: asyncio.Task[None] | None = None
        self._marked_at = float("-inf")

    @property
    def due(self) -> float:
        """The monotonic time from which on its references are read again."""
        well = self.problem is None and self.site.health.verdict is Verdict.UP
        return self.at + (PERIOD if well else SOON)

    def view(self, source: SiteRuntime) -> FollowerView:
        """What is seen of it now."""
        return FollowerView(self.follower, self.site.view(), self._link(source), self.problem or self._blocked)

    def _link(self, source: SiteRuntime) -> LinkReport | None:
        worker = self.links.worker or self.links.last
        if worker is None:
            return None
        report = LinkReport.of(worker.report)
        if report.reason is None or not report.message:
            return report
        end, reason = of_link(report.reason)
        place = (source if end == "source" else self.site).link_place
        return replace(report, message=explain(reason, report.message, place))

    def renew(self, known: str | None) -> None:
        """Ask for its copy to be filled anew, unless that was asked for and has not begun; `known` has begun last."""
        if self.ticket in (None, known):
            self.ticket = str(time.time_ns())
            log.info("the copy of %s is to be filled anew", self.follower.name)

    def settle(self, link: LinkReport | None) -> None:
        """Forget a request that is carried out, or whose copy is gone: it was for that copy, and for no other one."""
        if link is None or self.ticket is None:
            return
        done = (link.state, link.reseed) == ("streaming", self.ticket)
        if done or (link.state, link.reason) == ("failed", "LinkMissing"):
            self.ticket = None

    def mark(self, dr: str, epoch: int | None) -> None:
        """Write its site node, beside everything else; not again within `RETRY_PAUSE` of the last time.

        Without an epoch it stands there as it should: what an attempt was refused with is over.
        """
        if epoch is None:
            self._blocked = None
            return
        db, now = self.site.db, time.monotonic()
        busy = self._marking is not None and not self._marking.done()
        if db is None or busy or now - self._marked_at < RETRY_PAUSE:
            return
        self._marked_at = now
        self._marking = asyncio.create_task(self._mark(db, dr, epoch), name=f"mark-{self.follower.name}")

    async def _mark(self, db: AsyncDatabase, dr: str, epoch: int) -> None:
        try:
            async with asyncio.timeout(MARK_TIMEOUT):
                await enable_change_capture(db, MARK_TIMEOUT)
                await sites.mark_follower(db, dr, self.follower.name, epoch, MARK_TIMEOUT)
            self._blocked = None
            self.site.soon()
        except TimeoutError:
            log.warning("the mark of %s was not written in time", self.follower.name)
        except DrError as error:
            self._blocked = error.reason, explain(error.reason, error.message, self.site.place)
            log.warning("the mark of %s was not written: %s: %s", self.follower.name, error.reason, error)
        except Exception:  # the boundary of one action: a mistake of ours must not end the follower's part for good
            log.exception("the mark of %s", self.follower.name)
        self._changed()

    async def close(self) -> None:
        """Stop its link and its probes. No data is touched (P7)."""
        if self._marking is not None:
            self._marking.cancel()
            await asyncio.gather(self._marking, return_exceptions=True)
        await self.links.close()
        await self.site.close()


class Followers:
    """All followers of one resource; without `secondaryClusters` there are none."""

    def __init__(
        self,
        sources: Sources,
        cluster: Callable[[str, str], Body | None],
        dr: tuple[str, str],
        pair: Mapping[Site, SiteRuntime],
        metrics: ResourceMetrics,
        changed: Callable[[], None],
    ) -> None:
        """`cluster` gives a cluster's body as last seen; `dr` is the resource's namespace and name."""
        self._sources, self._cluster, self._pair = sources, cluster, pair
        self._namespace, self._dr = dr[0], "/".join(dr)
        self._metrics, self._changed = metrics, changed
        self._runtimes: dict[str, _Runtime] = {}
        self._ending: list[_Runtime] = []
        self.held: Callable[[str, str], str | None] = lambda _, __: None
        """The restore that holds a cluster, by namespace and name."""
        self._spec: DisasterRecoverySpec | None = None

    @property
    def due(self) -> float:
        """The monotonic time from which on `follow` reads again."""
        return min((runtime.due for runtime in self._runtimes.values()), default=float("inf"))

    async def follow(self, spec: DisasterRecoverySpec, layout: Layout | None) -> list[tuple[Body, ClusterSpec]]:
        """Begin and end followers as the layout has them; follow their references now and then. Raises KubernetesError.

        One that has another source or cluster than before is ended and begun anew: what its database says decides.
        Gives the clusters of those that are ended for good.
        """
        ended = await self._lay_out(layout.followers if layout is not None else ())
        for runtime in self._runtimes.values():
            await self._refer(spec, runtime, again=spec != self._spec)
        self._spec = spec
        return ended

    async def _lay_out(self, wanted: Sequence[Follower]) -> list[tuple[Body, ClusterSpec]]:
        """The new runtimes are in their places before any old one is awaited: probes look at all of them meanwhile."""
        before, names = self._runtimes, {follower.name for follower in wanted}
        self._runtimes = {}
        for follower in wanted:
            had = before.get(follower.name)
            kept = had is not None and had.follower == follower
            self._runtimes[follower.name] = had if had is not None and kept else self._begun(follower)
        self._ending += [each for name, each in before.items() if self._runtimes.get(name) is not each]
        ended = []
        while self._ending:
            runtime = self._ending[0]
            await runtime.close()
            self._ending.pop(0)
            if runtime.follower.name not in names:
                self._metrics.forget_standby(runtime.follower.name)
                if runtime.cluster is not None:
                    ended.append(runtime.cluster)
        return ended

    def _begun(self, follower: Follower) -> _Runtime:
        return _Runtime(follower, self._changed, self._failed(follower.name))

    def _failed(self, name: str) -> Callable[[], None]:
        return lambda: self._metrics.failed_probe(name)

    async def _refer(self, spec: DisasterRecoverySpec, runtime: _Runtime, *, again: bool) -> None:
        body = self._cluster(self._namespace, runtime.follower.standby.cluster)
        version = None if body is None else (body["metadata"].get("uid"), body["metadata"].get("generation"))
        if time.monotonic() < runtime.due and version == runtime.version and not again:
            return
        runtime.at, runtime.version = time.monotonic(), version
        try:
            await self._resolve(spec, runtime, body)
            runtime.problem = None
        except ValidationError:
            runtime.problem = "InvalidSpec", f"{runtime.follower.standby.cluster} has a spec that cannot be read"
        except KubernetesError:
            raise
        except DrError as error:
            runtime.problem = error.reason, error.message

    async def _resolve(self, spec: DisasterRecoverySpec, runtime: _Runtime, body: Body | None) -> None:
        name, standby = runtime.follower.standby.cluster, runtime.follower.standby
        if body is None:
            try:
                body = await self._sources.get(GROUP, VERSION, CLUSTER.plural, self._namespace, name)
            except NotFound as error:
                raise Unresolved(
                    f"spec.secondaryClusters: {standby.name} names {name}, which does not exist in {self._namespace}: "
                    "create it"
                ) from error
        own = ClusterSpec.read(body.get("spec") or {})
        runtime.cluster = body, own
        part = own.disaster_recovery
        if not part.enabled:
            raise Disagreement("DisasterRecoveryDisabled", f"{name} takes no part: {_ENABLE}")
        if None not in (standby.region, part.region) and standby.region != part.region:
            raise Disagreement(
                "RegionMismatch",
                f"spec.secondaryClusters: {standby.name} is in {standby.region}, but {name} says "
                f"spec.disasterRecovery.region: {part.region}",
            )
        known = runtime.site.mark is not None and runtime.site.mark.role != "absent"
        if part.role == "primary" and not known:
            raise Disagreement("RoleMismatch", f"{name} says spec.disasterRecovery.role: primary; {_SECONDARY}")
        await self._point(spec, runtime, own)

    async def _point(self, spec: DisasterRecoverySpec, runtime: _Runtime, own: ClusterSpec) -> None:
        site, check = runtime.site, spec.failover.health_check
        site.interval, site.timeout, site.failures = (
            check.interval.seconds,
            check.timeout.seconds,
            check.consecutive_failures,
        )
        name = runtime.follower.standby.cluster
        try:
            found = await resolve_follower(self._sources, self._namespace, name, own, spec)
            await site.point(found)
        except PlainBoltRefused:
            await site.part()
            raise
        except DatabaseError as error:
            raise Disagreement(error.reason, explain(error.reason, error.message, found.place)) from error

    def look(self, at: Moment) -> list[Stood]:
        """Where each stands, sources before those who follow them."""
        known: dict[str, Source] = {site: source_site(site, at.state, at.seen, at.lag) for site in SITES}
        found = []
        for name, runtime in self._runtimes.items():
            view = runtime.view(self._runtime_of(runtime.follower.source))
            standing = stand(view, known[runtime.follower.source], at, self._dr)
            known[name] = source_follower(view, standing)
            found.append(Stood(view, standing, runtime.cluster, runtime.site.place.address))
        return found

    def _runtime_of(self, source: str) -> SiteRuntime:
        for site, runtime in self._pair.items():
            if site == source:
                return runtime
        return self._runtimes[source].site

    def act(self, found: Sequence[Stood], epoch: int) -> None:
        """Bring marks and links to what `look` found; the gauges with them."""
        self.measure(found)
        for each in found:
            runtime = self._runtimes.get(each.follower.name)
            if runtime is None or self._spec is None:
                continue
            standing = each.standing
            runtime.mark(self._dr, epoch if standing.mark else None)
            source = self._runtime_of(each.follower.source).link_endpoint
            runtime.settle(each.view.link)
            if standing.renew and each.view.link is not None:
                runtime.renew(each.view.link.reseed)
            config = follower_config(each.follower.link, source, runtime.site.link_endpoint, self._spec, runtime.ticket)
            runtime.links.want(config if standing.run and not self._kept_from(runtime) else None)

    def measure(self, found: Sequence[Stood]) -> None:
        """Set the gauges to what `look` found."""
        for each in found:
            name, link, runtime = each.follower.name, each.view.link, self._runtimes.get(each.follower.name)
            if runtime is None:
                continue
            runtime.behind.take(each.standing.lag, link.heartbeat if link is not None else None)
            self._metrics.standby(name, runtime.behind, each.standing.ready)
            self._metrics.health(name, each.view.site.verdict is Verdict.UP)

    def _ends(self, runtime: _Runtime) -> tuple[str, str]:
        """The clusters that its link runs between."""
        source = runtime.follower.source
        for site in SITES:
            if site == source and self._spec is not None:
                return self._spec.cluster_of(site), runtime.follower.standby.cluster
        other = self._runtimes.get(source)
        return other.follower.standby.cluster if other is not None else "", runtime.follower.standby.cluster

    def _kept_from(self, runtime: _Runtime) -> bool:
        return any(self.held(self._namespace, cluster) for cluster in self._ends(runtime))

    def stand_aside(self) -> None:
        """End every link with a held cluster at one of its ends."""
        for runtime in self._runtimes.values():
            if self._kept_from(runtime):
                runtime.links.want(None)

    def stands_aside(self, cluster: str) -> bool:
        """Whether no link runs into or out of a cluster."""
        running = [each for each in (*self._runtimes.values(), *self._ending) if not each.links.stopped]
        return all(cluster not in self._ends(runtime) for runtime in running)

    async def close(self) -> None:
        """End all of them."""
        for runtime in (*self._runtimes.values(), *self._ending):
            await runtime.close()
            self._metrics.forget_standby(runtime.follower.name)


def essence(found: Sequence[Stood]) -> object:
    """What was found without what changes with every report: two equal ones lead to the same status at rest."""
    return [replace(each.standing, lag=None) for each in found]


def acquainted(found: Sequence[Stood]) -> bool:
    """Whether enough has been seen of each to tell something."""
    return all(
        each.view.problem is not None
        or (
            each.view.site.verdict is not Verdict.UNKNOWN
            and (not each.standing.run or (each.view.link is not None and each.view.link.state not in _BEGINNING))
        )
        for each in found
    )


_BEGINNING = ("starting", "attaching")
_ENABLE = "set its spec.disasterRecovery.enabled: true"
_SECONDARY = "one of spec.secondaryClusters must be secondary"
