"""When a resource is looked at again: at rest seldom, and never too late for what matters."""

from __future__ import annotations

from dataclasses import replace

import machine_inputs
import pytest

from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.state import ControlState, Synced, SyncRequest
from neo4j_dr_operator.failover.view import Desired, Seen, ShippingView
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.recovery import due
from tests.machine_inputs import DEAD_LINK, SILENT, down, following, link, operating, seen, site, standby

DIVERGED = following(standby="diverged", restricted=["secondary"])
SHIPPING = ShippingView("primary", 1, "shipping", segment=4, position="p", shipped_at=1.0, up_to=2.0, backlog=0)


def step(state: ControlState, view: Seen) -> Decision:
    """One decision over a spec that asks for automatic failover and nothing else."""
    return machine_inputs.step(state, Desired(automatic=True, witness=True), view)


def moved_on(view: Seen) -> Seen:
    """The same world some heartbeats and probes later."""
    assert view.link is not None
    sites = {name: replace(each, access_at=each.access_at + 30) for name, each in view.sites.items()}
    return replace(view, sites=sites, link=replace(view.link, cursor="later", cursor_tx=99, read_age=0.4))


@pytest.mark.parametrize(
    ("state", "view"),
    [
        (following(), seen()),
        (following(), seen(sites={"primary": site(), "secondary": down(standby())})),
        (following(synced=Synced(final="c", final_tx=10, complete=True), restricted=["primary"]), seen()),
        (DIVERGED, seen(sites={"primary": site(), "secondary": standby(access="read-only")})),
    ],
    ids=["following", "standby down", "synced", "diverged"],
)
def test_what_is_left_out_changes_no_decision_at_rest(state: ControlState, view: Seen) -> None:
    later = moved_on(view)
    assert due.essence(later, SHIPPING) == due.essence(view, replace(SHIPPING, segment=5, up_to=9.0, shipped_at=9.0))
    first, second = step(state, view), step(state, later)
    assert not due.under_way(first, view)
    assert (first.state, first.actions, first.link, first.holder, first.why) == (
        second.state,
        second.actions,
        second.link,
        second.holder,
        second.why,
    )


@pytest.mark.parametrize(
    "news",
    [
        seen(sites={"primary": down(site()), "secondary": standby()}),
        seen(sites={"primary": site(access="read-only"), "secondary": standby()}),
        seen(sites={"primary": site(epoch=2), "secondary": standby()}),
        seen(link=DEAD_LINK),
        seen(link=link(state="failed", reason="Stale")),
        seen(link=None),
        seen(witness=SILENT),
        seen(promoted=2),
    ],
)
def test_what_matters_is_news(news: Seen) -> None:
    assert due.essence(news, None) != due.essence(seen(), None)


def test_a_shipper_in_trouble_is_news() -> None:
    assert due.essence(seen(), replace(SHIPPING, reason="NotEncrypted")) != due.essence(seen(), SHIPPING)


def test_pauses() -> None:
    assert due.pause(step(following(), seen()), seen()) == due.FOLLOWING
    lone = seen(link=None, sites={"primary": site(), "secondary": standby(access="read-only")})
    assert due.pause(step(DIVERGED, lone), lone) == due.IDLE


@pytest.mark.parametrize(
    "state",
    [
        operating("switchover", "Draining"),
        following(synced=Synced(final="c", final_tx=99), restricted=["primary"]),
        following(sync=SyncRequest(direction="forward", requested_at=1.0, goal="c", goal_tx=99)),
        following(standby="seed"),
        following(standby="joining"),
    ],
    ids=["operation", "final position", "sync goal", "seed", "joining"],
)
def test_while_anything_is_under_way_no_report_is_missed(state: ControlState) -> None:
    view = seen(link=link(state="catching-up"))
    assert due.under_way(replace(step(state, view), state=state), view)


def test_a_failed_action_is_tried_again() -> None:
    """An action that is asked for and fails leaves no trace in what is seen: time alone brings the next attempt."""
    view = seen(sites={"primary": site(), "secondary": standby(epoch=0)})
    decision = step(following(), view)
    assert decision.actions
    assert due.pause(decision, view) == due.TICK


def test_a_process_that_has_just_begun() -> None:
    """It is acquainted once both sites, the witness and the link have answered."""
    decision = step(following(), seen())
    assert due.acquainted(decision, seen())
    unprobed = replace(site(), verdict=Verdict.UNKNOWN)
    assert not due.acquainted(decision, seen(sites={"primary": unprobed, "secondary": standby()}))
    assert not due.acquainted(decision, seen(link=None))
    assert not due.acquainted(decision, seen(link=link(state="attaching")))
    assert not due.acquainted(decision, seen(witness=replace(SILENT, reachable=False)))
    assert due.acquainted(replace(decision, link=None), seen(link=None))
