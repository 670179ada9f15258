"""What a resource refers to, followed: its clusters, their Secrets, the witness."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.kinds import CLUSTER
from neo4j_dr_operator.api.support import RECOVERY, support
from neo4j_dr_operator.cluster.endpoint import PlainBoltRefused, Secrets, Unresolved, resolve, resolve_s3
from neo4j_dr_operator.errors import DatabaseError, DrError, NotFound, ObjectStoreError
from neo4j_dr_operator.failover.keeper import WitnessKeeper
from neo4j_dr_operator.failover.state import SITES, Site
from neo4j_dr_operator.failover.view import ShippingView
from neo4j_dr_operator.health.advice import explain
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.objectstore.s3 import S3, S3Address
from neo4j_dr_operator.recovery.desired import Body
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.reporting.objectives import Objectives


class Disagreement(DrError):
    """The resource and one of its clusters say different things, or something that cannot be used."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason  # type: ignore[misc]


Clusters = Mapping[Site, tuple[Body, ClusterSpec]]

PERIOD = 60.0
"""Seconds after which Secrets are read again while everything answers, so that rotated credentials are taken up."""
SOON, LATER = 3.0, 15.0
"""The same while something does not, as it may have been mended meanwhile: at first, and after `PATIENCE` times."""
PATIENCE = 100


class Sources(Secrets, Protocol):
    """Where Secrets and clusters are read; `kube.client.Kube` in the operator."""

    async def get(self, group: str, version: str, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """The object as it is now. Raises NotFound."""
        ...


class References:
    """Points the two sites and the witness of one resource at what its spec names."""

    def __init__(
        self,
        sources: Sources,
        cluster: Callable[[str, str], Body | None],
        dr: tuple[str, str],
        operator: str,
        sites: Mapping[Site, SiteRuntime],
    ) -> None:
        """`cluster` gives a cluster's body as last seen, by namespace and name; `dr` is the resource's."""
        self.keeper: WitnessKeeper | None = None
        """The witness that is referred to, None without one."""
        self.problems: dict[str, tuple[str, str]] = {}
        """What cannot be followed: a site or the witness, with a reason and a sentence."""
        self.archive: S3Address | None = None
        """Where transactions are shipped to, None without log shipping."""
        self.archive_problem: tuple[str, str] | None = None
        """Why the archive cannot be reached at all: a reason and a sentence."""
        self.backups: S3Address | None = None
        """Where snapshots go, None where `spec.backup` names no destination."""
        self.backups_problem: tuple[str, str] | None = None
        """Why that cannot be reached at all: a reason and a sentence."""
        self.archive_refused = False
        """Whether the shipper is in trouble: its credentials may have been mended meanwhile."""
        self._sources, self._cluster, self._operator, self._sites = sources, cluster, operator, sites
        self._namespace, self._name = dr
        self._s3: tuple[S3Address, S3] | None = None
        self._spec: DisasterRecoverySpec | None = None
        self._at, self._vain = float("-inf"), 0
        self._generations: dict[str, object] = {}

    @property
    def due(self) -> float:
        """The monotonic time from which on `follow` reads again."""
        if self._answered():
            return self._at + PERIOD
        return self._at + (SOON if self._vain < PATIENCE else LATER)

    def _answered(self) -> bool:
        """Whether nothing that is referred to refuses, or fails to answer."""
        silent = self.keeper is not None and not self.keeper.view().reachable
        return (
            not self.problems
            and not silent
            and self.archive_problem is None
            and self.backups_problem is None
            and not self.archive_refused
            and all(runtime.health.verdict is Verdict.UP for runtime in self._sites.values())
        )

    def objectives(
        self, spec: DisasterRecoverySpec, lag: float | None, shipping: ShippingView | None, now: float
    ) -> Objectives:
        """What a spec asks for beside replication, and what is seen of it; times in seconds, `now` since 1970."""
        self.archive_refused = shipping is not None and shipping.reason is not None
        wanted, archive = spec.replication.log_shipping, self.archive
        return Objectives(
            support=support(spec, RECOVERY),
            rpo=spec.failover.rpo.seconds if spec.failover.rpo is not None else None,
            lag=lag,
            ship_every=wanted.interval.seconds if wanted.enabled else None,
            archive=f"s3://{archive.bucket}/{archive.key(f'{self._namespace}/{self._name}')}" if archive else "",
            shipping=shipping,
            ship_problem=self.archive_problem,
            now=now,
        )

    def changed(self, name: str, body: Body) -> None:
        """A cluster was seen anew: with another spec it is followed at once; a status refers to nothing."""
        version = (body["metadata"].get("uid"), body["metadata"].get("generation"))
        if version != self._generations.get(name):
            self._generations[name] = version
            self._at = float("-inf")

    async def clusters(self, spec: DisasterRecoverySpec, *, first: bool) -> Clusters:
        """Both clusters as last seen, asked for where none was: an event may be on its way.

        Raises Unresolved for one that is not there, Disagreement for one at odds. `first`: no epoch is known yet, so
        that the roles in the specs still count.
        """
        found: dict[Site, tuple[Body, ClusterSpec]] = {}
        for site in SITES:
            name = spec.cluster_of(site)
            body = self._cluster(self._namespace, name)
            if body is None:
                body = await self._ask(spec, site, name)
            try:
                cluster = ClusterSpec.read(body.get("spec") or {})
            except ValidationError as error:
                wrong = f"{_field(spec, site)} names {name}, whose own spec.{first_error(error)}"
                raise Disagreement("InvalidSpec", wrong) from error
            _agree(spec, site, name, cluster, first=first)
            found[site] = (body, cluster)
        return found

    async def _ask(self, spec: DisasterRecoverySpec, site: Site, name: str) -> Body:
        try:
            return await self._sources.get(GROUP, VERSION, CLUSTER.plural, self._namespace, name)
        except NotFound as error:
            raise Unresolved(
                f"{_field(spec, site)} names {name}, which does not exist in {self._namespace}: create it"
            ) from error

    async def follow(self, spec: DisasterRecoverySpec, clusters: Clusters) -> None:
        """Follow them now and then, and when the spec changed; what was had before stays until it was read anew.

        What cannot be followed is kept in `problems`, and what can is. Raises KubernetesError.
        """
        if time.monotonic() < self.due and spec == self._spec:
            return
        specs = {site: cluster for site, (_, cluster) in clusters.items()}
        for site, runtime in self._sites.items():
            await self._follow_site(spec, specs, site, runtime)
        with self._noting("witness"):
            await self._follow_witness(spec)
        await self._follow_archive(spec)
        await self._follow_backups(spec)
        self._spec, self._at = spec, time.monotonic()
        self._vain = 0 if self._answered() else self._vain + 1

    async def _follow_site(
        self, spec: DisasterRecoverySpec, specs: Mapping[Site, ClusterSpec], site: Site, runtime: SiteRuntime
    ) -> None:
        """A site that cannot be resolved keeps what it had; one whose address is refused is let go of."""
        check = spec.failover.health_check
        runtime.interval, runtime.timeout = check.interval.seconds, check.timeout.seconds
        runtime.failures = check.consecutive_failures
        with self._noting(site):
            try:
                found = await resolve(self._sources, self._namespace, site, specs, spec)
                await runtime.point(found)
            except PlainBoltRefused:
                await runtime.part()
                raise
            except DatabaseError as error:
                raise Disagreement(error.reason, explain(error.reason, error.message, found.place)) from error

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Inside, what cannot be followed is noted under `what` instead of being raised; success forgets it."""
        try:
            yield
            self.problems.pop(what, None)
        except (Unresolved, PlainBoltRefused, Disagreement, ObjectStoreError) as error:
            self.problems[what] = (error.reason, error.message)

    async def _follow_witness(self, spec: DisasterRecoverySpec) -> None:
        location = spec.witness
        if location is None:
            self._s3 = self.keeper = None
            return
        address = await resolve_s3(self._sources, self._namespace, location)
        if self._s3 is not None and self._s3[0] == address:
            return
        timeout = min(5.0, max(1.0, spec.failover.health_check.timeout.seconds / 2))
        self._s3 = (address, S3(address, timeout))
        self.keeper = WitnessKeeper(self._s3[1], f"{self._namespace}/{self._name}", self._operator)

    async def _follow_archive(self, spec: DisasterRecoverySpec) -> None:
        """What is wrong with the archive is told by a condition of its own; replication goes on without it."""
        location = spec.replication.log_shipping.destination if spec.replication.log_shipping.enabled else None
        self.archive_problem = None
        try:
            self.archive = await resolve_s3(self._sources, self._namespace, location) if location is not None else None
        except Unresolved as error:
            self.archive_problem = (error.reason, f"spec.replication.logShipping.destination: {error.message}")

    async def _follow_backups(self, spec: DisasterRecoverySpec) -> None:
        location, self.backups_problem = spec.backup.destination, None
        try:
            self.backups = await resolve_s3(self._sources, self._namespace, location) if location is not None else None
        except Unresolved as error:
            self.backups_problem = (error.reason, f"spec.backup.destination: {error.message}")


def first_error(error: ValidationError) -> str:
    """The first wrong field below `spec` with what is allowed; values are left out, they may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _field(spec: DisasterRecoverySpec, site: Site) -> str:
    several = site == "secondary" and spec.secondary_clusters is not None
    return "spec.secondaryClusters" if several else f"spec.{site}ClusterRef"


def _region_field(spec: DisasterRecoverySpec, site: Site) -> str:
    """The field that a site's region stands in."""
    if site == "secondary" and spec.secondary_clusters is not None:
        return "the region in spec.secondaryClusters"
    named = site == "secondary" or spec.replication.topology is None
    return f"spec.crossRegion.{site}Region" if named else "spec.replication.topology.primary"


def _agree(spec: DisasterRecoverySpec, site: Site, name: str, cluster: ClusterSpec, *, first: bool) -> None:
    own, region = cluster.disaster_recovery, spec.region_of(site)
    if not own.enabled:
        raise Disagreement(
            "DisasterRecoveryDisabled",
            f"{_field(spec, site)} names {name}, which takes no part: set its spec.disasterRecovery.enabled: true",
        )
    if region is not None and own.region is not None and region != own.region:
        raise Disagreement(
            "RegionMismatch",
            f"{_region_field(spec, site)} is {region}, but {name} says spec.disasterRecovery.region: {own.region}",
        )
    if first and own.role is not None and own.role != site:
        raise Disagreement(
            "RoleMismatch",
            f"{_field(spec, site)} names {name}, which says spec.disasterRecovery.role: {own.role}; to begin with "
            f"it must be {site}",
        )
