"""What to do next: one sentence for a person who has just been woken, and the lines to type. Pure.

Rules are asked in order, the gravest first, and the first that has something to say is the answer. A rule proposes only
what the operator carries out today (docs/failover.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.cli import raw, summary
from neo4j_dr_operator.cli.facts import Facts, Site
from neo4j_dr_operator.cli.text import count


@dataclass(frozen=True)
class Advice:
    """The sentence, and the commands it speaks of, in its order."""

    sentence: str
    commands: tuple[str, ...] = ()


LOGS = "kubectl -n neo4j-operator-system logs deployment/neo4j-operator-controller-manager"
NOTHING = Advice("Nothing to do.")
NOT_PROMOTABLE = frozenset(("seed", "seeding", "reseeding", "returning", "joining", "diverged", "lost", "restored"))
"""States of a link whose standby is no consistent prefix: a request to promote it would be refused."""

Rule = Callable[[Facts], Advice | str | None]


def next_step(facts: Facts) -> Advice:
    """The answer of the first rule that has one."""
    said = next((said for rule in _RULES if (said := rule(facts)) is not None), NOTHING)
    return Advice(said) if isinstance(said, str) else said


def patch(facts: Facts, spec: dict[str, Any], *, cluster: str | None = None) -> str:
    """The kubectl line that patches the spec of the resource, or of a cluster."""
    what = f"n4c {cluster}" if cluster else f"n4dr {facts.name}"
    body = json.dumps({"spec": spec}, separators=(",", ":"))
    return f"kubectl -n {facts.namespace} patch {what} --type=merge -p '{body}'"


def _target(facts: Facts, site: Site, *, emergency: bool = False) -> str:
    wish: dict[str, Any] = {"emergency": True} if emergency else {}
    return patch(facts, {"failover": {**wish, "target": site.name}})


def _deleting(facts: Facts) -> str | None:
    return "The resource is being deleted; no data is touched by that." if facts.deleting else None


def _unseen(facts: Facts) -> Advice | None:
    if not facts.unseen:
        return None
    return Advice("No operator has looked at this resource yet: if that stays so, see whether one runs.", (LOGS,))


def _behind(facts: Facts) -> Advice | None:
    if not facts.behind:
        return None
    sentence = "The last change of the spec has not been taken up: if that stays so, see whether an operator runs."
    return Advice(sentence, (LOGS,))


def _undecided(facts: Facts) -> str | None:
    ready = facts.condition("Ready")
    if facts.phase != "Undecided" or ready is None:
        return None
    return f"Mend this first, until then no request is taken up and nothing fails over: {ready.message}"


def _refused(facts: Facts) -> str | None:
    ready = facts.condition("Ready")
    if ready is not None and ready.status == "False" and ready.reason == "InvalidSpec":
        return f"Correct the spec; whatever ran before goes on with what it had: {ready.message}"
    return None


def _operation(facts: Facts) -> str | None:
    change = facts.operation
    if change is None:
        return None
    step = change.steps[-1][0] if change.steps else facts.phase
    if step == "Detected" and change.kind == "failover":
        return "Wait: nothing is promoted until every view agrees; when the active site answers again it is cancelled."
    target = change.target or "the other site"
    return f"Wait for the {change.kind} to {target}, now at {step}; each step has a time limit of its own."


def _absent(facts: Facts) -> str | None:
    site = next((site for site in facts.sites if site.absent), None)
    return None if site is None else f"Cluster {site.cluster} ({site.name}): {site.absent}."


def _apart(facts: Facts) -> str | None:
    split = facts.condition("SplitBrain")
    link = next((link for link in facts.links if link.state in ("diverged", "lost")), None)
    if link is None and (split is None or split.status != "True"):
        return None
    site = facts.site(link.site) if link is not None else next(iter(facts.standbys), None)
    cluster = site.cluster if site is not None else "the standby"
    reason = split.message if split is not None and split.status == "True" else "its history cannot be compared"
    return (
        f"{cluster} is held read-only and nothing is applied on top of it ({reason}): save what only it has, then "
        "give it an empty database, which is seeded by itself; until then there is no standby."
    )


def _active_down(facts: Facts) -> Advice | str | None:
    active = facts.site(facts.active)
    if active is None or active.verdict not in ("DOWN", "DEGRADED"):
        return None
    seen = f"{active.cluster} is {active.verdict} ({active.evidence or 'no evidence given'})"
    if active.verdict == "DEGRADED":
        return f"{seen}: it lives, so nothing fails over by itself; mend what the evidence names."
    able = facts.condition("FailoverReady")
    if raw.flag(facts.spec, "failover", "automatic") and able is not None and able.status == "True":
        return f"{seen}: wait, the standby is promoted by itself once every view agrees."
    standby = next((site for site in facts.standbys if _promotable(facts, site)), None)
    if standby is None:
        return f"{seen}, and no standby can be promoted: bring {active.cluster} back."
    why = f"; no automatic failover ({able.reason})" if able is not None and able.reason else ""
    return Advice(
        f"{seen}{why}: bring it back, or promote {standby.cluster} and lose what it had not received.",
        (_target(facts, standby, emergency=True),),
    )


def _promotable(facts: Facts, site: Site) -> bool:
    followed = [link for link in facts.links if link.site == site.name]
    return site.verdict == "UP" and bool(followed) and followed[0].state not in NOT_PROMOTABLE


def _restored(facts: Facts) -> Advice | str | None:
    site = next(iter(facts.standbys), None)
    if facts.phase == "Restoring":
        return "Wait for the restore (kubectl get n4r): while it is at work nothing is replicated and nobody promoted."
    if facts.phase != "Restored" or site is None:
        return None
    sentence = (
        f"{site.cluster} holds what a restore has put there, follows nobody and cannot be promoted: take from it what "
        "you need, then have it follow again; until then there is no standby."
    )
    return Advice(sentence, (patch(facts, {"sync": {"reseed": site.name}}),))


def _standby_down(facts: Facts) -> str | None:
    site = next((site for site in facts.standbys if site.verdict in ("DOWN", "DEGRADED")), None)
    if site is None:
        return None
    then = "it is made read-only, compared, and follows if it holds nothing of its own"
    if facts.phase != "Unprotected":
        then = "the active site goes on without it, and it catches up by itself"
    return f"Bring {site.cluster} back ({site.verdict}: {site.evidence or 'no evidence given'}): {then}."


def _not_supported(facts: Facts) -> str | None:
    ready = facts.condition("Ready")
    if ready is None or ready.reason != "NotYetSupported":
        return None
    return f"Take these out of the spec, or live without what they promise: {ready.message}"


def _asked(facts: Facts) -> str | None:
    waiting = next((request for request in facts.requests if request.handled is None), None)
    if waiting is None:
        return None
    return f"Wait: {waiting.field} ({waiting.value}) was asked for and is taken up next."


_ON_THE_WAY = {
    "Seeding": "Wait for the first copy to end: until then there is no standby to promote.",
    "Joining": "Wait: the old primary is being joined as standby.",
    "Unprotected": "Wait until the old primary is back and compared: until then there is no standby.",
}


def _on_the_way(facts: Facts) -> str | None:
    failing = facts.condition("ReplicationHealthy")
    broken = [link.message for link in facts.links if link.message]
    if failing is not None and failing.status == "False" and broken:
        return f"Mend the link ({failing.reason}), it goes on by itself: {broken[0]}"
    return _ON_THE_WAY.get(facts.phase)


def _alarm(facts: Facts) -> str | None:
    """Whatever else is wrong: the first alarm, in its own words."""
    for condition in facts.conditions:
        if summary.mark(condition, facts.spec) == "bad" and condition.type != "Ready":
            return f"Look into {condition.type} ({condition.reason}): {condition.message or 'no message given'}"
    ready = facts.condition("Ready")
    if ready is not None and ready.status != "True":
        return f"Look into Ready ({ready.reason}): {ready.message or 'no message given'}"
    return None


def _synced(facts: Facts) -> Advice | None:
    synced = facts.condition("ReplicationSynced")
    standby, active = next(iter(facts.standbys), None), facts.active_cluster
    if synced is None or synced.status != "True" or standby is None or not active:
        return None
    reopen = patch(facts, {"readOnly": False}, cluster=active)
    sentence = f"Both sites hold the same: switch over to {standby.cluster}, or let {active} take writes again."
    return Advice(sentence, (_target(facts, standby), reopen))


def _gaps(facts: Facts) -> str | None:
    gaps = raw.items(facts.status, "recovery", "gaps")
    if not gaps:
        return None
    return f"Nothing at once; the archive has {count(len(gaps), 'gap')} that no restore can reach into."


_RULES: tuple[Rule, ...] = (
    _deleting,
    _unseen,
    _undecided,
    _operation,
    _behind,
    _refused,
    _absent,
    _apart,
    _active_down,
    _restored,
    _standby_down,
    _asked,
    _on_the_way,
    _synced,
    _not_supported,
    _alarm,
    _gaps,
)
