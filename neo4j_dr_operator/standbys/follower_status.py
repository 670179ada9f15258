"""What is told of several standbys: `status.secondaryClusters`, and the status of each follower's cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.support import CLUSTER, support
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Seen
from neo4j_dr_operator.failover.votes import promotion_limitation
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.reporting.causes import Cause
from neo4j_dr_operator.reporting.claim import Claim
from neo4j_dr_operator.reporting.figures import VOLATILE, filling
from neo4j_dr_operator.reporting.publish import OPEN_STANDBY, merge_conditions
from neo4j_dr_operator.reporting.telling import News
from neo4j_dr_operator.standbys.following import Stood
from neo4j_dr_operator.standbys.secondaries import INHERITED, Layout, Standby


def secondary_items(
    layout: Layout,
    found: Sequence[Stood],
    state: ControlState,
    seen: Seen,
    replication: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """`status.secondaryClusters`; `replication` is what `status.replication` says of the pair."""
    return [_of_pair(layout.secondary, state, seen, replication), *(_of_follower(each) for each in found)]


def _of_pair(
    standby: Standby, state: ControlState, seen: Seen, replication: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    told: Mapping[str, Any] = next((item for item in replication if item["site"] == "secondary"), {})
    shown = {key: told.get(key) for key in ("lagSeconds", "position", "seed", *VOLATILE, "lastError")}
    entry = {**_inherited(standby), "site": "secondary", **shown}
    if state.epoch == 0:
        return {**entry, "state": "waiting", "failoverReady": False, "reason": "Pending"}
    if state.active == "secondary":
        return {**entry, "state": "active", "failoverReady": False, "reason": "Active", "message": "it is active"}
    limitation = promotion_limitation(state, seen)
    reason, _, message = (limitation or "StandbyReady: it takes over when primary is lost").partition(": ")
    ready = {"failoverReady": limitation is None, "reason": reason, "message": message}
    return {**entry, "source": "primary", "state": told.get("state"), **ready}


def _of_follower(each: Stood) -> dict[str, Any]:
    standing, link = each.standing, each.view.link
    return {
        **_inherited(each.follower.standby),
        "source": each.follower.source,
        "state": standing.state,
        "lagSeconds": None if standing.lag is None else round(standing.lag, 1),
        "position": link.position if link is not None else None,
        **(link.figures if link is not None else {}),
        "seed": filling(link.seed) if link is not None else None,
        "failoverReady": standing.ready,
        "reason": standing.reason,
        "message": standing.message,
    }


def standby_news(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[News]:
    """What turned between two stored `status.secondaryClusters`: a follower that became ready, or is it no more.

    The one that takes over is told of by the conditions.
    """
    was = {item["name"]: item.get("failoverReady") for item in before}
    told = []
    for item in after:
        name, ready = item["name"], item.get("failoverReady")
        if item.get("site") is not None or ready is None or bool(was.get(name)) is ready:
            continue
        kind, sentence = "Normal" if ready else "Warning", f"{name}: {item.get('message', '')}"
        told.append(News(f"Standby {name}", kind, item.get("reason") or "Unknown", sentence))
    return told


def undecided_items(
    kept: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]], found: Cause
) -> list[dict[str, Any]]:
    """`status.secondaryClusters` while nothing can be decided because of `found`.

    `kept`: what is known of each name and inherited by it; `seen`: how those stand that are followed, as above.
    """
    standing = {item["name"]: {key: item[key] for key in item if key not in INHERITED} for item in seen}
    return [_undecided({**item, **standing.get(item["name"], _UNSEEN)}, found) for item in kept]


_UNSEEN = {"state": "waiting", "lagSeconds": None, "seed": None, **dict.fromkeys(VOLATILE)}
"""Of one that no process follows."""


def _undecided(item: dict[str, Any], found: Cause) -> dict[str, Any]:
    """Nobody takes over; a follower that is followed stands as it did."""
    stands = item.get("site") is None and item["state"] != "waiting"
    return item if stands else {**item, "failoverReady": False, "reason": found[0], "message": found[1]}


def _inherited(standby: Standby) -> dict[str, Any]:
    return {
        "name": standby.name,
        "clusterRef": standby.cluster,
        "region": standby.region,
        "priority": standby.priority,
    }


def follower_cluster_status(
    each: Stood, spec: ClusterSpec, epoch: int, stored: Mapping[str, Any], generation: int, recovery: str, wall: float
) -> dict[str, Any]:
    """The status of a follower's cluster; `epoch` of the pair, `recovery` the resource's name, `wall` in seconds."""
    gaps, view = support(spec, CLUSTER), each.view.site
    marked = view.mark is not None and view.mark.role != "absent" and each.standing.state != "refused"
    claims = [_ready(each, gaps.safety, gaps.sentence), _read_only(each)]
    return {
        "role": "secondary" if marked else None,
        "phase": {Verdict.UP: "Ready", Verdict.UNKNOWN: "Unknown"}.get(view.verdict, "Unavailable"),
        "address": each.address or None,
        "epoch": epoch if marked else None,
        "recovery": recovery,
        "message": None,
        "notYetSupported": list(gaps.fields),
        "observedGeneration": generation,
        "conditions": merge_conditions(list(stored.get("conditions") or []), claims, generation, wall),
    }


def _ready(each: Stood, unsafe: Sequence[str], sentence: str) -> Claim:
    view = each.view.site
    if each.view.problem is not None:
        return Claim("Ready", False, *each.view.problem)
    if each.standing.state == "refused":
        return Claim("Ready", False, each.standing.reason, each.standing.message)
    if view.verdict is not Verdict.UP:
        unknown = view.verdict is Verdict.UNKNOWN and not view.reason
        return Claim("Ready", None if unknown else False, view.reason or str(view.verdict).title(), view.evidence)
    if unsafe:
        return Claim("Ready", False, "NotYetSupported", sentence)
    return Claim("Ready", True, "Up", view.evidence)


def _read_only(each: Stood) -> Claim:
    kind, view = "ReadOnly", each.view.site
    if view.access is None:
        return Claim(kind, None, "NotSeenYet", view.evidence)
    if view.access == "read-only":
        return Claim(kind, True, "ReadOnly", "the database was seen to refuse writes")
    return Claim(kind, False, "Standby", OPEN_STANDBY)
