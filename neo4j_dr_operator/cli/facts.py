"""What a resource and its clusters say, as plain values: the one place that knows the names of their fields. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from neo4j_dr_operator.cli import raw
from neo4j_dr_operator.cli.raw import Document

SITES = ("primary", "secondary")
STEPS: dict[str, tuple[str, ...]] = {
    "switchover": ("Requested", "ReadOnly", "Fencing", "Draining", "Promoting", "Verifying", "Active"),
    "emergency": ("Requested", "Fencing", "Draining", "Promoting", "Verifying", "Active"),
    "failover": ("Detected", "Confirmed", "Fencing", "Draining", "Promoting", "Verifying", "Active"),
}
"""The steps of each kind of change, in order."""
NO_REQUEST = "counts no more"
"""What is said of a value that was there from the beginning, that was accepted, or that is applied again."""


@dataclass(frozen=True)
class Snapshot:
    """One resource and the clusters it names, as read. `absent`: clusters that could not be read, and why."""

    recovery: Document
    clusters: Mapping[str, Document] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """One condition as it stands in the status."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True)
class Site:
    """One site: its cluster, what the probes say of it and where it is reached."""

    name: str
    cluster: str
    region: str | None
    role: Literal["active", "standby", "unknown"]
    verdict: str = "UNKNOWN"
    evidence: str | None = None
    since: datetime | None = None
    address: str | None = None
    source: str | None = None
    encrypted: bool | None = None
    read_only: Condition | None = None
    absent: str | None = None


@dataclass(frozen=True)
class Seed:
    """How far a first copy is. The ends are internal ids, so the share is close, not exact."""

    nodes: float
    nodes_end: float
    rels: float
    rels_end: float

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        end = self.nodes_end + self.rels_end
        return min(1.0, (min(self.nodes, self.nodes_end) + min(self.rels, self.rels_end)) / end) if end else 0.0


@dataclass(frozen=True)
class Link:
    """Replication towards one site; lag in seconds and in transactions, None where it is not known."""

    site: str
    state: str
    lag_seconds: float | None
    lag_transactions: float | None
    position: str | None
    seed: Seed | None
    message: str | None
    source: str | None = None
    """Whom it follows, where that is not the active site."""


@dataclass(frozen=True)
class Change:
    """A switchover or failover, over (`result` set) or under way; losses are None until they have been counted."""

    kind: str
    epoch: int | None
    source: str | None
    target: str | None
    result: str | None = None
    reason: str | None = None
    started: datetime | None = None
    duration: float | None = None
    steps: tuple[tuple[str, datetime | None], ...] = ()
    fenced_by: str | None = None
    drained: float | None = None
    drain_problem: str | None = None
    lost_transactions: float | None = None
    lost_seconds: float | None = None
    within_rto: bool | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What stands in a spec as a request. `handled`: how it ended, or why it is none; None: it is taken up next."""

    field: str
    value: str
    handled: str | None = None


@dataclass(frozen=True)
class Facts:
    """All that is shown of one resource."""

    namespace: str
    name: str
    spec: Document
    status: Document
    generation: int | None
    observed: int | None
    deleting: bool
    created: datetime | None
    written: datetime | None
    phase: str
    epoch: int | None
    message: str | None
    active: str | None
    active_cluster: str | None
    sites: tuple[Site, ...]
    """The active one first."""
    links: tuple[Link, ...]
    """Of the pair."""
    followers: tuple[Link, ...]
    """Of the standbys that only follow."""
    conditions: tuple[Condition, ...]
    operation: Change | None
    history: tuple[Change, ...]
    requests: tuple[Request, ...]
    not_supported: tuple[str, ...]

    @property
    def unseen(self) -> bool:
        """Whether no operator has written a status yet."""
        return not self.conditions and raw.text(self.status, "phase") is None

    @property
    def behind(self) -> bool:
        """Whether the status speaks of an older spec than the one that is stored."""
        return self.generation is not None and self.observed is not None and self.observed < self.generation

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type."""
        return next((condition for condition in self.conditions if condition.type == type_), None)

    def site(self, name: str | None) -> Site | None:
        """The site of that name."""
        return next((site for site in self.sites if site.name == name), None)

    @property
    def standbys(self) -> tuple[Site, ...]:
        """The sites that are not active, once one is; standbys that only follow are none."""
        return tuple(site for site in self.sites if site.role == "standby" and site.name in SITES)


def cluster_names(recovery: Document) -> list[str]:
    """The clusters that a resource names, in order, each once."""
    return list(dict.fromkeys(cluster for _, cluster, _ in _places(recovery)))


def facts_of(snapshot: Snapshot) -> Facts:
    """Read a snapshot. Fields that are absent or unreadable are left out, never an error."""
    recovery = snapshot.recovery
    meta, spec, status = (raw.part(recovery, name) for name in ("metadata", "spec", "status"))
    active = raw.text(status, "activeSite")
    sites = [_site(place, snapshot, status, active) for place in _places(recovery)]
    history = [_recorded(item) for item in raw.items(status, "failover", "history")]
    return Facts(
        namespace=raw.text(meta, "namespace") or "",
        name=raw.text(meta, "name") or "",
        spec=spec,
        status=status,
        generation=raw.whole(meta, "generation"),
        observed=raw.whole(status, "observedGeneration"),
        deleting=raw.text(meta, "deletionTimestamp") is not None,
        created=raw.instant(meta, "creationTimestamp"),
        written=_status_written(meta),
        phase=raw.text(status, "phase") or "Unknown",
        epoch=raw.whole(status, "epoch"),
        message=raw.text(status, "message"),
        active=active,
        active_cluster=raw.text(status, "activeCluster"),
        sites=tuple(sorted(sites, key=lambda site: site.role != "active")),
        links=tuple(_link(item) for item in raw.items(status, "replication")),
        followers=tuple(_follower(item) for item in raw.items(status, "secondaryClusters") if _followed(item)),
        conditions=_conditions(status),
        operation=_running(status, history),
        history=tuple(change for change in history if change.result is not None),
        requests=_requests(snapshot, spec, status),
        not_supported=_not_supported(snapshot, status),
    )


def _places(recovery: Document) -> list[tuple[str, str, str | None]]:
    """Name, cluster and region of every site in the spec; what a named standby leaves out is in the status."""
    spec, found = raw.part(recovery, "spec"), []
    for site in SITES:
        cluster = raw.text(spec, f"{site}ClusterRef")
        if cluster is not None:
            found.append((site, cluster, raw.text(spec, "crossRegion", f"{site}Region")))
    known = {raw.text(item, "name"): item for item in raw.items(recovery, "status", "secondaryClusters")}
    for item in raw.items(spec, "secondaryClusters"):
        name = raw.text(item, "name")
        inherited = known.get(name, {})
        cluster = raw.text(inherited, "clusterRef") or raw.text(item, "clusterRef")
        if name is not None and cluster is not None and cluster not in [place[1] for place in found]:
            region = raw.text(item, "region") or raw.text(inherited, "region")
            found.append((raw.text(inherited, "site") or name, cluster, region))
    return found


def _site(place: tuple[str, str, str | None], snapshot: Snapshot, status: Document, active: str | None) -> Site:
    name, cluster, region = place
    body = snapshot.clusters.get(cluster, {})
    health = _of_site(raw.items(status, "health"), name)
    endpoint = _of_site(raw.items(status, "endpoints"), name)
    addresses = (
        raw.text(endpoint, "address"),
        raw.text(health, "address"),
        raw.text(body, "status", "address"),
        raw.text(body, "spec", "external", "uri"),
    )
    if name not in SITES:
        health = {**_of_cluster(body), **health}
    return Site(
        name=name,
        cluster=cluster,
        region=region or raw.text(body, "spec", "disasterRecovery", "region"),
        role="unknown" if active is None else "active" if name == active else "standby",
        verdict=raw.text(health, "verdict") or "UNKNOWN",
        evidence=raw.text(health, "evidence"),
        since=raw.instant(health, "since"),
        address=next((address for address in addresses if address), None),
        source=raw.text(endpoint, "source"),
        encrypted=raw.flag(endpoint, "encrypted"),
        read_only=next((c for c in _conditions(raw.part(body, "status")) if c.type == "ReadOnly"), None),
        absent=snapshot.absent.get(cluster),
    )


def _of_site(entries: list[Document], site: str) -> Document:
    return next((entry for entry in entries if entry.get("site") == site), {})


def _of_cluster(body: Document) -> Document:
    """The health of a standby that only follows, as its own cluster tells it."""
    ready = next((c for c in _conditions(raw.part(body, "status")) if c.type == "Ready"), None)
    if ready is None or ready.status == "Unknown":
        return {}
    return {"verdict": "UP" if ready.status == "True" else "DEGRADED", "evidence": ready.message}


def _followed(item: Document) -> bool:
    return raw.text(item, "site") is None and raw.text(item, "state") is not None


def _follower(item: Document) -> Link:
    link = _link({**item, "site": raw.text(item, "name")})
    trouble = None if raw.flag(item, "failoverReady") else f"{raw.text(item, 'reason')}: {link.message or '-'}"
    return replace(link, source=raw.text(item, "source"), message=trouble)


def _link(item: Document) -> Link:
    seed = raw.part(item, "seed")

    def so_far(key: str) -> float:
        return max(0.0, raw.number(seed, key) or 0.0)

    return Link(
        site=raw.text(item, "site") or "unknown",
        state=raw.text(item, "state") or "unknown",
        lag_seconds=raw.number(item, "lagSeconds"),
        lag_transactions=raw.number(item, "lagTransactions"),
        position=raw.text(item, "position"),
        seed=Seed(*(so_far(key) for key in ("nodes", "nodesEnd", "rels", "relsEnd"))) if seed else None,
        message=raw.text(item, "message"),
    )


def _conditions(status: Document) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=raw.text(item, "type") or "unknown",
            status=raw.text(item, "status") or "Unknown",
            reason=raw.text(item, "reason") or "",
            message=raw.text(item, "message") or "",
            since=raw.instant(item, "lastTransitionTime"),
        )
        for item in raw.items(status, "conditions")
    )


def _recorded(item: Document) -> Change:
    return Change(
        kind=raw.text(item, "kind") or "failover",
        epoch=raw.whole(item, "epoch"),
        source=raw.text(item, "from"),
        target=raw.text(item, "to"),
        result=raw.text(item, "result"),
        reason=raw.text(item, "reason"),
        started=raw.instant(item, "startedAt"),
        duration=raw.number(item, "durationSeconds"),
        steps=_steps(item, raw.instant),
        fenced_by=raw.text(item, "fencedBy"),
        drained=raw.number(item, "drainedFromArchive"),
        drain_problem=raw.text(item, "drainProblem"),
        lost_transactions=raw.number(item, "lostTransactions"),
        lost_seconds=raw.number(item, "lostSeconds"),
        within_rto=raw.flag(item, "withinRTO"),
        evidence=tuple(raw.texts(item, "evidence")),
    )


def _running(status: Document, history: list[Change]) -> Change | None:
    """The change under way: the history's entry without a result, else what the operator keeps for itself.

    `status.control` is no contract, so nothing but this view rests on it: without it phase and `Ready` name the step.
    """
    unfinished = [change for change in history if change.result is None]
    if unfinished:
        return unfinished[-1]
    item = raw.part(status, "control", "operation")
    if not item:
        return None
    steps = _steps(item, raw.moment)
    return Change(
        kind=raw.text(item, "kind") or "failover",
        epoch=raw.whole(item, "epoch"),
        source=raw.text(item, "source"),
        target=raw.text(item, "target"),
        started=steps[0][1] if steps else None,
        steps=steps,
        fenced_by=raw.text(item, "fencedBy"),
        evidence=tuple(raw.texts(item, "evidence")),
    )


def _steps(item: Document, read: Callable[..., datetime | None]) -> tuple[tuple[str, datetime | None], ...]:
    return tuple((raw.text(step, "name") or "unknown", read(step, "at")) for step in raw.items(item, "steps"))


def _requests(snapshot: Snapshot, spec: Document, status: Document) -> tuple[Request, ...]:
    failover = raw.part(status, "failover")
    last, values = raw.part(failover, "lastHandled"), raw.part(failover, "remembered")
    target, direction = raw.text(spec, "failover", "target"), raw.text(spec, "sync", "direction")
    emergency = raw.flag(spec, "failover", "emergency")
    found = []
    if target is not None:
        same = raw.text(last, "target") == target and bool(raw.flag(last, "emergency")) == bool(emergency)
        value = f"{target} (emergency)" if emergency else target
        ended = (raw.text(last, "result") or "carried out") if same else NO_REQUEST
        if "remembered" in failover:
            same = target == raw.text(values, "targetDeclared") or (
                target == raw.text(values, "target") and (not emergency or raw.flag(values, "emergency") is True)
            )
        found.append(Request("failover.target", value, ended if same else None))
    elif emergency:
        found.append(Request("failover.emergency", "true", "counts only together with failover.target"))
    if direction is not None:
        known = direction in (raw.text(values, "direction"), raw.text(values, "directionDeclared"))
        found.append(Request("sync.direction", direction, NO_REQUEST if known else None))
    for name, body in snapshot.clusters.items():
        if raw.flag(body, "spec", "readOnly"):
            shown = next((c for c in _conditions(raw.part(body, "status")) if c.type == "ReadOnly"), None)
            done = shown is not None and (
                shown.status == "True" or shown.reason in ("SupersededByPromotion", "Standby")
            )
            found.append(Request(f"{name}: readOnly", "true", shown.reason if done and shown else None))
    return tuple(found)


def _not_supported(snapshot: Snapshot, status: Document) -> tuple[str, ...]:
    own = [f"spec.{name.removeprefix('spec.')}" for name in raw.texts(status, "notYetSupported")]
    for cluster, body in snapshot.clusters.items():
        fields = raw.texts(body, "status", "notYetSupported")
        own += [f"{cluster}: spec.{name.removeprefix('spec.')}" for name in fields]
    return tuple(own)


def _status_written(meta: Document) -> datetime | None:
    """When a status was last written, from the API server's own book of who owns which field."""
    times = [raw.instant(item, "time") for item in raw.items(meta, "managedFields") if item.get("subresource")]
    return max((time for time in times if time is not None), default=None)
