"""The steps of a change of the active site: fence first, promote second. Pure.

A failover walks Detected, Confirmed, Fencing, Draining, Promoting, Verifying; a switchover Requested, ReadOnly,
Fencing, Draining, Promoting, Verifying. Every step is stored before its actions run and can be entered again after a
crash: actions are idempotent and carry the operation's epoch.
"""

from __future__ import annotations

from dataclasses import replace

from neo4j_dr_operator.failover import drains, restored
from neo4j_dr_operator.failover.actions import (
    Action,
    Assess,
    Beat,
    Claim,
    Decision,
    MakeReadOnly,
    MakeWritable,
    Promote,
    ReadPosition,
    TakeLease,
    link_for,
)
from neo4j_dr_operator.failover.endings import close_request, enter, entry, give_up
from neo4j_dr_operator.failover.requests import handle_target, read_only_wanted, supersede_read_only
from neo4j_dr_operator.failover.state import ControlState, Kind, Operation, Step, StepRecord
from neo4j_dr_operator.failover.view import Claimed, Desired, LinkView, Now, Requested, Seen
from neo4j_dr_operator.failover.votes import Ballot, failover_limitation, promotion_limitation
from neo4j_dr_operator.health.verdict import Verdict

REQUEST_PATIENCE = 60.0
"""Seconds a request waits for what it needs before it is refused."""
FENCE_PATIENCE = 30.0
"""Seconds within which the old primary must be seen read-only, and the epoch claimed, for an operation to go on."""
LEASE_PATIENCE = 60.0
"""Seconds an automatic failover tries to take the lease: a new process first watches a whole term of silence."""
DRAIN_PATIENCE = 60.0
"""Seconds a drain keeps clients without a writable site before the operation is rolled back."""
SCHEMA_PATIENCE = 5.0
"""Seconds a drained switchover waits for its link to have compared constraints and indexes, which no position tells."""
PROMOTE_PATIENCE = 30.0
"""Seconds within which a drained switchover must be promoted over a primary that is still seen read-only."""
EMERGENCY_FENCE_PATIENCE = 4.0
"""Seconds an emergency failover tries to fence a primary that may still be there."""
EMERGENCY_DRAIN_PATIENCE = 10.0
"""Seconds an emergency failover drains a fenced primary before it promotes with what it has."""
WITNESS_PATIENCE = 5.0
"""Seconds a requested failover tries to move the lease: it needs no witness, its fence is another one."""


def begin(state: ControlState, seen: Seen, kind: Kind, now: Now, evidence: tuple[str, ...] = ()) -> ControlState:
    """The state with a new operation away from the active site, at an epoch above every known one."""
    known = [state.epoch, seen.witness.epoch if seen.witness else 0]
    known += [view.mark.epoch for view in seen.sites.values() if view.mark is not None]
    step: Step = "Detected" if kind == "failover" else "Requested"
    operation = Operation(
        kind=kind,
        source=state.active,
        target=state.standby_site,
        epoch=max(known) + 1,
        step=step,
        steps=[StepRecord(name=step, at=now.wall)],
        evidence=list(evidence),
        requested=kind != "failover",
    )
    return state.model_copy(update={"operation": operation})


def begin_requested(state: ControlState, request: Requested, seen: Seen, now: Now) -> ControlState:
    """The state that has accepted a failover request: both wait conditions fall in the patch that stores it (P11)."""
    started = begin(state, seen, "emergency" if request.emergency else "switchover", now)
    return handle_target(started, request, "Accepted", now.wall).model_copy(update={"synced": None})


def escalate(state: ControlState, request: Requested, now: Now) -> ControlState:
    """The state in which the operation under way has become an emergency one: same target, same epoch, from the start.

    Only before Promoting: what was claimed at this epoch is claimed again.
    """
    operation = state.operation
    assert operation is not None
    urgent = operation.model_copy(update={"kind": "emergency", "requested": True, "final": None, "final_tx": None})
    escalated = state.model_copy(update={"operation": urgent.enter("Requested", now.wall), "synced": None})
    return handle_target(escalated, request, "Accepted", now.wall)


def advance(state: ControlState, desired: Desired, seen: Seen, votes: Ballot, now: Now) -> Decision:
    """One decision within the operation in progress."""
    operation = state.operation
    assert operation is not None
    return _open_target(state, operation, seen, _step(state, operation, desired, seen, votes, now))


def _open_target(state: ControlState, op: Operation, seen: Seen, decided: Decision) -> Decision:
    """The decision, with a target opened that was seen read-only: a MakeReadOnly of its former life landed late."""
    target = seen.sites[op.target]
    if decided.state != state or target.access != "read-only" or target.verdict is not Verdict.UP:
        return decided
    if op.target not in state.restricted:
        restricted = sorted({*state.restricted, op.target})
        return Decision(state.model_copy(update={"restricted": restricted}), f"{op.target} must be opened")
    return replace(decided, actions=(*decided.actions, MakeWritable(op.target, op.epoch)))


def _step(state: ControlState, operation: Operation, desired: Desired, seen: Seen, votes: Ballot, now: Now) -> Decision:
    match operation.step:
        case "Detected" | "Confirmed":
            return _detected(state, operation, desired, seen, votes, now)
        case "Requested":
            return _requested(state, operation, desired, seen, now)
        case "ReadOnly":
            return _read_only(state, operation, seen, now)
        case "Fencing":
            return _fencing(state, operation, desired, seen, votes, now)
        case "Draining":
            return _draining(state, operation, desired, seen, votes, now)
        case "Promoting":
            return _promoting(state, operation, seen, votes, now)
        case _:
            return _verifying(state, operation, desired, seen, now)


def _detected(state: ControlState, op: Operation, desired: Desired, seen: Seen, votes: Ballot, now: Now) -> Decision:
    link = link_for(state)
    if op.step == "Confirmed":
        return enter(state, op, "Fencing", now, "Fencing: the primary is confirmed dead")
    if votes.probe.opinion == "UP" or not desired.automatic:
        reason = f"{state.active} is there again: {votes.probe.evidence}" if desired.automatic else "switched off"
        return give_up(state, op, "Cancelled", reason)
    limitation = failover_limitation(state, desired, seen)
    if limitation is not None:
        return Decision(state, f"No failover, {limitation}", hold_deposed(state, seen), link, state.active)
    if not votes.dead:
        views = "; ".join(map(str, votes.votes))
        return Decision(state, f"No failover, the views do not agree on death: {views}", link=link, holder=state.active)
    confirmed = op.model_copy(update={"evidence": [str(vote) for vote in votes.votes]})
    return enter(state, confirmed, "Confirmed", now, f"Confirmed: {state.active} is dead by majority")


def hold_deposed(state: ControlState, seen: Seen) -> tuple[Action, ...]:
    """What keeps a site that was primary once, and follows nobody yet, from taking writes: always the first act."""
    site, view = state.standby_site, seen.sites[state.standby_site]
    deposed = state.standby in ("returning", "diverged", "lost")
    if deposed and view.verdict is Verdict.UP and view.access != "read-only":
        return (MakeReadOnly(site, state.epoch),)
    return ()


def _requested(state: ControlState, op: Operation, desired: Desired, seen: Seen, now: Now) -> Decision:
    limitation = promotion_limitation(state, seen)
    active = seen.sites[state.active]
    if limitation is None and op.kind == "switchover" and active.verdict is not Verdict.UP:
        limitation = f"PrimaryUnavailable: {state.active} is {active.verdict}; an emergency failover does not need it"
    if limitation is None and op.kind == "switchover":
        limitation = restored.active_limitation(state, seen)
    if limitation is not None:
        if now.step_age > REQUEST_PATIENCE:
            return give_up(state, op, "Refused", limitation)
        holder = None if read_only_wanted(state, desired, state.active) else state.active
        return Decision(state, f"The request waits: {limitation}", hold_deposed(state, seen), link_for(state), holder)
    restricted = sorted({*state.restricted, op.source})
    following: Step = "ReadOnly" if op.kind == "switchover" else "Fencing"
    return enter(state.model_copy(update={"restricted": restricted}), op, following, now, f"{following}: as requested")


def _fenced(op: Operation, seen: Seen, now: Now) -> bool:
    view = seen.sites[op.source]
    return view.access == "read-only" and view.access_at >= now.step_since


def _read_only(state: ControlState, op: Operation, seen: Seen, now: Now) -> Decision:
    if _fenced(op, seen, now):
        return enter(state, op, "Fencing", now, f"Fencing: {op.source} was seen read-only")
    if now.step_age > FENCE_PATIENCE:
        reason = f"{op.source} could not be made read-only: {seen.results.failed or seen.sites[op.source].evidence}"
        return give_up(state, op, "RolledBack", reason)
    action = MakeReadOnly(op.source, op.epoch)
    return Decision(state, f"ReadOnly: {op.source} must refuse writes first", (action,), link_for(state))


def _alive_again(state: ControlState, op: Operation, votes: Ballot) -> Decision | None:
    """An automatic failover ends where its reason ends: before the promotion was asked for, life wins."""
    if op.kind != "failover" or votes.alive is None:
        return None
    return give_up(state, op, "Cancelled", f"{op.source} is there again: {votes.alive}")


def _fencing(state: ControlState, op: Operation, desired: Desired, seen: Seen, votes: Ballot, now: Now) -> Decision:
    alive = _alive_again(state, op, votes)
    if alive is not None:
        return alive
    if now.step_age > (LEASE_PATIENCE if op.kind == "failover" else FENCE_PATIENCE):
        result = "Cancelled" if op.kind == "failover" else "RolledBack"
        return give_up(state, op, result, f"the fence was not complete in time: {seen.results.failed}")
    actions: list[Action] = []
    leased = not desired.witness or seen.results.leased == op.epoch
    if not leased:
        if seen.results.lease_refused is not None and op.kind != "emergency":
            result = "RolledBack" if op.kind == "switchover" else "Cancelled"
            return give_up(state, op, result, f"the lease could not be taken: {seen.results.lease_refused}")
        actions.append(TakeLease(op.target, op.epoch, force=op.requested))
        leased = op.requested and now.step_age > WITNESS_PATIENCE
    if op.kind == "failover" and not leased:
        return Decision(state, "Fencing: taking the lease of the dead primary", tuple(actions))
    source = seen.sites[op.source]
    final = seen.results.reading(op.source, op.epoch, max(now.step_since, source.access_since), final=True)
    if source.access != "read-only":
        final = None
    if final is None and op.requested:
        looked = source.access == "read-only" if op.kind == "switchover" else _fenced(op, seen, now)
        actions.append(ReadPosition(op.source, op.epoch, final=True) if looked else MakeReadOnly(op.source, op.epoch))
    claimed = seen.results.claim(op.epoch)
    if claimed is None and seen.link is None:
        actions.append(Claim(op.source, op.target, op.epoch))
    fence_seen = final is not None or op.kind == "failover" or _emergency_fence_is_over(op, seen, now)
    if claimed is not None and leased and fence_seen:
        fenced = op.model_copy(
            update={
                "fenced_by": "read-only" if final else "time" if op.kind == "failover" else "request",
                "final": final.position if final else None,
                "final_tx": final.tx if final else None,
                "applied": claimed.cursor,
            }
        )
        return enter(state, fenced, "Draining", now, f"Draining: epoch {op.epoch} is claimed")
    return Decision(state, f"Fencing {op.source} at epoch {op.epoch}", tuple(actions))


def _emergency_fence_is_over(op: Operation, seen: Seen, now: Now) -> bool:
    dead = seen.sites[op.source].verdict is Verdict.DOWN
    return op.kind == "emergency" and (dead or now.step_age > EMERGENCY_FENCE_PATIENCE)


def _draining(state: ControlState, op: Operation, desired: Desired, seen: Seen, votes: Ballot, now: Now) -> Decision:
    alive = _alive_again(state, op, votes)
    if alive is not None:
        return alive
    if drains.wanted(op, desired):
        return _draining_archive(state, op, seen, now)
    link = seen.link if seen.link is not None and seen.link.epoch == op.epoch else None
    claimed = seen.results.claim(op.epoch)
    applied_tx = max(link.cursor_tx if link else -1, claimed.tx if claimed else -1)
    applied = link.cursor if link and link.cursor and link.cursor_tx == applied_tx else op.applied
    drained = op.final_tx is None or applied_tx >= op.final_tx
    if drained and op.kind == "switchover" and now.step_age <= SCHEMA_PATIENCE and not _compared(op, claimed, link):
        return Decision(state, "Draining: comparing constraints and indexes", link=link_for(state, op.epoch))
    late = op.kind == "emergency" and now.step_age > EMERGENCY_DRAIN_PATIENCE
    there = seen.sites[op.target].verdict is Verdict.UP
    if (drained or late) and there:
        ready = op.model_copy(update={"applied": applied})
        return _promote(state, ready, now, f"Promoting {op.target}: drained to {applied_tx}")
    if now.step_age > DRAIN_PATIENCE:
        behind = f"{op.target} is {seen.sites[op.target].verdict} at transaction {applied_tx} of {op.final_tx}"
        result = "Cancelled" if op.kind == "failover" else "RolledBack"
        return give_up(state, op, result, f"not drained in {DRAIN_PATIENCE:.0f} s: {behind}")
    why = f"Draining: transaction {applied_tx} of {op.final_tx} is applied"
    return Decision(state, why, link=link_for(state, op.epoch))


def _compared(op: Operation, claimed: Claimed | None, link: LinkView | None) -> bool:
    """Whether a worker has compared constraints and indexes behind the fence: one that was at the final position when
    it ended has done so as its last act."""
    if claimed is not None and op.final_tx is not None and claimed.tx >= op.final_tx:
        return True
    return link is not None and link.compared


def _draining_archive(state: ControlState, op: Operation, seen: Seen, now: Now) -> Decision:
    """What the old primary has shipped, then the promotion, whatever became of the drain."""
    found, view = drains.outcome(op, seen, now), seen.sites[op.target]
    if found is not None and view.verdict is Verdict.UP:
        update = {"drained": found.transactions, "drain_problem": found.problem, "applied": found.applied or op.applied}
        why = f"Promoting {op.target}: {found.transactions} transactions were taken from the archive"
        return _promote(state, op.model_copy(update=update), now, f"{why}; {found.problem}" if found.problem else why)
    if view.verdict is not Verdict.UP and drains.quiet(op, seen, now) > DRAIN_PATIENCE:
        result = "Cancelled" if op.kind == "failover" else "RolledBack"
        return give_up(state, op, result, f"not drained in {DRAIN_PATIENCE:.0f} s: {op.target} is {view.verdict}")
    return Decision(state, drains.sentence(op, seen), drain=drains.plan(state, op))


def _promote(state: ControlState, op: Operation, now: Now, why: str) -> Decision:
    return enter(state.model_copy(update={"synced": None, "sync": None}), op, "Promoting", now, why)


def _promoting(state: ControlState, op: Operation, seen: Seen, votes: Ballot, now: Now) -> Decision:
    """Ask for the promotion until it is there; the way back first fences the link at an epoch above it.

    A promotion may have been sent by a process that died: only a claim of the link at a higher epoch proves that it
    can never happen any more (it compares the link's epoch), and that claim fails once it has happened.
    """
    if seen.results.promoted == op.epoch and seen.results.barrier is not None:
        promoted = state.model_copy(update={"barrier": seen.results.barrier})
        return enter(promoted, op, "Verifying", now, f"Verifying: {op.target} holds epoch {op.epoch}")
    if seen.results.claim(op.epoch + 1) is not None:
        result = "Cancelled" if op.kind == "failover" else "RolledBack"
        why = seen.results.failed or _against(op, seen, votes, now) or "the link was fenced"
        return give_up(state, op, result, why)
    mark = seen.sites[op.target].mark
    if mark is not None and (mark.role, mark.epoch) == ("primary", op.epoch):
        why = f"Promoting: {op.target} is the primary of epoch {op.epoch} already"
        return Decision(state, why, (Promote(op.source, op.target, op.epoch, None),))
    if mark is not None and mark.role != "primary" and restored.noted(state, seen, op.target) is not None:
        # its note took the link away, with which every promotion begins: this one can never happen any more
        return give_up(state, op, "Cancelled" if op.kind == "failover" else "RolledBack", f"{op.target} was restored")
    against = _against(op, seen, votes, now)
    if against is not None:
        return Decision(state, f"Promoting: taken back, {against}", (Claim(op.source, op.target, op.epoch + 1),))
    if op.kind == "switchover" and not _fenced(op, seen, now):
        why = f"Promoting: {op.source} must still be read-only"
        return Decision(state, why, (MakeReadOnly(op.source, op.epoch),))
    guard = op.final if op.kind == "switchover" else None
    why = f"Promoting {op.target} at epoch {op.epoch}"
    return Decision(state, why, (Promote(op.source, op.target, op.epoch, guard),))


def _against(op: Operation, seen: Seen, votes: Ballot, now: Now) -> str | None:
    """Why the promotion must not be asked for any more, or None."""
    if seen.results.failed is not None and seen.results.failed.startswith(("FenceBroken", "Stale")):
        return seen.results.failed
    if op.kind == "failover" and votes.alive is not None:
        return f"{op.source} is there again: {votes.alive}"
    if op.kind == "switchover" and now.step_age > PROMOTE_PATIENCE:
        return f"{op.source} was not seen fenced in time: {seen.results.failed}"
    return None


def _verifying(state: ControlState, op: Operation, desired: Desired, seen: Seen, now: Now) -> Decision:
    if seen.results.beaten != op.epoch:
        return Decision(state, f"Verifying: a first write to {op.target}", (Beat(op.target, op.epoch),))
    done = op.enter("Active", now.wall)
    completed = entry(done, "Completed", "", state.model_copy(update={"epoch": op.epoch}))
    if op.kind == "switchover":
        completed = completed.model_copy(update={"lost_transactions": 0, "lost_seconds": 0.0})
    active = state.model_copy(
        update={
            "epoch": op.epoch,
            "active": op.target,
            "standby": "returning",
            "standby_reason": "",
            "restricted": sorted({*state.restricted, op.source} - {op.target}),
            "operation": None,
            "history": state.remember(completed),
        }
    )
    closed = supersede_read_only(close_request(active, op, "Completed"), desired)
    return Decision(closed, f"Active: {op.target} is the primary at epoch {op.epoch}", holder=op.target)


def assess_action(state: ControlState) -> Assess:
    """Compare the returning site with the position at which the active one was promoted."""
    return Assess(state.standby_site, state.epoch)
