"""The highest epoch wins; a spec decides only where there is none (P7)."""

from __future__ import annotations

import pytest

from neo4j_dr_operator.failover.state import ControlState, HistoryEntry
from neo4j_dr_operator.failover.view import Desired, Mark, Seen, SiteView, Survey, WitnessView
from tests.machine_inputs import DR, down, following, kinds, link, operating, seen, site, standby, step

NEW = ControlState()
WITNESSED = Desired(witness=True)
ABSENT = site(mark=Mark("absent", 0), survey=Survey("a", empty=False, capture=True))
EMPTY = site(mark=Mark("absent", 0), survey=Survey("b", empty=True, capture=True))


def adopt(primary: SiteView, secondary: SiteView, desired: Desired = WITNESSED, **other: object) -> ControlState:
    sight = seen(**{"sites": {"primary": primary, "secondary": secondary}, "witness": None, "link": None} | other)
    decision = step(NEW, desired, sight)
    assert decision.actions == ()
    assert decision.link is None
    return decision.state


def test_new_databases_are_what_the_spec_says() -> None:
    state = adopt(ABSENT, EMPTY)
    assert (state.epoch, state.active, state.standby) == (1, "primary", "seed")


@pytest.mark.parametrize(
    ("primary", "secondary", "reason"),
    [
        (Survey("a", True, True), Survey("a", True, True), "SameDatabase"),
        (Survey("a", True, True), Survey("b", False, True), "TargetNotEmpty"),
        (Survey("", True, True), Survey("", False, True), "TargetNotEmpty"),
        (Survey("a", False, False), Survey("b", True, True), "ChangeCaptureDisabled"),
        (Survey("a", False, True), Survey("b", True, False), "ChangeCaptureDisabled"),
        (None, Survey("b", True, True), "Adopting"),
        (Survey("a", True, True), None, "Adopting"),
    ],
)
def test_an_unfit_pair_is_refused_before_anything_is_written(
    primary: Survey | None, secondary: Survey | None, reason: str
) -> None:
    views = {
        name: site(mark=Mark("absent", 0), survey=found)
        for name, found in (("primary", primary), ("secondary", secondary))
    }
    decision = step(NEW, WITNESSED, seen(sites=views, witness=None, link=None))
    assert decision.why.startswith(f"{reason}: ")
    assert (decision.state.epoch, decision.actions, decision.link) == (0, (), None)


def test_one_of_several_standbys_is_not_taken_for_another() -> None:
    follower = site(mark=Mark("standby", 3, DR, site="eu"))
    decision = step(NEW, WITNESSED, seen(sites={"primary": site(epoch=3), "secondary": follower}, link=None))
    assert decision.why.startswith("OtherStandby: the database of secondary is the one of standby eu")
    assert (decision.state.epoch, decision.actions, decision.link) == (0, (), None)


def test_a_standby_is_marked_before_it_is_filled_and_never_when_it_holds_data() -> None:
    """Two resources over one pair race for the mark, and only the owner seeds."""
    state = following(standby="seed")
    fresh = step(state, Desired(), seen(sites={"primary": site(), "secondary": EMPTY}, link=None))
    assert (kinds(fresh.actions), fresh.link) == ({"WriteMark"}, None)
    full = site(mark=Mark("absent", 0), survey=Survey("b", empty=False, capture=True))
    refused = step(state, Desired(), seen(sites={"primary": site(), "secondary": full}, link=None))
    assert refused.why.startswith("TargetNotEmpty: ")
    assert (refused.actions, refused.link) == ((), None)
    marked = step(state, Desired(), seen(sites={"primary": site(), "secondary": site("standby", 1)}, link=None))
    assert marked.link is not None


def test_a_recreated_resource_follows_the_databases_and_not_the_spec() -> None:
    old, new = site("primary", 1), site("primary", 2, inbound={"inbound_phase": "frozen", "inbound_epoch": 2})
    state = adopt(old, new)
    assert (state.epoch, state.active, state.standby) == (2, "secondary", "returning")
    assert state.restricted == ["primary", "secondary"]


def test_a_following_standby_is_taken_over_as_it_is_even_after_a_spent_epoch() -> None:
    behind = site("standby", 3, inbound={"inbound_phase": "streaming", "inbound_epoch": 1})
    state = adopt(site("primary", 3), behind)
    assert (state.epoch, state.active, state.standby) == (3, "primary", "following")


def test_a_handover_cut_short_goes_on() -> None:
    half = site("standby", 2, inbound={"inbound_phase": "handover", "inbound_epoch": 2})
    assert adopt(half, site("primary", 2)).standby == "joining"


def test_a_half_filled_standby_goes_on_being_seeded() -> None:
    half = site("standby", 1, inbound={"inbound_phase": "seeding", "inbound_epoch": 1})
    assert adopt(site("primary", 1), half).standby == "seed"


@pytest.mark.parametrize("heard", ["primary", "secondary"])
def test_one_site_alone_could_be_the_stale_one(heard: str) -> None:
    views = {name: site("primary", 1) if name == heard else SiteView() for name in ("primary", "secondary")}
    assert adopt(views["primary"], views["secondary"]).epoch == 0
    deaf = WitnessView(False, "timed out", 1, "primary")
    assert adopt(views["primary"], views["secondary"], witness=deaf).epoch == 0


def test_one_site_and_the_witness_are_enough_when_they_agree() -> None:
    state = adopt(SiteView(), site("primary", 4), witness=WitnessView(True, epoch=4, holder="secondary"))
    assert (state.epoch, state.active, state.standby) == (4, "secondary", "returning")


def test_the_site_that_was_heard_is_not_active_when_the_witness_names_the_other() -> None:
    assert adopt(site("primary", 1), SiteView(), witness=WitnessView(True, epoch=2, holder="secondary")).epoch == 0


def test_no_epoch_anywhere_says_nothing_while_a_site_is_unheard() -> None:
    """The witness may be new, the one database heard rebuilt, and the other one the primary of epoch 5."""
    assert adopt(ABSENT, SiteView(), witness=WitnessView(True)).epoch == 0


def test_the_database_of_another_resource_is_refused() -> None:
    taken = site("primary", 3, mark=Mark("primary", 3, "elsewhere/other"))
    sight = seen(sites={"primary": ABSENT, "secondary": taken}, link=None)
    decision = step(NEW, WITNESSED, sight)
    assert decision.state.epoch == 0
    assert decision.why.startswith("OwnedByAnother")


def test_a_status_restored_from_a_backup_yields_to_the_databases() -> None:
    entry = HistoryEntry(epoch=1, kind="switchover", source="secondary", target="primary", result="Completed")
    old = following(history=[entry])
    sites = {"primary": standby(3), "secondary": site("primary", 3, inbound={"inbound_phase": "frozen"})}
    decision = step(old, WITNESSED, seen(sites=sites))
    assert (decision.state.epoch, decision.state.active) == (3, "secondary")
    assert decision.state.standby == "following"
    assert decision.state.history == [entry]
    assert decision.actions == ()


def test_an_old_status_does_nothing_while_it_cannot_know_better() -> None:
    sites = {"primary": site("standby", 3), "secondary": down(SiteView())}
    decision = step(following(), Desired(), seen(sites=sites))
    assert decision.actions == ()
    assert decision.holder is None


def test_its_own_promotion_is_not_a_newer_truth() -> None:
    sites = {"primary": site(), "secondary": site("primary", 2, inbound={"inbound_phase": "frozen"})}
    state = operating("switchover", "Promoting", final="f", final_tx=9)
    assert step(state, WITNESSED, seen(sites=sites)).state.operation == state.operation


def test_a_witness_ahead_of_a_quiet_pair_is_outranked() -> None:
    ahead = WitnessView(True, epoch=6, holder="secondary")
    decision = step(following(), WITNESSED, seen(witness=ahead))
    assert decision.state.epoch == 7
    assert decision.state.active == "primary"


def test_a_returning_site_without_a_mark_is_compared_and_not_seeded() -> None:
    """It may be an old primary that was fenced before its mark was written, full of data."""
    closed = site(access="read-only", mark=Mark("absent", 0))
    sight = Seen({"primary": closed, "secondary": site("primary", 2)}, link=link(epoch=2, source="secondary"))
    state = following(epoch=2, active="secondary", standby="returning", barrier="b")
    decision = step(state, Desired(), sight)
    assert decision.state.standby == "returning"
    assert kinds(decision.actions) >= {"Assess"}
