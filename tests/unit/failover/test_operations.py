"""Fence first, promote second; the way back outranks whatever may still land."""

from __future__ import annotations

import pytest

from neo4j_dr_operator.failover.actions import Claim, Promote
from neo4j_dr_operator.failover.state import ControlState, Step
from neo4j_dr_operator.failover.view import Claimed, Desired, Now, Reading
from tests.machine_inputs import NOW, down, kinds, link, operating, patched, rest, seen, site, standby, step

QUIET = Desired()
FENCED = {"primary": site(access="read-only"), "secondary": standby()}


def late(seconds: float) -> Now:
    return Now(NOW.wall, NOW.mono, NOW.mono - seconds)


def promoting(kind: str = "switchover") -> ControlState:
    return operating(kind, "Promoting", final="f", final_tx=9)


def test_a_switchover_fences_before_it_reads_the_final_position() -> None:
    state = operating("switchover", "ReadOnly")
    assert kinds(step(state, QUIET, seen()).actions) == {"MakeReadOnly"}
    stale = seen(sites={"primary": site(access="read-only", at=980.0), "secondary": standby()})
    assert kinds(step(state, QUIET, stale).actions) == {"MakeReadOnly"}, "a look from before the step proves nothing"
    entered = step(state, QUIET, seen(sites=FENCED)).state.operation
    assert entered is not None
    assert entered.step == "Fencing"


def test_fencing_waits_for_the_old_worker_to_end_before_it_claims() -> None:
    state = operating("switchover", "Fencing")
    assert kinds(step(state, QUIET, seen(sites=FENCED)).actions) == {"ReadPosition"}
    assert kinds(step(state, QUIET, seen(sites=FENCED, link=None)).actions) == {"ReadPosition", "Claim"}


def test_a_fence_that_was_lost_is_closed_and_read_again() -> None:
    reading = (Reading("primary", 2, "f", 9, 992.0, final=True),)
    state, claimed = operating("switchover", "Fencing"), Claimed(2, "c", 9)
    opened = seen(link=None, readings=reading, claimed=claimed)
    assert kinds(step(state, QUIET, opened).actions) == {"MakeReadOnly"}
    again = {"primary": site(access="read-only", access_since=994.0), "secondary": standby()}
    closed = seen(sites=again, link=None, readings=reading, claimed=claimed)
    assert kinds(step(state, QUIET, closed).actions) == {"ReadPosition"}


def test_a_drain_ends_at_the_final_position_and_not_before() -> None:
    state = operating("switchover", "Draining", final="f", final_tx=9)
    behind = seen(link=link(epoch=2, cursor_tx=8), claimed=Claimed(2, "c", 7))
    assert step(state, QUIET, behind).state == state
    after = step(state, QUIET, seen(link=link(epoch=2, cursor_tx=9, compared=True))).state.operation
    assert after is not None
    assert after.step == "Promoting"


def test_a_drain_waits_for_the_schema_to_be_compared_but_not_for_long() -> None:
    state = operating("switchover", "Draining", final="f", final_tx=9)
    drained = seen(link=link(epoch=2, cursor_tx=9), claimed=Claimed(2, "c", 7))
    assert step(state, QUIET, drained, late(4)).state == state
    for sight, now in ((drained, late(6)), (seen(link=None, claimed=Claimed(2, "c", 9)), late(0))):
        after = step(state, QUIET, sight, now).state.operation
        assert after is not None
        assert after.step == "Promoting"


@pytest.mark.parametrize("kind", ["switchover", "emergency", "failover"])
def test_nothing_enters_promoting_towards_a_standby_that_is_down(kind: str) -> None:
    sites = {"primary": down(site()), "secondary": down(standby())}
    state = operating(kind, "Draining", final_tx=None)
    sight = seen(sites=sites, link=None, claimed=Claimed(2, "c", 9))
    assert step(state, QUIET, sight).state == state
    after = step(state, QUIET, sight, late(61)).state
    assert (after.operation, after.epoch) == (None, 3)


def test_a_switchover_promotes_only_over_a_primary_seen_read_only_in_this_step() -> None:
    assert kinds(step(promoting(), QUIET, seen()).actions) == {"MakeReadOnly"}
    assert step(promoting(), QUIET, seen(sites=FENCED)).actions == (Promote("primary", "secondary", 2, "f"),)


@pytest.mark.parametrize("failed", ["FenceBroken: 1 transactions came after", "Stale: cannot be promoted"])
def test_a_promotion_is_taken_back_by_a_higher_claim_only(failed: str) -> None:
    sight = seen(sites=FENCED, failed=failed)
    decision = step(promoting(), QUIET, sight)
    assert decision.state == promoting()
    assert decision.actions == (Claim("primary", "secondary", 3),)
    after = step(promoting(), QUIET, seen(sites=FENCED, failed=failed, claimed=Claimed(3, "c", 9))).state
    assert (after.operation, after.epoch, after.active) == (None, 3, "primary")
    assert after.history[-1].result == "RolledBack"


def test_a_promotion_that_happened_is_never_taken_back() -> None:
    done = {"primary": site(), "secondary": site("primary", 2, inbound={"inbound_phase": "frozen"})}
    decision = step(promoting(), QUIET, seen(sites=done, failed="FenceBroken: writable"), late(100))
    assert decision.actions == (Promote("primary", "secondary", 2, None),)


def test_a_switchover_whose_primary_dies_in_promoting_is_taken_back_in_time() -> None:
    sites = {"primary": down(site(access="read-only", at=900.0)), "secondary": standby()}
    assert kinds(step(promoting(), QUIET, seen(sites=sites)).actions) == {"MakeReadOnly"}
    assert kinds(step(promoting(), QUIET, seen(sites=sites), late(31)).actions) == {"Claim"}


@pytest.mark.parametrize("at", ["Requested", "ReadOnly", "Fencing", "Draining"])
def test_an_emergency_takes_over_a_switchover_that_hangs(at: Step) -> None:
    state = operating("switchover", at)
    handled = state.handled.model_copy(update={"target": "secondary", "target_owner": "patch"})
    state = state.model_copy(update={"handled": handled})
    after = step(state, Desired(target=patched("secondary", emergency=True)), seen()).state
    assert after.operation is not None
    assert (after.operation.kind, after.operation.step, after.operation.epoch) == ("emergency", "Requested", 2)


def test_an_emergency_comes_too_late_in_promoting() -> None:
    after = step(promoting(), Desired(target=patched("secondary", emergency=True)), seen(sites=FENCED)).state
    assert after.operation is not None
    assert after.operation.kind == "switchover"


def test_a_dead_primary_needs_no_fence_in_an_emergency() -> None:
    sites = {"primary": down(site()), "secondary": standby()}
    sight = seen(sites=sites, link=None, claimed=Claimed(2, "c", 7))
    decision = rest(operating("emergency", "Fencing"), QUIET, sight)
    assert decision.state.operation is not None
    assert decision.state.operation.step == "Promoting"
    assert decision.state.operation.fenced_by == "request"


def test_a_target_that_was_closed_late_is_opened_after_that_is_stored() -> None:
    sites = {"primary": site(access="read-only"), "secondary": site("primary", 2, access="read-only")}
    state = operating("switchover", "Verifying")
    first = step(state, QUIET, seen(sites=sites))
    assert first.actions == ()
    assert first.state.restricted == ["primary", "secondary"]
    assert kinds(step(first.state, QUIET, seen(sites=sites)).actions) == {"Beat", "MakeWritable"}


def test_a_completed_switchover_deposes_the_old_primary_first() -> None:
    decision = step(operating("switchover", "Verifying"), QUIET, seen(beaten=2))
    state = decision.state
    assert (state.epoch, state.active, state.standby, state.restricted) == (2, "secondary", "returning", ["primary"])
    entry = state.history[-1]
    assert (entry.result, entry.lost_transactions) == ("Completed", 0)
