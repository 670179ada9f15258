"""What a worker's report says of time: how far behind, how fast, and what went wrong last."""

from __future__ import annotations

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.replication.report import SPAN, Problem, Rate, Status

STATE = LinkState("primary>secondary", 3, "streaming", "cursor", 90, "source")


def test_a_rate_needs_a_second_and_forgets_after_its_span() -> None:
    rate = Rate()
    assert rate.of(0, 100.0) is None
    assert rate.of(10, 100.5) is None
    assert rate.of(500, 101.0) == 500.0
    for step in range(1, 100):
        last = rate.of(500, 101.0 + step * 0.5)
    assert last == 0.0
    assert rate.of(600, 151.0) == pytest.approx(100 / SPAN, rel=0.2)


def test_how_many_transactions_are_missing() -> None:
    status = Status(3, state="streaming", link=STATE, head=100)
    assert status.line()["report"]["behind"] == 10
    status.head = 80  # the look at the head is older than what was applied
    assert status.line()["report"]["behind"] == 0
    status.head = None
    assert status.line()["report"]["behind"] is None
    assert Status(3, state="seeding", link=STATE, head=100).line()["report"]["behind"] is None
    assert Status(3, state="streaming", head=100).line()["report"]["behind"] is None


def test_the_last_error_stays_with_the_time_at_which_it_began() -> None:
    status = Status(3)
    assert status.line()["report"]["lastError"] is None
    status.target_problem = Problem.of(errors.DatabaseUnreachable("no answer"))
    first = status.line()["report"]["lastError"]
    assert first["reason"] == "TargetUnreachable"
    status.target_problem = Problem.of(errors.DatabaseUnreachable("still no answer"))
    assert status.line()["report"]["lastError"] == first
    status.target_problem = None
    report = status.line()["report"]
    assert report["error"] is None
    assert report["lastError"] == first
    status.target_problem = Problem.of(errors.TransientFailure("deadlock"))
    second = status.line()["report"]["lastError"]
    assert second["reason"] == errors.TransientFailure.reason
    assert second["at"] >= first["at"]
