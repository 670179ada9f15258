"""Conditions never lie to `kubectl wait` (P11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neo4j_dr_operator.api.support import Support
from neo4j_dr_operator.failover.state import ControlState, Direction, HistoryEntry, StepRecord, Synced, SyncRequest
from neo4j_dr_operator.failover.view import Desired, Reading, Seen
from neo4j_dr_operator.reporting.objectives import Objectives
from neo4j_dr_operator.reporting.report import conditions, history_item, phase, undecided
from tests.machine_inputs import HELD, NOW, down, following, link, operating, patched, seen, site, standby, step

CLOSED = Desired(read_only={"primary": "patch", "secondary": None})
FENCED = seen(sites={"primary": site(access="read-only", access_since=980.0), "secondary": standby()})


def status(state: ControlState, desired: Desired, sight: Seen, kind: str) -> tuple[str, str]:
    claims = {claim.type: claim for claim in conditions(state, desired, sight, "why", Objectives())}
    return claims[kind].status, claims[kind].reason


def synced(complete: bool = True, **other: object) -> ControlState:
    return following(restricted=["primary"], synced=Synced(final="f", final_tx=10, complete=complete), **other)


def test_synced_only_after_read_only_was_seen_and_the_final_position_applied() -> None:
    state = following()
    walk = []
    for _ in range(6):
        sight = FENCED
        if state.restricted:
            reading = Reading("primary", 1, "f", 10, 991.0, final=True)
            sight = seen(sites=FENCED.sites, readings=(reading,))
        state = step(state, CLOSED, sight).state
        walk.append(status(state, CLOSED, sight, "ReplicationSynced"))
    assert walk[0] == ("False", "Fencing")
    assert ("False", "CatchingUp") in walk
    assert walk[-1] == ("True", "FinalPositionApplied")


@pytest.mark.parametrize(
    ("at", "epoch", "final"),
    [(979.0, 1, True), (991.0, 2, True), (991.0, 1, False)],
)
def test_a_position_from_before_the_fence_or_of_another_epoch_is_not_final(at: float, epoch: int, final: bool) -> None:
    reading = Reading("primary", epoch, "f", 10, at, final)  # type: ignore[arg-type]
    sight = seen(sites=FENCED.sites, readings=(reading,))
    assert step(following(restricted=["primary"]), CLOSED, sight).state.synced is None


@pytest.mark.parametrize(
    "other",
    [link(cursor_tx=9), link(epoch=2), link(state="catching-up"), link(source="secondary"), None],
)
def test_nothing_but_the_link_of_this_epoch_applies_the_final_position(other: object) -> None:
    sight = Seen(FENCED.sites, other, HELD)  # type: ignore[arg-type]
    after = step(synced(complete=False), CLOSED, sight).state
    assert after.synced is not None
    assert not after.synced.complete


def test_an_accepted_request_turns_its_condition_in_the_same_projection() -> None:
    for emergency in (False, True):
        desired = Desired(target=patched("secondary", emergency), read_only=CLOSED.read_only)
        assert status(synced(), CLOSED, FENCED, "ReplicationSynced")[0] == "True"
        accepted = step(synced(), desired, FENCED).state
        assert accepted.operation is not None
        assert status(accepted, desired, FENCED, "ReplicationSynced")[0] == "False"
        assert status(accepted, desired, FENCED, "Ready")[0] == "False"


@pytest.mark.parametrize(("direction", "expected"), [("forward", "Syncing"), ("reverse", "PointsAtActive")])
def test_a_new_sync_request_turns_its_condition_in_the_same_projection(direction: Direction, expected: str) -> None:
    done = following(sync=SyncRequest(direction="forward", requested_at=0.0, complete=True))
    assert status(done, Desired(), seen(), "SyncComplete")[0] == "True"
    desired = Desired(sync=patched(direction))
    assert status(step(done, desired, seen()).state, desired, seen(), "SyncComplete") == ("False", expected)


def test_synced_is_unknown_while_the_primary_cannot_be_seen_read_only() -> None:
    gone = seen(sites={"primary": down(site(access="read-only")), "secondary": standby()})
    assert status(synced(), CLOSED, gone, "ReplicationSynced") == ("Unknown", "PrimaryUnseen")
    assert status(synced(), CLOSED, seen(), "ReplicationSynced") == ("Unknown", "PrimaryUnseen")


def test_synced_falls_before_the_database_is_opened() -> None:
    decision = step(synced(), Desired(), FENCED)
    assert decision.state.synced is None
    assert status(decision.state, Desired(), FENCED, "ReplicationSynced") == ("False", "PrimaryWritable")
    assert decision.state != synced(), "stored first: a moved state runs no action"


def test_every_new_epoch_begins_unsynced() -> None:
    spent = operating("switchover", "Fencing").model_copy(update={"synced": Synced(final="f", final_tx=1)})
    late = NOW.__class__(NOW.wall, NOW.mono, NOW.mono - 31)
    after = step(spent, CLOSED, FENCED, late).state
    assert (after.epoch, after.operation, after.synced) == (3, None, None)


@pytest.mark.parametrize(
    ("standing", "word"), [("seed", "Seeding"), ("following", "Replicating"), ("diverged", "Diverged")]
)
def test_the_phase_is_one_word(standing: str, word: str) -> None:
    assert phase(following(standby=standing), seen()) == word
    assert (
        phase(following(standby=standing), seen(sites={"primary": down(site()), "secondary": standby()})) == "Degraded"
    )
    assert phase(ControlState(), seen()) == "Pending"


def test_split_brain_is_unknown_until_compared_and_true_when_diverged() -> None:
    found = [status(following(standby=s), Desired(), seen(), "SplitBrain")[0] for s in ("returning", "diverged")]
    assert found == ["Unknown", "True"]


AT_ODDS = ("RegionMismatch", "the regions differ")
UNKNOWN = ("Unknown", "RegionMismatch")


def truths(state: ControlState, sight: Seen, objectives: Objectives | None) -> dict[str, tuple[str, str]]:
    return {claim.type: (claim.status, claim.reason) for claim in undecided(state, sight, AT_ODDS, objectives)}


def test_while_nothing_is_decided_nobody_takes_over_and_what_is_seen_is_told() -> None:
    everything = {claim.type for claim in conditions(synced(), CLOSED, FENCED, "why", Objectives())}
    told = truths(synced(), FENCED, Objectives())
    assert set(told) == everything
    assert told["Ready"] == told["FailoverReady"] == ("False", "RegionMismatch")
    for kind in ("ReplicationSynced", "SyncComplete", "BackupHealthy", "ArchiveHealthy"):
        assert told[kind] == UNKNOWN
    assert told["PrimaryAvailable"] == told["StandbyAvailable"] == ("True", "Up")
    assert told["ReplicationHealthy"] == ("True", "Streaming")
    gone = seen(sites={"primary": down(site()), "secondary": standby()}, link=link(state="attaching", reason="X"))
    told = truths(following(), gone, Objectives())
    assert told["PrimaryAvailable"] == ("False", "Down")
    assert told["ReplicationHealthy"] == ("False", "X")


def test_what_is_asked_for_beside_replication_is_known_only_while_the_spec_can_be_read() -> None:
    asked = Objectives(rpo=5.0, lag=7.0, ship_every=10.0)
    told = truths(following(), seen(), asked)
    assert told["WithinRPO"] == ("False", "LagAboveRPO")
    assert told["LogShippingHealthy"] == ("False", "RegionMismatch"), "nothing ships, and nothing is started"
    told = truths(following(), seen(), None)
    assert told["WithinRPO"] == told["LogShippingHealthy"] == UNKNOWN


def test_a_history_item_says_what_it_cost() -> None:
    steps = [StepRecord(name="Requested", at=10.0), StepRecord(name="Active", at=12.5)]
    entry = HistoryEntry(
        epoch=2, kind="switchover", source="primary", target="secondary", result="Completed", steps=steps
    )
    item = history_item(entry, rto=None)
    assert item["durationSeconds"] == 2.5
    assert item["startedAt"] == "1970-01-01T00:00:10.000Z"


def test_a_sync_that_still_waits_for_an_operation_is_not_complete() -> None:
    """`kubectl wait` must not see the answer to the request before."""
    done = following(sync=SyncRequest(direction="forward", requested_at=0.0, goal="g", goal_tx=1, complete=True))
    asked = Desired(sync=patched("forward"))
    assert status(done, asked, seen(), "SyncComplete") == ("False", "Pending")


@pytest.mark.parametrize(("rto", "within"), [(None, None), (2.0, True), (1.9, False)])
def test_a_completed_failover_says_whether_it_kept_the_objective(rto: float | None, within: bool | None) -> None:
    steps = [StepRecord(name="Detected", at=10.0), StepRecord(name="Active", at=12.0)]
    entry = HistoryEntry(
        epoch=2, kind="failover", source="primary", target="secondary", result="Completed", steps=steps
    )
    assert history_item(entry, rto)["withinRTO"] is within
    assert history_item(entry.model_copy(update={"result": "RolledBack"}), rto)["withinRTO"] is None


def test_a_witness_in_a_sites_own_region_is_warned_about() -> None:
    ready = Desired(automatic=True, witness=True)
    assert status(following(), ready, seen(), "FailoverReady") == ("True", "StandbyReady")
    beside = replace(ready, witness_beside="primary")
    assert status(following(), beside, seen(), "FailoverReady") == ("True", "WitnessInSiteRegion")


def test_nothing_is_ready_without_a_link() -> None:
    ready = Desired(automatic=True, witness=True)
    for other in (None, link(source="secondary")):
        for kind in ("Ready", "FailoverReady"):
            assert status(following(), ready, seen(link=other), kind) == ("False", "NoLink")
    gone = seen(sites={"primary": down(site()), "secondary": standby()}, link=link(state="attaching"))
    assert status(following(), ready, gone, "FailoverReady")[0] == "True", "that is what it is for"


def test_safety_that_is_not_given_is_not_ready_whatever_replicates() -> None:
    made = conditions(following(), Desired(), seen(), "why", Objectives(support=Support(("a", "b"), ("b",))))
    (ready,) = [claim for claim in made if claim.type == "Ready"]
    assert (ready.status, ready.reason) == ("False", "NotYetSupported")
    assert "by b;" in ready.message
    made = conditions(following(), Desired(), seen(), "why", Objectives(support=Support(("a",), ())))
    assert made[0].status == "True"


def test_a_schema_that_differs_is_told_and_the_link_is_healthy() -> None:
    sight = seen(link=link(schema="index a: no"))
    assert status(following(), Desired(), sight, "ReplicationHealthy") == ("True", "SchemaDiffers")
