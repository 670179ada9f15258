"""Conditions keep the time of their last real change and never speak of an older generation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from neo4j_dr_operator.api.conditions import Condition, ConditionStatus, find_condition, set_condition

START = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
LATER = START + timedelta(minutes=1)


def test_a_new_condition_goes_to_the_end_with_whole_seconds() -> None:
    first = set_condition([], "Ready", "False", "Seeding", "copying", 1, START)
    both = set_condition(first, "FailoverReady", "False", "NoWitness", "", 1, START)
    assert [condition.type for condition in both] == ["Ready", "FailoverReady"]
    assert both[0].wire() == {
        "type": "Ready",
        "status": "False",
        "reason": "Seeding",
        "message": "copying",
        "lastTransitionTime": "2026-01-02T12:00:00Z",
        "observedGeneration": 1,
    }


def test_the_time_stays_while_the_status_does() -> None:
    before = set_condition([], "Ready", "False", "Seeding", "", 1, START)
    same = set_condition(before, "Ready", "False", "CatchingUp", "behind", 2, LATER)
    assert (same[0].reason, same[0].observed_generation) == ("CatchingUp", 2)
    assert same[0].last_transition_time == before[0].last_transition_time
    assert set_condition(same, "Ready", "True", "Streaming", "", 2, LATER)[0].last_transition_time == LATER.replace(
        microsecond=0
    )


def test_a_late_report_does_not_pass_for_a_newer_generation() -> None:
    before = set_condition([], "Ready", "True", "Streaming", "", 7, START)
    for generation in (6, None):
        (after,) = set_condition(before, "Ready", "True", "Streaming", "", generation, LATER)
        assert after.observed_generation == 7


def test_the_list_given_is_left_alone() -> None:
    before = set_condition([], "Ready", "True", "Streaming", "", 1, START)
    set_condition(before, "Ready", "False", "PrimaryDown", "", 1, LATER)
    assert before[0].status == "True"


def test_a_reason_is_one_word() -> None:
    with pytest.raises(ValidationError, match="reason"):
        set_condition([], "Ready", "True", "all is well", "", 1, START)


def test_finding() -> None:
    conditions = set_condition([], "Ready", "True", "Streaming", "", 1, START)
    found = find_condition(conditions, "Ready")
    assert found is not None
    assert found.status == "True"
    assert find_condition(conditions, "SplitBrain") is None


STATUSES = st.sampled_from(["True", "False", "Unknown"])


@given(st.lists(st.tuples(st.sampled_from(["Ready", "WithinRPO"]), STATUSES), max_size=12))
def test_one_condition_a_type_and_the_time_of_its_last_change(changes: list[tuple[str, ConditionStatus]]) -> None:
    conditions: list[Condition] = []
    expected: dict[str, tuple[ConditionStatus, datetime]] = {}
    for step, (name, status) in enumerate(changes):
        now = START.replace(microsecond=0) + timedelta(seconds=step)
        conditions = set_condition(conditions, name, status, "Test", "", 1, now)
        if name not in expected or expected[name][0] != status:
            expected[name] = (status, now)
    assert {c.type: (c.status, c.last_transition_time) for c in conditions} == expected
    assert len(conditions) == len(expected)
