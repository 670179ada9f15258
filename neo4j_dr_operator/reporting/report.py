"""The status of a disaster recovery resource as a projection of state and sight. Pure.

Conditions are for `kubectl wait` and never lie to it (P11): a new request turns its condition False in the very patch
that stores its acceptance, because both are made from the same state; every condition carries the generation that was
looked at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from neo4j_dr_operator.failover import restored
from neo4j_dr_operator.failover.requests import pending_sync, read_only_wanted
from neo4j_dr_operator.failover.state import SITES, ControlState, HistoryEntry, Site
from neo4j_dr_operator.failover.view import Desired, Seen
from neo4j_dr_operator.failover.votes import failover_limitation, follows
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.reporting.causes import Cause, cause
from neo4j_dr_operator.reporting.claim import Claim
from neo4j_dr_operator.reporting.objectives import Objectives, log_shipping_healthy, within_rpo


def timestamp(wall: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def phase(state: ControlState, seen: Seen) -> str:
    """The coarse phase, one word for the column."""
    if state.epoch == 0:
        return "Pending"
    if state.operation is not None:
        if state.operation.step == "Detected":
            return "Degraded"
        return "SwitchingOver" if state.operation.kind == "switchover" else "FailingOver"
    if seen.sites[state.active].verdict is Verdict.DOWN:
        return "Degraded"
    if seen.held:
        return "Restoring"
    return {
        "seed": "Seeding" if state.ticket is None else "Reseeding",
        "following": "Replicating",
        "returning": "Unprotected",
        "joining": "Joining",
        "diverged": "Diverged",
        "lost": "Diverged",
        "restored": "Restoring" if state.standby_reason.startswith(restored.UNDER_WAY) else "Restored",
    }[state.standby]


def conditions(state: ControlState, desired: Desired, seen: Seen, why: str, objectives: Objectives) -> list[Claim]:
    """Every condition of the resource, in a fixed order."""
    return [
        _ready(state, seen, why, objectives),
        _replication_healthy(state, seen),
        _replication_synced(state, desired, seen),
        _sync_complete(state, desired),
        _failover_ready(state, desired, seen),
        _available("PrimaryAvailable", state.active, seen),
        _available("StandbyAvailable", state.standby_site, seen, state),
        _split_brain(state),
        within_rpo(state, objectives),
        log_shipping_healthy(state, objectives),
        objectives.backups or Claim("BackupHealthy", None, "NotConfigured", "spec.backup.enabled is false"),
        objectives.archives or Claim("ArchiveHealthy", None, "NotConfigured", "there is no archive"),
    ]


UNDECIDED = "Undecided"
"""The phase of a resource that has an epoch and about which nothing can be decided."""


def undecided(state: ControlState, seen: Seen, found: Cause, objectives: Objectives | None) -> list[Claim]:
    """Every condition while nothing can be decided because of `found`: what runs is told of as it is seen, what a
    decision alone could say is unknown, and nobody takes over. `objectives`: None where the spec cannot be read."""
    reason, sentence = found
    return [
        Claim("Ready", False, reason, sentence),
        _replication_healthy(state, seen),
        Claim("ReplicationSynced", None, reason, sentence),
        Claim("SyncComplete", None, reason, sentence),
        Claim("FailoverReady", False, reason, sentence),
        _available("PrimaryAvailable", state.active, seen),
        _available("StandbyAvailable", state.standby_site, seen, state),
        _split_brain(state),
        Claim("WithinRPO", None, reason, sentence) if objectives is None else within_rpo(state, objectives),
        _shipping_undecided(state, found, objectives),
        Claim("BackupHealthy", None, reason, sentence),
        Claim("ArchiveHealthy", None, reason, sentence),
    ]


def _shipping_undecided(state: ControlState, found: Cause, objectives: Objectives | None) -> Claim:
    """A shipper at work goes on; none is started."""
    if objectives is None:
        return Claim("LogShippingHealthy", None, *found)
    if objectives.ship_every is not None and objectives.shipping is None:
        return Claim("LogShippingHealthy", False, *found)
    return log_shipping_healthy(state, objectives)


def _ready(state: ControlState, seen: Seen, why: str, objectives: Objectives) -> Claim:
    if state.operation is not None:
        return Claim("Ready", False, state.operation.step, why)
    found = cause(state, seen, why)
    if found is not None:
        return Claim("Ready", False, *found)
    if state.epoch == 0:
        return Claim("Ready", False, why.split(":")[0] if ":" in why else "Pending", why)
    if seen.sites[state.active].verdict is not Verdict.UP:
        return Claim("Ready", False, "PrimaryUnavailable", seen.sites[state.active].evidence)
    if state.standby != "following":
        return Claim("Ready", False, phase(state, seen), why)
    if not follows(state, seen):
        return Claim("Ready", False, "NoLink", f"no link runs from {state.active} to {state.standby_site}")
    if objectives.support.safety:
        return Claim("Ready", False, "NotYetSupported", objectives.support.sentence)
    return Claim("Ready", True, "Replicating", why)


def _replication_healthy(state: ControlState, seen: Seen) -> Claim:
    link = seen.link
    if state.standby == "restored":
        return Claim("ReplicationHealthy", False, *restored.told(state))
    halted = restored.at_work(state, seen, state.standby_site) or restored.at_work(state, seen, state.active)
    if halted is not None and link is None:
        return Claim("ReplicationHealthy", False, *_parted(halted))
    if link is None:
        return Claim("ReplicationHealthy", False, "NoLink", "no link is running")
    if link.reason is not None and not link.retrying:
        return Claim("ReplicationHealthy", False, link.reason, link.message)
    if link.state == "streaming" and link.schema is not None:
        sentence = f"{link.source} to {link.target}, but not all constraints and indexes: {link.schema}"
        return Claim("ReplicationHealthy", True, "SchemaDiffers", sentence)
    if link.state == "streaming":
        return Claim("ReplicationHealthy", True, "Streaming", f"{link.source} to {link.target}")
    return Claim("ReplicationHealthy", False, link.state.title().replace("-", ""), f"the link is {link.state}")


def _parted(why: str) -> tuple[str, str]:
    """`Reason: sentence` as the two."""
    reason, _, sentence = why.partition(": ")
    return reason, sentence


def _replication_synced(state: ControlState, desired: Desired, seen: Seen) -> Claim:
    kind, active = "ReplicationSynced", seen.sites[state.active]
    if state.operation is not None and state.synced is None:
        return Claim(kind, False, state.operation.step, "a change of the active site is under way")
    if state.standby == "restored":
        return Claim(kind, False, *restored.told(state))
    if (taken := restored.at_work(state, seen, state.standby_site)) is not None:
        return Claim(kind, False, *_parted(taken))
    if state.synced is not None and state.synced.complete:
        if active.verdict is not Verdict.UP or active.access != "read-only":
            return Claim(
                kind, None, "PrimaryUnseen", f"{state.active} cannot be seen to be read-only: {active.evidence}"
            )
        sentence = f"the standby holds everything up to {state.synced.final}, the end of the read-only primary"
        return Claim(kind, True, "FinalPositionApplied", sentence)
    if not read_only_wanted(state, desired, state.active):
        sentence = "the primary takes writes; set readOnly on its cluster to bring both to one final position"
        return Claim(kind, False, "PrimaryWritable", sentence)
    if state.synced is None:
        return Claim(kind, False, "Fencing", "the primary has not been seen read-only yet")
    return Claim(kind, False, "CatchingUp", "the final position of the primary has not been applied yet")


def _sync_complete(state: ControlState, desired: Desired) -> Claim:
    sync = state.sync
    if pending_sync(state, desired) is not None:
        return Claim("SyncComplete", False, "Pending", "a sync was requested and waits for what is under way")
    if sync is None:
        return Claim("SyncComplete", False, "NotRequested", "no sync was requested since the last promotion")
    if sync.refused is not None:
        return Claim("SyncComplete", False, "PointsAtActive", sync.refused)
    if sync.complete:
        sentence = f"{state.standby_site} holds what {state.active} had when the sync was requested"
        return Claim("SyncComplete", True, "Synced", sentence)
    if state.standby == "restored":
        return Claim("SyncComplete", False, *restored.told(state))
    if state.standby in ("diverged", "lost"):
        return Claim("SyncComplete", False, state.standby.title(), state.standby_reason)
    return Claim("SyncComplete", False, "Syncing", f"{sync.direction}, towards {state.standby_site}")


def _failover_ready(state: ControlState, desired: Desired, seen: Seen) -> Claim:
    if state.epoch == 0:
        return Claim("FailoverReady", False, "Pending", "nothing has been adopted yet")
    limitation = failover_limitation(state, desired, seen)
    if limitation is None and desired.witness_beside is not None:
        sentence = (
            f"{state.standby_site} can take over by itself, but not when the whole region of {desired.witness_beside} "
            "is lost: the witness lies in it; set spec.failover.quorum.witness to a bucket outside both regions"
        )
        return Claim("FailoverReady", True, "WitnessInSiteRegion", sentence)
    if limitation is None:
        sentence = f"{state.standby_site} can take over by itself when {state.active} is lost"
        return Claim("FailoverReady", True, "StandbyReady", sentence)
    return Claim("FailoverReady", False, *_parted(limitation))


def _available(kind: str, site: Site, seen: Seen, state: ControlState | None = None) -> Claim:
    view = seen.sites[site]
    if state is not None and state.standby == "restored":
        return Claim(kind, False, *restored.told(state))
    if state is not None and state.standby in ("diverged", "lost"):
        return Claim(kind, False, state.standby.title(), state.standby_reason)
    if view.verdict is Verdict.UNKNOWN:
        return Claim(kind, None, "Unknown", f"{site}: {view.evidence}")
    return Claim(kind, view.verdict is Verdict.UP, str(view.verdict).title(), f"{site}: {view.evidence}")


def _split_brain(state: ControlState) -> Claim:
    if state.standby == "diverged":
        return Claim("SplitBrain", True, "Diverged", state.standby_reason)
    if state.standby == "returning":
        return Claim("SplitBrain", None, "NotComparedYet", f"{state.standby_site} has not been compared yet")
    return Claim("SplitBrain", False, "OneWriter", f"only {state.active} takes writes")


def history_item(entry: HistoryEntry, rto: float | None) -> dict[str, Any]:
    """One item of `status.failover.history`, as documented in the resource; `rto` in seconds."""
    started, ended = entry.steps[0].at, entry.steps[-1].at
    return {
        "epoch": entry.epoch,
        "kind": entry.kind,
        "from": entry.source,
        "to": entry.target,
        "result": entry.result,
        "reason": entry.reason,
        "startedAt": timestamp(started),
        "completedAt": timestamp(ended),
        "durationSeconds": round(ended - started, 3),
        "withinRTO": None if rto is None or entry.result != "Completed" else ended - started <= rto,
        "steps": [{"name": step.name, "at": timestamp(step.at)} for step in entry.steps],
        "fencedBy": entry.fenced_by,
        "appliedPosition": entry.applied_position,
        "drainedFromArchive": entry.drained,
        "drainProblem": entry.drain_problem,
        "lostTransactions": entry.lost_transactions,
        "lostSeconds": entry.lost_seconds,
        "evidence": entry.evidence,
    }


def health_items(seen: Seen, since: dict[Site, float], addresses: dict[Site, str]) -> list[dict[str, Any]]:
    """`status.health`: one item a site, with the evidence of its verdict."""
    return [
        {
            "site": site,
            "verdict": str(seen.sites[site].verdict),
            "evidence": seen.sites[site].evidence,
            "since": timestamp(since[site]),
            "address": addresses.get(site, ""),
        }
        for site in SITES
    ]
