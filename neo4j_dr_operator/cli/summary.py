"""Is it well? One rule for the picture, the documents and the exit code. Pure.

Not every False is an alarm: `ReplicationSynced` is False whenever the primary takes writes, and what nobody asked for
cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from neo4j_dr_operator.cli import raw
from neo4j_dr_operator.cli.facts import Condition, Facts
from neo4j_dr_operator.cli.raw import Document

Mark = Literal["bad", "unknown", "rest", "good"]
"""bad: needs somebody; unknown: cannot be told at the moment; rest: does not hold, and need not; good: holds."""

MEANINGS = {
    "Ready": "active site UP, standby following, nothing under way",
    "ReplicationHealthy": "the link works",
    "ReplicationSynced": "read-only primary, its final position applied: a switchover loses nothing",
    "SyncComplete": "the requested sync has been done since the last promotion",
    "LogShippingHealthy": "the archive is up to date: what it lacks cannot be restored",
    "BackupHealthy": "every snapshot that was due is there, and the log archive has one to start from",
    "ArchiveHealthy": "everything in the archives that a recovery may need is there, and as it was put",
    "FailoverReady": "the standby can take over by itself",
    "WithinRPO": "the standby lags less than failover.rpo allows to be lost",
    "PrimaryAvailable": "the active site answers",
    "StandbyAvailable": "the standby answers and can be promoted",
    "SplitBrain": "the sites hold transactions that contradict each other",
}
"""What each condition of a disaster recovery resource says when it is True."""


def _shipping(spec: Document) -> bool:
    return raw.flag(spec, "replication", "logShipping", "enabled") is True


_WANTED: dict[str, Callable[[Document], bool]] = {
    "Ready": lambda _: True,
    "ReplicationHealthy": lambda _: True,
    "PrimaryAvailable": lambda _: True,
    "StandbyAvailable": lambda _: True,
    "FailoverReady": lambda spec: raw.flag(spec, "failover", "automatic") is True,
    "WithinRPO": lambda spec: raw.text(spec, "failover", "rpo") is not None,
    "LogShippingHealthy": _shipping,
    "BackupHealthy": lambda spec: raw.flag(spec, "backup", "enabled") is True or _shipping(spec),
    "ArchiveHealthy": lambda spec: raw.flag(spec, "backup", "enabled") is True or _shipping(spec),
}
"""Conditions that are to be True, each where its spec asks for it."""


_CAUTIONS = frozenset((("FailoverReady", "WitnessInSiteRegion"),))
"""What holds, but not whatever happens: it is shown with its message."""


def mark(condition: Condition, spec: Document) -> Mark:
    """How a condition is to be taken, given what was asked for."""
    if condition.type == "SplitBrain":
        return {"True": "bad", "False": "good"}.get(condition.status, "unknown")  # type: ignore[return-value]
    if condition.status == "True":
        return "rest" if (condition.type, condition.reason) in _CAUTIONS else "good"
    wanted = _WANTED.get(condition.type)
    if wanted is None or not wanted(spec) or condition.reason == "NotConfigured":
        return "rest"
    return "bad" if condition.status == "False" else "unknown"


def reasons(facts: Facts) -> list[str]:
    """Why it is not well, the gravest first; empty when it is."""
    return circumstances(facts) + [_said(condition) for condition in alarms(facts)]


def circumstances(facts: Facts) -> list[str]:
    """What is wrong beside the conditions."""
    found = []
    if facts.deleting:
        found.append("the resource is being deleted")
    if facts.unseen:
        return [*found, "no operator has written a status yet"]
    if facts.behind:
        found.append(
            f"the status speaks of generation {facts.observed}, the spec is at {facts.generation}: "
            "no operator has looked at it since"
        )
    found += [f"cluster {site.cluster}: {site.absent}" for site in facts.sites if site.absent]
    if facts.condition("Ready") is None:
        found.append("the status has no condition Ready")
    return found


def alarms(facts: Facts) -> list[Condition]:
    """The conditions that need somebody, then those that cannot be told."""
    marked = [(mark(condition, facts.spec), condition) for condition in facts.conditions]
    return [condition for wanted in ("bad", "unknown") for found, condition in marked if found == wanted]


def _said(condition: Condition) -> str:
    reason = f" ({condition.reason})" if condition.reason else ""
    return f"{condition.type}={condition.status}{reason}" + (f": {condition.message}" if condition.message else "")


def healthy(facts: Facts) -> bool:
    """Whether nothing needs anybody."""
    return not reasons(facts)
