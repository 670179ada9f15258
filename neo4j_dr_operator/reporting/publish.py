"""The status documents of a resource and of its two clusters, built from state and sight. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.conditions import Condition, set_condition
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.support import CLUSTER, support
from neo4j_dr_operator.failover.requests import read_only_wanted
from neo4j_dr_operator.failover.state import ControlState, Site
from neo4j_dr_operator.failover.view import Desired, Requested, Seen
from neo4j_dr_operator.graph.retention import Headroom
from neo4j_dr_operator.health.advice import Place
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.reporting import report
from neo4j_dr_operator.reporting.causes import Cause, of_site, refused
from neo4j_dr_operator.reporting.claim import Claim
from neo4j_dr_operator.reporting.figures import figures, filling, remembering
from neo4j_dr_operator.reporting.objectives import Objectives

OPEN_STANDBY = "a standby takes the replicator's writes; it has no commit guard that would refuse only clients"
"""Why the database of a standby is not read-only."""


@dataclass(frozen=True)
class Context:
    """What a status needs besides state and sight; times are wall seconds. `regions`: as the clusters say."""

    generation: int
    wall: float
    why: str
    lag: float | None
    link_report: Mapping[str, Any]
    since: dict[Site, float]
    places: Mapping[Site, Place]
    objectives: Objectives
    backup: Mapping[str, Any] | None = None
    recovery: Mapping[str, Any] = field(default_factory=dict)
    regions: Mapping[Site, str | None] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[Site, str]:
        """The address of each site that has one."""
        return {site: place.address for site, place in self.places.items() if place.address}


def merge_conditions(
    stored: list[Mapping[str, Any]], claims: list[Claim], generation: int, wall: float
) -> list[dict[str, Any]]:
    """Stored conditions brought to what is claimed now; transition times move only with the status."""
    conditions = [Condition.read(item) for item in stored]
    now = datetime.fromtimestamp(wall, UTC)
    for claim in claims:
        status: Any = claim.status
        conditions = set_condition(conditions, claim.type, status, claim.reason, claim.message[:1024], generation, now)
    return [condition.wire(drop_none=True) for condition in conditions]


def recovery_status(
    state: ControlState,
    desired: Desired,
    seen: Seen,
    stored: Mapping[str, Any],
    context: Context,
    spec: DisasterRecoverySpec,
) -> dict[str, Any]:
    """The whole status of a disaster recovery resource, `control` included; `spec` as that of its pair."""
    known = state.epoch > 0
    claims = report.conditions(state, desired, seen, context.why, context.objectives)
    rto = spec.failover.rto.seconds if spec.failover.rto is not None else None
    link = {**_replication(state, seen, context), "cluster": spec.cluster_of(state.standby_site)}
    return {
        "phase": report.phase(state, seen),
        "activeSite": state.active if known else None,
        "activeCluster": spec.cluster_of(state.active) if known else None,
        "activeRegion": (spec.region_of(state.active) or context.regions.get(state.active)) if known else None,
        "epoch": state.epoch if known else None,
        "message": context.why,
        "observedGeneration": context.generation,
        "replication": remembering([link], stored.get("replication"), "site") if known else [],
        "health": report.health_items(seen, context.since, context.addresses),
        "endpoints": [_endpoint(site, place) for site, place in context.places.items() if place.address],
        "shipping": _shipping(context.objectives),
        "backup": context.backup,
        **context.recovery,
        "notYetSupported": list(context.objectives.support.fields),
        "failover": {
            "lastHandled": _last_handled(state),
            "remembered": _remembered(state, desired),
            "history": [report.history_item(entry, rto) for entry in state.history],
        },
        "control": state.model_dump(mode="json", by_alias=True),
        "conditions": merge_conditions(list(stored.get("conditions") or []), claims, context.generation, context.wall),
    }


def undecided_status(
    state: ControlState, seen: Seen, stored: Mapping[str, Any], context: Context, found: Cause, readable: bool
) -> dict[str, Any]:
    """The stored status while nothing can be decided because of `found`, brought to what is seen of what runs.

    `readable`: whether the spec is, so that what it asks for is known.
    """
    objectives = context.objectives if readable else None
    claims = report.undecided(state, seen, found, objectives)
    now = _replication(state, seen, context)
    links = [{**item, **now} if item["site"] == now["site"] else item for item in stored.get("replication") or []]
    return {
        **stored,
        "phase": report.UNDECIDED if state.epoch > 0 else "Pending",
        "message": context.why,
        "observedGeneration": context.generation,
        "replication": remembering(links, stored.get("replication"), "site"),
        "health": report.health_items(seen, context.since, context.addresses),
        "shipping": _shipping(context.objectives) or _halted(stored.get("shipping"), found),
        "notYetSupported": list(context.objectives.support.fields) if readable else None,
        "conditions": merge_conditions(list(stored.get("conditions") or []), claims, context.generation, context.wall),
    }


def _halted(shipping: Mapping[str, Any] | None, found: Cause) -> dict[str, Any] | None:
    """What is told of a shipper that is not at work, and is not started for `found`: no number of it holds any more."""
    if not shipping:
        return None
    gone = dict.fromkeys(("ageSeconds", "backlogTransactions", "retentionSecondsLeft"))
    return {**shipping, **gone, "state": "stopped", "message": found[1]}


def _endpoint(site: Site, place: Place) -> dict[str, Any]:
    encrypted = "+s://" in place.address
    return {
        "site": site,
        "cluster": place.cluster,
        "address": place.address,
        "source": place.source,
        "encrypted": encrypted,
    }


def _last_handled(state: ControlState) -> dict[str, Any] | None:
    last = state.handled.last
    if not last:
        return None
    result = str(last.get("result") or "").partition(":")[0]
    at = last.get("at")
    return {
        "target": last.get("target"),
        "emergency": bool(last.get("emergency")),
        "epoch": last.get("epoch"),
        "result": result if result in ("Completed", "RolledBack", "Refused", "Cancelled") else None,
        "at": report.timestamp(float(at)) if at is not None else None,
    }


def _remembered(state: ControlState, desired: Desired) -> dict[str, Any]:
    """Which values of the spec are no requests. Over a declared one a patch counts, also one that says the same."""
    handled = state.handled

    def declared(value: str, wanted: Requested | None) -> str | None:
        return None if wanted is not None and wanted.owner == "patch" else value or None

    return {
        "target": handled.target or None,
        "targetDeclared": declared(handled.target_declared, desired.target),
        "emergency": handled.target_emergency,
        "direction": handled.sync or None,
        "directionDeclared": declared(handled.sync_declared, desired.sync),
    }


def _replication(state: ControlState, seen: Seen, context: Context) -> dict[str, Any]:
    """The item of `status.replication`, but for the name of the cluster."""
    site, link = state.standby_site, seen.link
    return {
        "site": site,
        "state": link.state if link is not None else state.standby,
        "lagSeconds": None if context.lag is None else round(context.lag, 1),
        "position": link.cursor if link is not None else None,
        **figures(context.link_report if link is not None else {}),
        "retentionSecondsLeft": _left(context.objectives.link_headroom),
        "seed": filling(context.link_report.get("seed")) if link is not None else None,
        "message": link.message or None if link is not None and not link.retrying else None,
    }


def _left(headroom: Headroom | None) -> int | None:
    """Whole seconds."""
    return None if headroom is None else int(headroom.seconds)


def _shipping(objectives: Objectives) -> dict[str, Any] | None:
    """`status.shipping`; null takes it away where nothing is shipped."""
    view, age = objectives.shipping, objectives.archive_age
    if objectives.ship_every is None or view is None:
        return None
    return {
        "state": view.state,
        "site": view.site,
        "epoch": view.epoch,
        "segment": view.segment,
        "position": view.position,
        "shippedAt": report.timestamp(view.shipped_at) if view.shipped_at is not None else None,
        "ageSeconds": None if age is None else round(age, 1),
        "backlogTransactions": view.backlog,
        "retentionPolicy": view.retention.policy,
        "retentionSecondsLeft": _left(objectives.headroom),
        "gap": view.gap,
        "message": view.message or None,
    }


def cluster_status(
    site: Site,
    spec: ClusterSpec,
    state: ControlState,
    desired: Desired,
    seen: Seen,
    stored: Mapping[str, Any],
    generation: int,
    context: Context,
    recovery: str,
) -> dict[str, Any]:
    """The status of one of the two clusters."""
    gaps, known = support(spec, CLUSTER), state.epoch > 0
    ready = _cluster_ready(site, seen, refused(context.why))
    if ready.holds and gaps.safety:
        ready = Claim("Ready", False, "NotYetSupported", gaps.sentence)
    claims = [ready, _read_only(site, state, desired, seen)]
    active = state.active == site
    verdict = seen.sites[site].verdict
    return {
        "role": ("primary" if active else "secondary") if known else None,
        "phase": {Verdict.UP: "Ready", Verdict.UNKNOWN: "Unknown"}.get(verdict, "Unavailable"),
        "address": context.addresses.get(site),
        "epoch": state.epoch if known else None,
        "recovery": recovery,
        "message": None,
        "notYetSupported": list(gaps.fields),
        "observedGeneration": generation,
        "conditions": merge_conditions(list(stored.get("conditions") or []), claims, generation, context.wall),
    }


def _cluster_ready(site: Site, seen: Seen, decided: Cause | None) -> Claim:
    """Whether the cluster can be worked with; one that a resource refuses to pair says so too."""
    found, view = of_site(site, seen) or decided, seen.sites[site]
    if found is not None:
        return Claim("Ready", False, *found)
    ready = None if view.verdict is Verdict.UNKNOWN else view.verdict is Verdict.UP
    return Claim("Ready", ready, str(view.verdict).title(), view.evidence)


def unattended_status(spec: ClusterSpec, stored: Mapping[str, Any], generation: int, wall: float) -> dict[str, Any]:
    """The status of a cluster that no disaster recovery refers to: it is only written down."""
    why = "no Neo4jDisasterRecovery refers to this cluster"
    claims = [Claim("Ready", None, "NotReferred", why), Claim("ReadOnly", None, "NotReferred", why)]
    return {
        "phase": "Unattended",
        "message": why,
        "observedGeneration": generation,
        "notYetSupported": list(support(spec, CLUSTER).fields),
        "conditions": merge_conditions(list(stored.get("conditions") or []), claims, generation, wall),
    }


def _read_only(site: Site, state: ControlState, desired: Desired, seen: Seen) -> Claim:
    kind, view = "ReadOnly", seen.sites[site]
    if view.access == "read-only":
        return Claim(kind, True, "ReadOnly", "the database was seen to refuse writes")
    if site in state.handled.superseded_read_only:
        return Claim(kind, False, "SupersededByPromotion", "a newer promotion ended this cluster's readOnly")
    if view.access is None:
        return Claim(kind, None, "NotSeenYet", view.evidence)
    if read_only_wanted(state, desired, site):
        reason = "Fencing" if site == state.active else "Standby"
        return Claim(kind, False, reason, OPEN_STANDBY if reason == "Standby" else "not seen read-only yet")
    return Claim(kind, False, "Writable", "the database takes writes")
