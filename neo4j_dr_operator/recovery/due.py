"""When a resource has to be looked at again, and which news make that needed. Pure.

A look costs a decision, a whole status and its comparison: cheap once, not twice a second for fifty resources in which
nothing happens. While anything is under way every report counts and time alone does too; at rest only what a decision
or a status could come out differently for.
"""

from __future__ import annotations

from dataclasses import replace

from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Seen, ShippingView
from neo4j_dr_operator.health.verdict import Verdict

TICK = 0.5
"""Seconds between two looks while something is under way: steps have a patience, failed actions are tried again."""
FOLLOWING = 5.0
"""Seconds between two looks at a link at rest: as old may the lag that is shown be."""
BEGINNING = 10.0
"""Seconds after its start in which a process does not overwrite what is told with how little it has seen yet."""
IDLE = 60.0
"""Seconds between two looks where no link is wanted: everything that could change anything wakes the loop."""


def under_way(decision: Decision, seen: Seen) -> bool:
    """Whether time or any single report may change the next decision, or move what a status shows of progress."""
    state = decision.state
    if state.operation is not None or decision.actions or _unfinished(state):
        return True
    filling = state.epoch > 0 and state.standby in ("seed", "joining") and decision.link is not None
    return filling and (seen.link is None or seen.link.state != "failed")


def _unfinished(state: ControlState) -> bool:
    """Whether a final position or a sync goal waits to be applied: any report may be the one that says so."""
    sync, synced = state.sync, state.synced
    if synced is not None and not synced.complete:
        return True
    return sync is not None and sync.refused is None and not sync.complete


def pause(decision: Decision, seen: Seen) -> float:
    """Seconds after which a resource is looked at again when nothing wakes it before."""
    if under_way(decision, seen):
        return TICK
    return FOLLOWING if decision.link is not None else IDLE


def acquainted(decision: Decision, seen: Seen) -> bool:
    """Whether enough has been seen to tell something: a process that has just begun knows less than what is stored."""
    if any(view.verdict is Verdict.UNKNOWN for view in seen.sites.values()):
        return False
    if seen.witness is not None and not seen.witness.reachable:
        return False
    return decision.link is None or (seen.link is not None and seen.link.state not in ("starting", "attaching"))


def essence(seen: Seen, shipping: ShippingView | None) -> tuple[object, ...]:
    """What was seen without what changes with every probe and report: two equal ones lead to the same at rest.

    Left out are when the access was read last, and how far link and shipper are.
    """
    sites = {site: replace(view, access_at=0.0) for site, view in seen.sites.items()}
    link = seen.link and replace(seen.link, cursor=None, cursor_tx=-1, read_age=None)
    shipped = shipping and (
        shipping.site,
        shipping.epoch,
        shipping.state,
        shipping.reason,
        shipping.message,
        shipping.gap,
    )
    return replace(seen, sites=sites, link=link, drain=None), shipped
