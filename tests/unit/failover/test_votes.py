"""Only death kills (P6): each cause that must never promote, and the one that must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.state import ControlState
from neo4j_dr_operator.failover.view import Desired, Mark, Seen, WitnessView
from neo4j_dr_operator.failover.votes import ballot, failover_limitation
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.recovery.desired import desired_of
from tests.machine_inputs import (
    DEAD_LINK,
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

AUTOMATIC = Desired(automatic=True, witness=True)


def test_silence_at_an_address_that_was_never_proven_is_no_death() -> None:
    """Somebody wrote a wrong address: everything falls silent at once, and nobody has died."""
    state = following(reached={"primary": "bolt+s://right:7687"})
    for address, opinion in (("bolt+s://right:7687", "DOWN"), ("bolt+s://wrong:7687", "UNKNOWN"), ("", "DOWN")):
        primary = replace(down(site()), address=address)
        sight = seen(sites={"primary": primary, "secondary": standby()}, link=DEAD_LINK, witness=SILENT)
        votes = ballot(state, sight, 5.0)
        assert (votes.probe.opinion, votes.dead) == (opinion, opinion == "DOWN")
        decision = step(state, Desired(automatic=True, witness=True), sight)
        assert (decision.state.operation is not None) == (opinion == "DOWN")


def test_an_address_is_proven_by_being_seen_there() -> None:
    state = following(reached={"primary": "bolt+s://old:7687"})
    moved = seen(sites={"primary": replace(site(), address="bolt+s://new:7687"), "secondary": standby()})
    assert step(state, Desired(), moved).state.reached == {"primary": "bolt+s://new:7687"}


def dead(**other: Any) -> Seen:
    sites = {"primary": down(site()), "secondary": standby()}
    return seen(**({"sites": sites, "link": DEAD_LINK, "witness": SILENT} | other))


def promotes(state: ControlState, desired: Desired, sight: Seen) -> bool:
    decision = rest(state, desired, sight)
    operation = decision.state.operation
    return operation is not None and operation.step not in ("Detected",)


def test_death_by_all_views_is_confirmed_with_its_evidence() -> None:
    decision = rest(following(), AUTOMATIC, dead())
    operation = decision.state.operation
    assert operation is not None
    assert operation.step == "Fencing"
    assert [record.name for record in operation.steps] == ["Detected", "Confirmed", "Fencing"]
    assert len(operation.evidence) == 3
    assert kinds(decision.actions) == {"TakeLease"}


def probe(verdict: Verdict) -> dict[str, Any]:
    return {"primary": replace(site(), verdict=verdict, evidence="as told"), "secondary": standby()}


@pytest.mark.parametrize(
    ("cause", "sight"),
    [
        ("wrong password", dead(sites=probe(Verdict.DEGRADED))),
        ("operator restarted, not probed yet", dead(sites=probe(Verdict.UNKNOWN))),
        ("it answers", dead(sites=probe(Verdict.UP))),
        ("only the operator's path is cut, the stream flows", dead(link=link())),
        (
            "only the operator's path is cut, the stream's worker restarts",
            dead(link=link(state="starting", read_age=None)),
        ),
        ("no worker runs: nobody but the operator has tried", dead(link=None)),
        ("the worker cannot log in at the source", dead(link=replace(DEAD_LINK, reason="SourceAuthFailed"))),
        ("the worker is stuck at the target", dead(link=replace(DEAD_LINK, reason="TargetUnreachable"))),
        ("heartbeats still arrive", dead(witness=replace(SILENT, expired=False))),
        ("S3 is out", dead(witness=WitnessView(False, "timed out", 1, "primary", expired=True))),
        ("the witness was not read yet", dead(witness=None)),
        ("the witness knows a higher epoch", dead(witness=replace(SILENT, epoch=5))),
        ("the lease of this epoch is somebody else's", dead(witness=replace(SILENT, holder="secondary"))),
        ("the standby is down too", dead(sites={"primary": down(site()), "secondary": down(standby())})),
        ("the standby is altered", dead(link=replace(DEAD_LINK, state="failed", reason="TargetAltered"))),
    ],
)
def test_what_never_promotes(cause: str, sight: Seen) -> None:
    assert not promotes(following(), AUTOMATIC, sight), cause


@pytest.mark.parametrize("standing", ["seed", "returning", "joining", "diverged", "lost"])
def test_a_standby_that_is_no_prefix_is_never_promoted(standing: str) -> None:
    assert not promotes(following(standby=standing, barrier="b"), AUTOMATIC, dead())


@pytest.mark.parametrize(
    "desired", [Desired(automatic=True), Desired(witness=True), replace(AUTOMATIC, unmet="FenceNotObservable: x")]
)
def test_nothing_is_promoted_that_was_not_switched_on(desired: Desired) -> None:
    assert not promotes(following(), desired, dead())


def test_a_lease_left_from_a_spent_epoch_does_not_block_for_ever() -> None:
    """An operation given up after its lease was taken leaves it with the standby, one epoch below."""
    left = WitnessView(True, epoch=2, holder="secondary", expired=True)
    state = following(epoch=3)
    sight = dead(witness=left, link=replace(DEAD_LINK, epoch=3))
    assert promotes(state, AUTOMATIC, sight)
    assert not promotes(state, AUTOMATIC, replace(sight, witness=replace(left, expired=False)))


@pytest.mark.parametrize("step_name", ["Fencing", "Draining", "Promoting"])
def test_a_primary_that_is_there_again_is_not_promoted_over(step_name: str) -> None:
    state = operating("failover", step_name)
    alive = dead(sites={"primary": site(), "secondary": standby()}, leased=2)
    decision = step(state, AUTOMATIC, alive)
    if step_name == "Promoting":
        assert kinds(decision.actions) == {"Claim"}, "a promotion may be under way: its link is fenced first"
        return
    assert decision.state.operation is None
    assert decision.state.epoch == 3
    assert decision.state.history[-1].result == "Cancelled"


def test_a_stream_that_answers_again_is_life_as_well() -> None:
    sight = dead(link=link(epoch=2))
    assert step(operating("failover", "Draining"), AUTOMATIC, sight).state.operation is None


def test_a_returning_site_is_held_read_only_while_the_active_one_is_down() -> None:
    sites = {"primary": site(), "secondary": down(site("primary", 2))}
    sight = seen(sites=sites, link=None, witness=WitnessView(True, epoch=2, holder="secondary"))
    state = following(epoch=2, active="secondary", standby="returning", barrier="b")
    decision = rest(state, AUTOMATIC, sight)
    assert decision.state.operation is not None
    assert kinds(decision.actions) == {"MakeReadOnly"}


def test_the_votes_name_their_evidence() -> None:
    votes = ballot(following(), dead(), 5.0)
    assert votes.dead
    assert votes.alive is None
    assert str(votes.stream).startswith("standby's stream: DOWN (")


@pytest.mark.parametrize(
    ("sight", "reason"),
    [
        (seen(witness=WitnessView(False, "timed out")), "WitnessUnreachable"),
        (seen(witness=WitnessView(True, epoch=4, holder="secondary")), "WitnessAhead"),
        (seen(link=link(state="failed", reason="LinkMissing")), "StandbyBroken"),
        (seen(link=None), "NoLink"),
        (seen(link=link(source="secondary")), "NoLink"),
        (seen(sites={"primary": site(), "secondary": down(standby())}), "StandbyUnavailable"),
    ],
)
def test_why_a_failover_could_not_happen_now(sight: Seen, reason: str) -> None:
    limitation = failover_limitation(following(), AUTOMATIC, sight)
    assert limitation is not None
    assert limitation.startswith(f"{reason}: ")


@pytest.mark.parametrize(
    ("asked", "reason", "field"),
    [
        ({"fencing": {"enabled": True}}, "FenceNotObservable", "spec.failover.fencing.enabled"),
        ({"quorum": {"enabled": True}}, "QuorumNotCounted", "spec.failover.quorum.enabled"),
    ],
)
def test_what_is_asked_for_before_a_promotion_by_itself_and_never_done_keeps_it_from_happening(
    asked: dict[str, Any], reason: str, field: str
) -> None:
    """Planned and emergency failovers go on."""
    quorum = {"witness": {"type": "s3", "bucket": "witness"}} | asked.get("quorum", {})
    pair = {"primaryClusterRef": "a", "secondaryClusterRef": "b"}
    failover = {"automatic": True, **asked, "quorum": quorum}
    spec = DisasterRecoverySpec.read({**pair, "failover": failover})
    desired = desired_of({"spec": {}}, spec, {})
    limitation = failover_limitation(following(), desired, seen())
    assert limitation is not None
    assert limitation.startswith(f"{reason}: {field} is true")
    assert not promotes(following(), desired, dead())
    assert rest(following(), desired, dead()).state.operation is None
    for kind, urgent in (("switchover", False), ("emergency", True)):
        operation = step(following(), replace(desired, target=patched("secondary", urgent)), seen()).state.operation
        assert operation is not None
        assert operation.kind == kind
    without = desired_of({"spec": {}}, DisasterRecoverySpec.read({**pair, "failover": {"automatic": True}}), {})
    assert without.unmet is None


def test_what_a_waiting_failover_says_does_not_move_by_itself() -> None:
    """It stands in the status: a number in it would be a write twice a second for as long as the views differ."""
    said = {rest(following(), AUTOMATIC, dead(link=link(read_age=age))).why for age in (0.1, 0.7, 1.4)}
    assert len(said) == 1


def test_the_machine_stays_quiet_beside_a_foreign_database() -> None:
    other = site("primary", 7, mark=Mark("primary", 7, "elsewhere/other"))
    decision = step(following(), AUTOMATIC, seen(sites={"primary": site(), "secondary": other}), NOW)
    assert decision.why.startswith("OwnedByAnother")
    assert decision.actions == ()
    assert decision.link is None
