"""Distance, speed and trouble of a link: what is shown, and when it is worth a write."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.reporting.figures import figures, remembering, steps
from neo4j_dr_operator.reporting.statuses import _steady, changes

REPORT: dict[str, Any] = {
    "behind": 3,
    "changesPerSecond": 12.345,
    "bytesPerSecond": 2000.7,
    "lastError": {"reason": "SourceUnreachable", "message": "no answer", "at": 1_700_000_000.5},
}


def test_what_is_shown() -> None:
    assert figures(REPORT) == {
        "lagTransactions": 3,
        "changesPerSecond": 12.3,
        "bytesPerSecond": 2001,
        "lastError": {"reason": "SourceUnreachable", "message": "no answer", "at": "2023-11-14T22:13:20.500Z"},
    }
    assert set(figures({}).values()) == {None}


def test_the_last_error_outlives_its_worker() -> None:
    stored = [{"site": "secondary", "lastError": {"reason": "Old"}}, {"site": "primary"}]
    fresh = [{"site": "secondary", "lastError": None}, {"site": "third"}]
    assert [item["lastError"] for item in remembering(fresh, stored, "site")] == [{"reason": "Old"}, None]
    newer = [{"site": "secondary", "lastError": {"reason": "New"}}]
    assert remembering(newer, stored, "site") == newer
    assert remembering([], None, "site") == []


@pytest.mark.parametrize(
    ("before", "after", "worth"),
    [
        ({"lagTransactions": 0}, {"lagTransactions": 999}, False),
        ({"lagTransactions": 2000}, {"lagTransactions": 9000}, False),
        ({"lagTransactions": 9000}, {"lagTransactions": 11_000}, True),
        ({"changesPerSecond": None}, {"changesPerSecond": 9.0}, False),
        ({"changesPerSecond": 9.0}, {"changesPerSecond": 5000.0}, True),
        ({"changesPerSecond": 2000.0, "bytesPerSecond": 1}, {"changesPerSecond": 8000.0, "bytesPerSecond": 9}, False),
    ],
)
def test_a_write_needs_another_magnitude(before: dict[str, Any], after: dict[str, Any], worth: bool) -> None:
    assert (steps(before) != steps(after)) is worth
    old, new = ({"replication": [{"site": "secondary", **item}]} for item in (before, after))
    assert changes(_steady(old), _steady(new)) is worth
