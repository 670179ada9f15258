"""A standby that a restore has taken: never promoted, not by emergency either, and it follows nobody until resumed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from neo4j_dr_operator.failover.actions import Promote
from neo4j_dr_operator.failover.adoption import adopt
from neo4j_dr_operator.failover.restored import halted, steps_aside, taken
from neo4j_dr_operator.failover.state import ControlState, Reseed, Synced, SyncRequest
from neo4j_dr_operator.failover.view import Desired, Mark, RestoreMark, Seen, SiteView
from neo4j_dr_operator.failover.votes import failover_limitation, promotion_limitation
from neo4j_dr_operator.reporting.objectives import Objectives
from neo4j_dr_operator.reporting.report import conditions, phase
from tests.machine_inputs import (
    DR,
    NOW,
    SILENT,
    down,
    following,
    kinds,
    link,
    operating,
    patched,
    rest,
    seen,
    site,
    standby,
    step,
)

NAME = "production/back/3c2f"
LINE = (
    'kubectl patch neo4jdisasterrecovery cross-region-dr --type=merge -p \'{"spec":{"sync":{"reseed":"secondary"}}}\''
)
AUTOMATIC = Desired(automatic=True, witness=True)
COMPLETE, BEGUN = RestoreMark(NAME, True), RestoreMark(NAME, False)


def noted(note: RestoreMark | None = COMPLETE, role: str = "standby", **other: Any) -> SiteView:
    """A site with a restore's note: its link is gone."""
    return site(mark=Mark(role, 1, DR, restore=note), **other)  # type: ignore[arg-type]


def restored(note: RestoreMark = COMPLETE, **other: Any) -> Seen:
    known: dict[str, Any] = {"sites": {"primary": site(), "secondary": noted(note)}, "link": None}
    return seen(**(known | other))


def after(note: RestoreMark = COMPLETE, **other: Any) -> ControlState:
    """At rest with a restored standby."""
    return rest(following(**other), AUTOMATIC, restored(note)).state


def told(state: ControlState, sight: Seen, desired: Desired = AUTOMATIC) -> dict[str, tuple[bool | None, str, str]]:
    decision = step(state, desired, sight)
    found = conditions(decision.state, desired, sight, decision.why, Objectives())
    return {claim.type: (claim.holds, claim.reason, claim.message) for claim in found}


@pytest.mark.parametrize("was", ["following", "seed", "returning", "joining", "diverged", "lost"])
def test_the_note_takes_a_standby_wherever_it_stood(was: str) -> None:
    before = following(standby=was, synced=Synced(final="c", final_tx=5, complete=True))
    decision = rest(before, AUTOMATIC, restored())
    assert (decision.state.standby, decision.state.restored, decision.state.synced) == ("restored", NAME, None)
    assert (decision.link, decision.holder) == (None, "primary")
    assert "Promote" not in kinds(decision.actions)
    assert decision.why == decision.state.standby_reason
    assert decision.why.startswith("Restored: secondary holds what restore production/back has put there")
    assert decision.why.endswith(LINE)


def test_what_people_are_told_names_the_line() -> None:
    state = after()
    found = told(state, restored())
    for kind in (
        "Ready",
        "ReplicationHealthy",
        "ReplicationSynced",
        "FailoverReady",
        "StandbyAvailable",
    ):
        status, reason, message = found[kind]
        assert (status, reason, message.endswith(LINE)) == (False, "Restored", True), kind
    assert phase(state, restored()) == "Restored"
    asked = SyncRequest(direction="forward", requested_at=NOW.wall)
    assert told(state.model_copy(update={"sync": asked}), restored())["SyncComplete"][:2] == (False, "Restored")
    begun = after(BEGUN)
    assert told(begun, restored(BEGUN))["FailoverReady"][1] == "RestoreUnderWay"
    assert phase(begun, restored(BEGUN)) == "Restoring"
    assert rest(begun, AUTOMATIC, restored()).state.standby_reason == state.standby_reason


@pytest.mark.parametrize("note", [COMPLETE, BEGUN])
def test_a_dead_primary_promotes_no_restored_standby(note: RestoreMark) -> None:
    dead = restored(note, witness=SILENT, link=link(state="attaching", read_age=60.0, reason="SourceUnreachable"))
    dead = replace(dead, sites={**dead.sites, "primary": down(dead.sites["primary"])})
    late = replace(NOW, mono=NOW.mono + 1000, step_since=NOW.mono)
    for state in (following(), after(note)):
        for _ in range(10):
            decision = step(state, AUTOMATIC, dead, late)
            assert not {"Promote", "TakeLease", "Claim"} & kinds(decision.actions)
            assert decision.state.active == "primary"
            state = decision.state
        assert state.operation is None or state.operation.step == "Detected"


@pytest.mark.parametrize("emergency", [False, True])
@pytest.mark.parametrize("note", [COMPLETE, BEGUN])
def test_a_request_to_promote_it_is_refused_with_the_reason(note: RestoreMark, emergency: bool) -> None:
    asked = Desired(target=patched("secondary", emergency))
    sight = restored(note)
    accepted = step(after(note), asked, sight).state
    assert accepted.operation is not None
    waiting = step(accepted, asked, sight)
    assert (waiting.link, waiting.state.active) == (None, "primary")
    late = replace(NOW, mono=NOW.mono + 61, step_since=NOW.mono)
    refused = step(accepted, asked, sight, late).state
    reason = "Restored" if note.complete else "RestoreUnderWay"
    assert (refused.operation, refused.history[-1].result) == (None, "Refused")
    assert refused.history[-1].reason.startswith(reason)


def test_before_the_note_was_seen_the_link_s_word_or_the_hold_is_enough() -> None:
    state = following()
    by_link = seen(link=link(state="failed", reason="Restored", message="m"))
    assert promotion_limitation(state, by_link) == "Restored: m"
    by_hold = seen(held={"secondary": NAME})
    assert promotion_limitation(state, by_hold) == (
        "RestoreUnderWay: restore production/back is carried out in secondary"
    )
    assert failover_limitation(state, AUTOMATIC, by_hold) == promotion_limitation(state, by_hold)
    assert promotion_limitation(state, restored()) == (
        "Restored: secondary holds what restore production/back has put there"
    )


@pytest.mark.parametrize("held", ["primary", "secondary"])
def test_a_hold_ends_the_link_at_rest_and_not_in_a_change_of_the_active_site(held: str) -> None:
    sight = seen(held={held: NAME})
    decision = step(following(), AUTOMATIC, sight)
    assert (decision.link, decision.state.standby) == (None, "following")
    assert decision.why == f"RestoreUnderWay: restore production/back is carried out in {held}"
    assert phase(decision.state, sight) == "Restoring"
    done = following(synced=Synced(final="c", final_tx=5, complete=True))
    found = told(done, replace(sight, link=None), Desired(read_only={"primary": "patch"}))
    assert found["ReplicationSynced"][0] is (None if held == "primary" else False)
    found = told(following(), replace(sight, link=None))
    assert found["ReplicationHealthy"][:2] == (False, "RestoreUnderWay")
    assert found["Ready"][:2] == (False, "RestoreUnderWay")
    assert found["FailoverReady"][:2] == (False, "RestoreUnderWay")
    draining = operating("switchover", "Draining", final="c", final_tx=99)
    assert not steps_aside(draining)
    assert step(draining, AUTOMATIC, sight).link is not None
    for early in ("Requested", "Detected"):
        state = operating("failover", early)
        assert steps_aside(state)
        assert step(state, AUTOMATIC, sight).link is None
    untouched = step(following(), AUTOMATIC, seen())
    assert halted(untouched, seen()) == untouched


def test_resuming_names_the_restore_that_it_ends_and_a_later_one_is_not_ended() -> None:
    state, sight = after(), restored()
    asked = Desired(automatic=True, witness=True, reseed=patched("secondary"))
    begun = step(state, asked, sight).state
    assert (begun.standby, begun.resumed, begun.restored, begun.standby_reason) == ("seed", NAME, "", "")
    decision = step(begun, asked, sight)  # the note is still there: the worker has not taken over yet
    assert decision.state.standby == "seed"
    assert decision.link is not None
    assert (decision.link.reseed, decision.link.supersedes, decision.link.origin) == (begun.ticket, NAME, "seed")
    filled = step(begun, asked, restored(link=link(reseed=begun.ticket))).state  # and the mark is an old one
    assert (filled.standby, filled.reseed) == ("following", None)
    calm = step(filled, AUTOMATIC, restored(link=link()))
    assert calm.state.standby == "following"
    assert calm.link is not None
    assert calm.link.supersedes is None
    again = restored(RestoreMark("production/back/another", False))
    for state in (filled, begun):
        assert step(state, AUTOMATIC, again).state.restored == "production/back/another"
        assert step(state, AUTOMATIC, again).state.ticket is None


def test_a_restore_at_work_is_not_resumed_over_and_a_given_up_one_is() -> None:
    asked = Desired(automatic=True, witness=True, reseed=patched("secondary"))
    refused = step(after(BEGUN), asked, restored(BEGUN, held={"secondary": NAME}))
    assert (refused.state.ticket, refused.notes != ()) == (None, True)
    assert refused.why == (
        "ReseedRefused: restore production/back is carried out in secondary: wait for its end, or delete its "
        "Neo4jRestore"
    )
    assert step(after(BEGUN), asked, restored(BEGUN)).state.resumed == NAME


def test_an_emptied_database_is_filled_as_a_new_one() -> None:
    empty = seen(sites={"primary": site(), "secondary": site(mark=Mark("absent", 0))}, link=None)
    assert step(after(), AUTOMATIC, empty).state.standby == "seed"
    unseen = seen(sites={"primary": site(), "secondary": SiteView()}, link=None)
    assert step(after(), AUTOMATIC, unseen).state.standby == "restored"


@pytest.mark.parametrize("note", [COMPLETE, BEGUN])
def test_a_restored_active_site_is_not_followed_nor_replaced_in_silence(note: RestoreMark) -> None:
    sight = seen(sites={"primary": noted(note, "primary"), "secondary": standby()})
    state = following()
    decision = step(state, AUTOMATIC, sight)
    assert (decision.link is None) is (not note.complete)  # the worker refuses until it is asked for a new copy
    limitation = failover_limitation(state, AUTOMATIC, sight)
    assert limitation is not None
    assert limitation.startswith("SourceRestored" if note.complete else "RestoreUnderWay")
    switchover = operating("switchover", "Requested")
    late = replace(NOW, mono=NOW.mono + 61, step_since=NOW.mono)
    assert step(switchover, AUTOMATIC, sight, late).state.history[-1].result == "Refused"
    emergency = operating("emergency", "Requested")
    assert step(emergency, AUTOMATIC, sight).state.operation.step == "Fencing"  # type: ignore[union-attr]


def test_a_promotion_that_a_restore_forestalled_ends() -> None:
    promoting = operating("emergency", "Promoting", applied="c")
    sight = restored(failed="Stale: no link")
    ended = step(promoting, AUTOMATIC, sight)
    assert (ended.state.operation, ended.state.history[-1].reason) == (None, "secondary was restored")
    assert ended.state.active == "primary"
    done = restored(sites={"primary": site(), "secondary": noted(COMPLETE, "primary")})
    done = replace(done, sites={**done.sites, "secondary": site("primary", 2, mark=Mark("primary", 2, DR))})
    assert step(promoting, AUTOMATIC, done).actions == (Promote("primary", "secondary", 2, None),)


def test_a_resource_made_again_finds_the_restored_standby() -> None:
    adopted = adopt(ControlState(), AUTOMATIC, restored(), DR).state
    assert (adopted.epoch, adopted.standby) == (1, "restored")
    assert taken(adopted, restored(), DR).restored == NAME
    old = following(epoch=1, resumed=NAME, reseed=Reseed(ticket="t", epoch=1, cause="Requested", at=0.0))
    assert taken(old, restored(), DR) == old
