"""When a standby is filled anew: by request, or by itself where the resource allows it and nothing can be lost. Pure.

A lost position never heals in silence. `spec.replication.reseed: automatic` covers the two causes after which the
primary is the same database with the same history (`HEALED`); one that was replaced or restored may lack what the
standby holds, so people have to say which of the two is to be kept. A standby that is not a copy yet (`seed`) has
nothing to lose to those two causes, so its filling starts over by itself.

The request is carried out once: it gets a ticket, kept in the state and, from the transaction that begins, in the
standby's own link node. Until that transaction the standby is what it was, and can be promoted.
"""

from __future__ import annotations

from dataclasses import replace

from neo4j_dr_operator.failover.actions import Decision, link_for
from neo4j_dr_operator.failover.requests import handle_reseed, pending_reseed
from neo4j_dr_operator.failover.state import ControlState, Reseed, Site, SyncRequest
from neo4j_dr_operator.failover.view import FILLING, Desired, LinkView, Now, Seen
from neo4j_dr_operator.graph.note import spoken

HEALED = ("PositionPruned", "CaptureInterrupted")
"""Causes that `automatic` covers."""
DOUBTFUL = ("SourceReplaced", "SourceRestored")
"""Causes after which the standby may hold what the primary has lost."""
MENDED = (*HEALED, *DOUBTFUL, "PositionLost", "TargetAltered", "TargetReplaced", "LinkMissing")
"""What filling the standby anew mends."""


def begin(state: ControlState, desired: Desired, seen: Seen, now: Now) -> Decision | None:
    """Accept a request, or what the resource allows, if there is one."""
    request = pending_reseed(state, desired)
    if request is not None:
        handled = handle_reseed(state, request)
        refused = _refusal(state, seen, request.value)
        if refused is not None:
            why = f"ReseedRefused: {refused}"
            return Decision(handled, why, holder=state.active, link=link_for(handled), notes=(why,))
        site = state.standby_site
        return _begun(handled, now, "Requested", f"{site} is to be filled anew from {state.active}, as requested")
    link = seen.link
    if link is None or (link.source, link.epoch, link.state) != (state.active, state.epoch, "failed"):
        return None
    if link.reason not in HEALED or state.ticket not in (None, link.reseed):
        return None
    if state.standby == "seed" or (state.standby == "following" and desired.reseed_automatic and not state.ticket):
        return _begun(state, now, link.reason, f"{link.reason}: {link.target} is filled anew from {link.source}")
    return None


def _refusal(state: ControlState, seen: Seen, site: str) -> str | None:
    if site == state.active:
        return f"{site} is active: what it holds is never overwritten"
    if (restore := seen.held.get(state.standby_site)) is not None:
        return f"restore {spoken(restore)} is carried out in {site}: wait for its end, or delete its Neo4jRestore"
    if state.standby not in ("following", "seed", "restored"):
        return (
            f"{site} does not follow {state.active} ({state.standby}): save what only it has, then give it an empty "
            "database, which is filled by itself"
        )
    return None


def _begun(state: ControlState, now: Now, cause: str, why: str) -> Decision:
    """What was said to be synced counts no more (P11); a sync that is still to be done is, with a goal of its own."""
    asked = Reseed(ticket=f"{state.epoch}-{int(now.wall * 1000)}", epoch=state.epoch, cause=cause, at=now.wall)
    owed = _owed(state.sync)
    if owed is not None:
        owed = owed.model_copy(update={"requested_at": now.wall, "goal": None, "goal_tx": None})
    begun = state.model_copy(update={"reseed": asked, "synced": None, "sync": owed})
    if state.standby == "restored":
        update = {"standby": "seed", "standby_reason": "", "restored": "", "resumed": state.restored}
        begun = begun.model_copy(update=update)
    return Decision(begun, why, holder=state.active, link=link_for(begun))


def _owed(sync: SyncRequest | None) -> SyncRequest | None:
    """The sync that was accepted and is not done: somebody waits for it."""
    return None if sync is None or sync.complete or sync.refused is not None else sync


def taken_up(state: ControlState, seen: Seen) -> ControlState:
    """The state once the standby itself says that it is being filled anew: it is no copy until it streams."""
    link = seen.link
    if state.ticket is None or state.standby != "following" or link is None or link.reseed != state.ticket:
        return state
    return state.model_copy(update={"standby": "seed", "synced": None, "sync": _owed(state.sync)})


def unfinished(state: ControlState, seen: Seen) -> ControlState:
    """The state of a standby whose filling anew had begun before an operation, unnoticed, and is not over.

    The operation ended the request, but not what stands in the database: a link of an earlier epoch that fills it.
    """
    mark = seen.sites[state.standby_site].mark
    if state.standby != "following" or mark is None or mark.inbound_phase not in FILLING:
        return state
    if mark.inbound_epoch >= state.epoch:
        return state  # as it was before it streamed, or `taken_up` tells
    return state.model_copy(update={"standby": "seed", "synced": None, "sync": _owed(state.sync)})


def done(state: ControlState, link: LinkView) -> bool:
    """Whether a link that streams is the filling that was asked for, and not still the one before."""
    return state.ticket in (None, link.reseed)


def advised(link: LinkView | None, name: str) -> LinkView | None:
    """The link, its message with the line to type where filling the standby anew mends what is wrong.

    `name`: of the resource.
    """
    if link is None or link.reason not in MENDED:
        return link
    careful = (
        "see first which side lacks data: if the primary does, promote the standby (failover.target with emergency); "
        if link.reason in DOUBTFUL
        else ""
    )
    return replace(link, message=f"{link.message}; {careful}to fill {link.target} anew: {line(name, link.target)}")


def line(name: str, site: Site) -> str:
    """The request as people type it."""
    return f'kubectl patch neo4jdisasterrecovery {name} --type=merge -p \'{{"spec":{{"sync":{{"reseed":"{site}"}}}}}}\''
