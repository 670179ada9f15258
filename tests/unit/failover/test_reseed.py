from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from neo4j_dr_operator.failover.actions import Claim, Consume, WriteMark
from neo4j_dr_operator.failover.reseed import DOUBTFUL, HEALED, MENDED, advised
from neo4j_dr_operator.failover.state import ControlState, Handled, Reseed, Synced, SyncRequest
from neo4j_dr_operator.failover.view import Claimed, Desired, Mark, Reading, Results, SiteView, Survey
from neo4j_dr_operator.failover.votes import failover_limitation
from neo4j_dr_operator.reporting.report import phase
from tests.machine_inputs import (
    NOW,
    declared,
    down,
    following,
    link,
    operating,
    patched,
    rest,
    seen,
    site,
    standby,
    step,
)

ASKED = Desired(automatic=True, witness=True, reseed=patched("secondary"))
AUTOMATIC = Desired(automatic=True, witness=True, reseed_automatic=True)
MANUAL = Desired(automatic=True, witness=True)


def broken(reason: str, **other: Any) -> Any:
    return seen(link=link(state="failed", reason=reason, message="it is gone", **other))


def asked(ticket: str = "t", epoch: int = 1) -> Reseed:
    return Reseed(ticket=ticket, epoch=epoch, cause="Requested", at=NOW.wall)


def test_a_request_gets_a_ticket_that_goes_to_the_worker_and_is_taken_out_of_the_spec() -> None:
    before = following(synced=Synced(final="c", final_tx=5, complete=True))
    accepted = step(before, ASKED, seen())
    assert accepted.state.ticket == f"1-{int(NOW.wall * 1000)}"
    assert accepted.state.synced is None
    assert accepted.link is not None
    assert (accepted.link.reseed, accepted.link.origin) == (accepted.state.ticket, "seed")
    again = step(accepted.state, ASKED, seen())
    assert again.state == accepted.state
    assert Consume("reseed", "secondary") in again.actions
    assert failover_limitation(again.state, MANUAL, seen()) == (
        "StandbyReseeding: secondary is being filled anew from primary"
    )


def test_the_standby_is_no_copy_from_when_it_says_so_until_that_filling_streams() -> None:
    state = following(reseed=asked())
    untouched = step(state, MANUAL, seen()).state
    assert untouched.standby == "following"  # the worker of before still streams: it can be promoted
    begun = step(state, MANUAL, seen(link=link(state="reseeding", reseed="t"))).state
    assert (begun.standby, phase(begun, seen())) == ("seed", "Reseeding")
    late = step(begun, MANUAL, seen(link=link(reseed="before"))).state
    assert late.standby == "seed"
    filled = step(begun, MANUAL, seen(link=link(reseed="t"))).state
    assert (filled.standby, filled.reseed) == ("following", None)


def test_a_sync_that_somebody_waits_for_is_done_once_the_standby_is_filled_anew() -> None:
    """Towards a goal of its own: the one before may be of a history that the primary has lost."""
    begun = SyncRequest(direction="forward", requested_at=NOW.wall - 60, goal="c", goal_tx=99)
    state = step(following(sync=begun), ASKED, seen()).state
    assert state.sync is not None
    assert state.sync.goal_tx is None
    ticket = state.ticket
    state = step(state, MANUAL, seen(link=link(state="reseeding", reseed=ticket))).state
    assert state.standby == "seed"
    state = step(state, MANUAL, seen(link=link(reseed=ticket))).state
    old, new = Reading("primary", 1, "o", 40, NOW.mono - 1, False), Reading("primary", 1, "n", 50, NOW.mono, False)
    assert step(state, MANUAL, seen(link=link(cursor_tx=45), readings=(old,))).state.sync == state.sync
    state = rest(state, MANUAL, seen(link=link(cursor_tx=45), readings=(old, new))).state
    assert state.sync is not None
    assert (state.sync.goal_tx, state.sync.complete) == (50, False)
    state = rest(state, MANUAL, seen(link=link(cursor_tx=50), readings=(old, new))).state
    assert state.sync is not None
    assert state.sync.complete


@pytest.mark.parametrize("sync", [{"complete": True, "goal_tx": 1}, {"refused": "it points at the active site"}])
def test_a_sync_that_is_over_counts_no_more(sync: dict[str, Any]) -> None:
    over = SyncRequest(direction="forward", requested_at=NOW.wall - 60, **sync)
    assert step(following(sync=over), ASKED, seen()).state.sync is None


@pytest.mark.parametrize("reason", MENDED)
def test_only_what_loses_nothing_heals_by_itself(reason: str) -> None:
    sight = broken(reason)
    assert step(following(), MANUAL, sight).state.ticket is None
    assert (step(following(), AUTOMATIC, sight).state.ticket is not None) is (reason in HEALED)
    half = following(standby="seed")
    assert (step(half, MANUAL, sight).state.ticket is not None) is (reason in HEALED)


def test_a_lost_position_gets_one_ticket_until_the_worker_has_it() -> None:
    first = step(following(), AUTOMATIC, broken("PositionPruned", reseed="")).state
    assert step(first, AUTOMATIC, broken("PositionPruned", reseed="")).state.ticket == first.ticket
    half = first.model_copy(update={"standby": "seed", "reseed": asked("t")})
    assert step(half, AUTOMATIC, broken("PositionPruned", reseed="before")).state.ticket == "t"
    assert step(half, AUTOMATIC, broken("PositionPruned", reseed="t")).state.ticket != "t"


def test_the_active_site_and_one_that_does_not_follow_are_refused() -> None:
    for state, value in ((following(), "primary"), (following(standby="diverged"), "secondary")):
        decision = step(state, Desired(reseed=patched(value)), seen())
        assert decision.why.startswith("ReseedRefused: ")
        assert decision.notes
        assert decision.state.ticket is None
        assert step(decision.state, Desired(reseed=patched(value)), seen()).state == decision.state


def test_a_request_counts_once_and_never_at_the_first_look() -> None:
    fresh = following(handled=Handled())
    looked = step(fresh, Desired(reseed=declared("secondary")), seen()).state
    assert looked.ticket is None
    assert step(looked, Desired(reseed=declared("secondary")), seen()).state.ticket is None
    assert step(looked, Desired(), seen()).state.ticket is None
    taken = step(following(), Desired(reseed=declared("secondary")), seen()).state
    assert taken.ticket is not None
    done = taken.model_copy(update={"reseed": None})
    assert step(done, Desired(reseed=declared("secondary")), seen()).state.ticket is None


def test_a_later_epoch_or_an_operation_ends_a_request() -> None:
    assert following(reseed=asked(), epoch=2).ticket is None
    assert operating("switchover", "ReadOnly").model_copy(update={"reseed": asked()}).ticket is None
    assert ControlState().ticket is None


def test_what_can_be_mended_says_the_line_to_type() -> None:
    for reason in MENDED:
        told = advised(link(state="failed", reason=reason, message="m"), "dr")
        assert told is not None
        assert told.message.endswith(
            'kubectl patch neo4jdisasterrecovery dr --type=merge -p \'{"spec":{"sync":{"reseed":"secondary"}}}\''
        )
        assert ("promote the standby" in told.message) is (reason in DOUBTFUL)
    other = link(state="failed", reason="SourceUnreachable", message="m")
    assert advised(other, "dr") == other
    assert advised(None, "dr") is None


def test_a_filling_anew_that_an_operation_has_overtaken_is_seen_and_goes_on_at_the_new_epoch() -> None:
    """The ticket ended with its epoch; the link in the standby's database fills it all the same."""
    half = site("standby", 3, inbound={"inbound_phase": "seeding", "inbound_epoch": 1})
    sight = seen(
        sites={"primary": site(epoch=3), "secondary": half},
        link=link(epoch=3, state="attaching", reason="Stale"),
    )
    decision = step(following(epoch=3, reseed=asked()), MANUAL, sight)
    assert decision.state.standby == "seed"
    assert Claim("primary", "secondary", 3, filling=True) in decision.actions
    assert decision.link is not None
    assert failover_limitation(decision.state, MANUAL, sight) is not None
    claimed = replace(sight, results=Results(claimed=Claimed(3, "c", 1)))
    assert not [each for each in step(decision.state, MANUAL, claimed).actions if isinstance(each, Claim)]
    filled = seen(sites={"primary": site(epoch=3), "secondary": standby(3)}, link=link(epoch=3, reseed="t"))
    assert step(decision.state, MANUAL, filled).state.standby == "following"


def test_a_link_that_filled_its_target_in_this_epoch_is_not_taken_for_one_that_still_does() -> None:
    """What was read of the standby may be from before its link streamed."""
    before = site("standby", 1, inbound={"inbound_phase": "catching-up", "inbound_epoch": 1})
    sight = seen(sites={"primary": site(), "secondary": before})
    assert step(following(), MANUAL, sight).state.standby == "following"


AWAY = ["returning", "joining", "diverged", "lost"]


@pytest.mark.parametrize("away", AWAY)
def test_an_empty_database_in_the_place_of_an_old_primary_is_filled(away: Any) -> None:
    state = following(epoch=2, active="secondary", standby=away, barrier="b", standby_reason="it has more")
    new = site(mark=Mark("absent", 0), survey=Survey("new", empty=True, capture=True))
    sight = seen(sites={"primary": new, "secondary": site(epoch=2)}, link=None)
    seeded = step(state, MANUAL, sight)
    assert (seeded.state.standby, seeded.state.standby_reason) == ("seed", "")
    assert seeded.actions == (WriteMark("primary", "standby", 2),)
    marked = seen(sites={"primary": site("standby", 2), "secondary": site(epoch=2)}, link=None)
    filling = step(seeded.state, MANUAL, marked).link
    assert filling is not None
    assert (filling.source, filling.target, filling.origin, filling.reseed) == ("secondary", "primary", "seed", None)


@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize(
    "there",
    [
        site(mark=Mark("absent", 0), survey=Survey("new", empty=False, capture=True)),
        site(mark=Mark("absent", 0)),
        site(mark=Mark("absent", 0, links=("secondary>primary",)), survey=Survey("new", empty=True, capture=True)),
        site("primary", 1),
        down(site(mark=Mark("absent", 0), survey=Survey("new", empty=True, capture=True))),
    ],
    ids=["holds data", "not looked at", "holds a link", "the old one", "down"],
)
def test_nothing_else_is(away: Any, there: SiteView) -> None:
    state = following(epoch=2, active="secondary", standby=away, barrier="b", standby_reason="it has more")
    sight = seen(sites={"primary": there, "secondary": site(epoch=2)}, link=None)
    assert step(state, MANUAL, sight).state.standby == away
