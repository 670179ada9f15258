"""`decide`: the whole control plane of one disaster recovery resource as a pure function.

Invariants, checked by property tests and a simulator:

- the epoch never falls, and no two completed changes share one;
- a Promote is only ever asked for in the step Promoting, which is entered only from Draining, which is entered only
  once the epoch is claimed in the target and the fence of its kind holds (seen read-only; the lease run out and taken;
  or an explicit emergency request);
- an automatic failover needs a reachable witness whose lease ran out, a failed probe series, and a change stream that
  does not answer;
- at rest exactly the active site has its lease renewed, and a site that was deposed is made read-only before anything
  else is done with it.
"""

from __future__ import annotations

from neo4j_dr_operator.failover import reseed, restored
from neo4j_dr_operator.failover.actions import (
    Action,
    Claim,
    Decision,
    LinkPlan,
    MakeReadOnly,
    MakeWritable,
    Promote,
    ReadPosition,
    WriteMark,
    link_for,
)
from neo4j_dr_operator.failover.adoption import adopt, foreign, not_empty, replaced, superseded
from neo4j_dr_operator.failover.endings import count_losses
from neo4j_dr_operator.failover.operations import (
    advance,
    assess_action,
    begin,
    begin_requested,
    escalate,
    hold_deposed,
)
from neo4j_dr_operator.failover.requests import (
    handle_sync,
    handle_target,
    leftovers,
    pending_sync,
    pending_target,
    read_only_wanted,
    settle,
)
from neo4j_dr_operator.failover.state import ControlState, Direction, Operation, Site, Synced, SyncRequest
from neo4j_dr_operator.failover.view import FILLING, Desired, Now, Requested, Seen, direction_of
from neo4j_dr_operator.failover.votes import Ballot, ballot
from neo4j_dr_operator.health.verdict import Verdict


def decide(
    state: ControlState, desired: Desired, seen: Seen, now: Now, dr: str, stream_silence: float = 5.0
) -> Decision:
    """The next state and what to do about it. No I/O, no clock.

    The caller stores a changed state before it runs any action of a later decision; the actions of a decision that
    changed the state are empty or harmless to repeat.
    """
    settled = _reached(settle(state, desired), seen)
    if settled.epoch == 0 or superseded(settled, seen):
        return adopt(settled, desired, seen, dr)
    taken = foreign(seen, dr)
    if taken is not None:
        return Decision(settled, taken)
    votes = ballot(settled, seen, stream_silence)
    if settled.operation is not None:
        request = pending_target(settled, desired)
        if request is not None and _more_urgent(request, settled.operation):
            return Decision(escalate(settled, request, now), "Requested: an emergency failover")
        return restored.halted(advance(settled, desired, seen, votes, now), seen)
    settled = reseed.unfinished(replaced(restored.taken(settled, seen, dr), seen), seen)
    decision = _accept(settled, desired, seen, votes, now) or _rest(settled, desired, seen, now)
    return restored.halted(decision, seen)


def _reached(state: ControlState, seen: Seen) -> ControlState:
    """Remember the address at which a site is seen UP."""
    found = {site: view.address for site, view in seen.sites.items() if view.verdict is Verdict.UP and view.address}
    merged = {**state.reached, **found}
    return state if merged == state.reached else state.model_copy(update={"reached": merged})


def _more_urgent(request: Requested, operation: Operation) -> bool:
    """Whether a request turns the operation under way into an emergency one, which is possible until Promoting."""
    urgent = request.emergency and operation.kind != "emergency" and request.value == operation.target
    return urgent and operation.step not in ("Promoting", "Verifying", "Active")


def _accept(state: ControlState, desired: Desired, seen: Seen, votes: Ballot, now: Now) -> Decision | None:
    """A new request or a death, if there is one."""
    request = pending_target(state, desired)
    if request is not None:
        if request.value == state.active:
            done = handle_target(state, request, "AlreadyActive", now.wall)
            return Decision(done, f"{request.value} is active already", holder=state.active, link=link_for(state))
        kind = "an emergency failover" if request.emergency else "a switchover"
        return Decision(begin_requested(state, request, seen, now), f"Requested: {kind} to {request.value}")
    sync = pending_sync(state, desired)
    if sync is not None:
        direction: Direction = "reverse" if sync.value == "reverse" else "forward"
        refused = None if direction == direction_of(state.active) else f"{direction} points at the active site"
        accepted = SyncRequest(direction=direction, requested_at=now.wall, refused=refused)
        started = handle_sync(state.model_copy(update={"sync": accepted}), sync)
        return Decision(started, f"Sync {direction} requested", holder=state.active, link=link_for(state))
    anew = reseed.begin(state, desired, seen, now)
    if anew is not None:
        return anew
    if desired.by_itself and votes.probe.opinion == "DOWN":
        evidence = tuple(str(vote) for vote in votes.votes)
        return Decision(begin(state, seen, "failover", now, evidence), f"Detected: {votes.probe.evidence}")
    return None


def _rest(state: ControlState, desired: Desired, seen: Seen, now: Now) -> Decision:
    """No operation: keep the active site as wanted, bring the standby to follow, finish what was asked."""
    witness = seen.witness
    if witness is not None and witness.reachable and witness.epoch > state.epoch and state.standby == "following":
        ahead = state.model_copy(update={"epoch": witness.epoch + 1, "synced": None})
        return Decision(ahead, f"The witness was at epoch {witness.epoch}: {state.active} goes on above it")
    actions: list[Action] = list(leftovers(state, desired))
    active = seen.sites[state.active]
    if active.mark is not None and (active.mark.role != "primary" or active.mark.epoch < state.epoch):
        actions.append(WriteMark(state.active, "primary", state.epoch))
    state, holder = _active_access(state, desired, seen, actions)
    state = _progress_sync(state, seen, actions, now)
    state, link, why = _standby(state, seen, actions)
    return Decision(state, why, tuple(actions), link, state.active if holder else None)


def _applied(state: ControlState, seen: Seen, tx: int) -> bool:
    """Whether the following standby has applied the active site's transaction `tx`."""
    link = seen.link
    return (
        state.standby == "following"
        and state.ticket is None
        and link is not None
        and (link.source, link.epoch, link.state) == (state.active, state.epoch, "streaming")
        and link.cursor_tx >= tx
    )


def _active_access(
    state: ControlState, desired: Desired, seen: Seen, actions: list[Action]
) -> tuple[ControlState, bool]:
    """Read-only as its cluster asks, writable otherwise; returns whether heartbeats may be written there."""
    site, view = state.active, seen.sites[state.active]
    if not read_only_wanted(state, desired, site):
        if site not in state.restricted:
            state = _own_late_restriction(state, seen, site)
        elif view.access == "read-write":
            state = state.model_copy(update={"restricted": [s for s in state.restricted if s != site]})
        else:
            actions.append(MakeWritable(site, state.epoch))
        return state.model_copy(update={"synced": None}) if state.synced else state, True
    if site not in state.restricted:
        return state.model_copy(update={"restricted": sorted({*state.restricted, site})}), False
    if view.access != "read-only":
        actions.append(MakeReadOnly(site, state.epoch))
        return state.model_copy(update={"synced": None}) if state.synced else state, False
    if state.synced is None:
        final = seen.results.reading(site, state.epoch, view.access_since, final=True)
        if final is None:
            actions.append(ReadPosition(site, state.epoch, final=True))
            return state, False
        return state.model_copy(update={"synced": Synced(final=final.position, final_tx=final.tx)}), False
    if not state.synced.complete and _applied(state, seen, state.synced.final_tx):
        state = state.model_copy(update={"synced": state.synced.model_copy(update={"complete": True})})
    return state, False


def _own_late_restriction(state: ControlState, seen: Seen, site: Site) -> ControlState:
    """Read-only though nobody wants it is ours to undo: a MakeReadOnly may have landed after it was given up.

    It is stored first: an operator whose state is an old copy must not open what the newer one has fenced.
    """
    if seen.sites[site].access != "read-only":
        return state
    return state.model_copy(update={"restricted": sorted({*state.restricted, site})})


def _progress_sync(state: ControlState, seen: Seen, actions: list[Action], now: Now) -> ControlState:
    """An accepted sync request: fix its goal once the standby follows, then see it applied."""
    sync = state.sync
    if sync is None or sync.complete or sync.refused is not None or state.standby != "following":
        return state
    if sync.goal_tx is None:
        accepted = now.mono - (now.wall - sync.requested_at)
        goal = seen.results.reading(state.active, state.epoch, accepted, final=False)
        if goal is None:
            actions.append(ReadPosition(state.active, state.epoch, final=False))
            return state
        return state.model_copy(update={"sync": sync.model_copy(update={"goal": goal.position, "goal_tx": goal.tx})})
    if _applied(state, seen, sync.goal_tx):
        return state.model_copy(update={"sync": sync.model_copy(update={"complete": True})})
    return state


def _standby(state: ControlState, seen: Seen, actions: list[Action]) -> tuple[ControlState, LinkPlan | None, str]:
    match state.standby:
        case "seed" | "following":
            return _filling(state, seen, actions)
        case "returning":
            return _returning(state, seen, actions)
        case "joining":
            return _joining(state, seen, actions)
        case "restored":
            return _restored(state, seen, actions)
        case _:
            actions.extend(hold_deposed(state, seen))
            return state, None, f"{state.standby_site} is held read-only: {state.standby_reason}"


def _open_standby(state: ControlState, seen: Seen, actions: list[Action]) -> tuple[ControlState, str | None]:
    """Open a standby for the replicator where it was closed; the sentence says what is still awaited."""
    site, view = state.standby_site, seen.sites[state.standby_site]
    if site not in state.restricted:
        return _own_late_restriction(state, seen, site), None
    if view.access == "read-write":
        return state.model_copy(update={"restricted": [s for s in state.restricted if s != site]}), f"{site} is opened"
    if view.verdict is Verdict.UP:
        actions.append(MakeWritable(site, state.epoch))
    return state, f"{site} is opened for the replicator"


def _filling(state: ControlState, seen: Seen, actions: list[Action]) -> tuple[ControlState, LinkPlan | None, str]:
    site, view = state.standby_site, seen.sites[state.standby_site]
    mark, survey = view.mark, view.survey
    untouched = state.standby == "seed" and mark is not None and (mark.role, mark.inbound_phase) == ("absent", None)
    if untouched and survey is not None and not survey.empty:
        return state, None, f"TargetNotEmpty: {not_empty(site)}"
    state, awaited = _open_standby(state, seen, actions)
    if awaited is not None:
        return state, None, awaited
    if view.mark is not None and (view.mark.role, view.mark.epoch) != ("standby", state.epoch):
        actions.append(WriteMark(site, "standby", state.epoch))
        if untouched:
            return state, None, f"{site} is marked as the standby of epoch {state.epoch} before it is filled"
    link = seen.link
    if _link_behind(state, seen):
        actions.append(Claim(state.active, site, state.epoch, filling=state.standby == "seed"))
    state = reseed.taken_up(state, seen)
    streaming = link is not None and (link.source, link.epoch, link.state) == (state.active, state.epoch, "streaming")
    if state.standby == "seed" and streaming and link is not None and reseed.done(state, link):
        filled = state.model_copy(update={"standby": "following", "reseed": None})
        return filled, link_for(filled), f"{site} is seeded and follows"
    verb = "follows" if state.standby == "following" else "is being seeded from"
    return state, link_for(state), f"{site} {verb} {state.active} at epoch {state.epoch}"


def _link_behind(state: ControlState, seen: Seen) -> bool:
    """Whether the link is at an epoch below the state's: after one was spent, workers are stale until it is raised."""
    if seen.results.claim(state.epoch) is not None:
        return False
    link, mark = seen.link, seen.sites[state.standby_site].mark
    older = mark is not None and 0 < mark.inbound_epoch < state.epoch
    if state.standby == "seed":
        return older and mark is not None and mark.inbound_phase in ("streaming", *FILLING)
    stale = link is not None and (link.source, link.epoch, link.reason) == (state.active, state.epoch, "Stale")
    return stale or (older and mark is not None and mark.inbound_phase == "streaming")


def _returning(state: ControlState, seen: Seen, actions: list[Action]) -> tuple[ControlState, LinkPlan | None, str]:
    """Read-only as the first act, then compare, then follow or hold."""
    site, view = state.standby_site, seen.sites[state.standby_site]
    if view.verdict is not Verdict.UP:
        return state, None, f"{state.active} is active; {site} is {view.verdict}: {view.evidence}"
    if view.access != "read-only":
        actions.append(MakeReadOnly(site, state.epoch))
        return state, None, f"{site} is back and is made read-only first"
    if state.barrier is None:
        actions.append(Promote(site, state.active, state.epoch, None))
        barrier = seen.results.barrier if seen.results.promoted == state.epoch else None
        return state.model_copy(update={"barrier": barrier}), None, "looking for the barrier of the last promotion"
    found = seen.results.assessment
    if found is None or (found.site, found.epoch) != (site, state.epoch):
        actions.append(assess_action(state))
        return state, None, f"{site} is compared with {state.active}"
    if found.lost is not None:
        update = {"standby": "lost", "standby_reason": found.lost}
        return state.model_copy(update=update), None, f"{site} cannot be compared: {found.lost}"
    counted = count_losses(state, found.transactions, found.seconds)
    if found.transactions:
        reason = f"{found.transactions} transactions of {site} are not in {state.active}"
        update = {"standby": "diverged", "standby_reason": reason}
        return counted.model_copy(update=update), None, f"Diverged: {reason}"
    return counted.model_copy(update={"standby": "joining"}), None, f"{site} is a prefix of {state.active}"


def _joining(state: ControlState, seen: Seen, actions: list[Action]) -> tuple[ControlState, LinkPlan | None, str]:
    """Open the proven prefix for the replicator and hand the link over, its map inverted."""
    site, view = state.standby_site, seen.sites[state.standby_site]
    state, awaited = _open_standby(state, seen, actions)
    if awaited is not None:
        return state, None, awaited
    if view.mark is not None and (view.mark.role, view.mark.epoch) != ("standby", state.epoch):
        actions.append(WriteMark(site, "standby", state.epoch))
        return state, None, f"{site} is marked as the standby of epoch {state.epoch}"
    link = seen.link
    if link is not None and (link.epoch, link.target, link.state) == (state.epoch, site, "streaming"):
        return state.model_copy(update={"standby": "following"}), link_for(state), f"{site} follows {state.active}"
    return state, link_for(state), f"{site} takes over the link with its map inverted"


def _restored(state: ControlState, seen: Seen, actions: list[Action]) -> tuple[ControlState, LinkPlan | None, str]:
    """What a restore has put there is left alone; the newest epoch is noted beside it, so that no older one counts."""
    site, mark = state.standby_site, seen.sites[state.standby_site].mark
    if mark is not None and mark.role != "absent" and (mark.role, mark.epoch) != ("standby", state.epoch):
        actions.append(WriteMark(site, "standby", state.epoch))
    return state, None, state.standby_reason
