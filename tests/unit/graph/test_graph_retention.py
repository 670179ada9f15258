"""How long a log still holds what was not read: known from an age, seen from pruning, else not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.graph.retention import Headroom, Pace, Retention, headroom

HOUR, DAY = 3600.0, 86_400.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("policy", "age"),
    [
        ("2 days 2G", 2 * DAY),
        ("7 days", 7 * DAY),
        ("36 hours", 36 * HOUR),
        ("2k hours", 2048 * HOUR),
        ("512M size", None),
        ("500k txs", None),
        ("10 files", None),
        ("keep_all", None),
        ("keep_none", None),
        (None, None),
        ("what days", None),
    ],
)
def test_an_age_is_read_from_the_policy(policy: str | None, age: float | None) -> None:
    assert Retention(policy).age == age


@pytest.mark.parametrize(
    ("retention", "behind", "left", "short"),
    [
        (Retention("2 days"), 5.0, 2 * DAY - 5, False),
        (Retention("2 days"), 1.4 * DAY, 0.6 * DAY, False),
        (Retention("2 days"), 1.6 * DAY, 0.4 * DAY, True),
        (Retention("2 days"), 3 * DAY, 0.0, True),
        (Retention("2 days 2G"), 1.6 * DAY, 0.4 * DAY, True),
        (Retention("30 days"), 23 * DAY, 7 * DAY, False),
        (Retention("30 days"), 29.5 * DAY, 0.5 * DAY, True),
        (Retention("512M size", oldest=NOW - 4 * HOUR, pace=1.0), HOUR, 3 * HOUR, False),
        (Retention("512M size", oldest=NOW - 4 * HOUR, pace=2.0), 3.5 * HOUR, HOUR / 4, True),
        (Retention("2 days 2G", oldest=NOW - HOUR, pace=1.0), 10.0, HOUR - 10, False),
    ],
)
def test_what_is_left(retention: Retention, behind: float, left: float, short: bool) -> None:
    found = headroom(retention, NOW - behind, NOW)
    assert found is not None
    assert found.seconds == pytest.approx(left)
    assert found.short is short


@pytest.mark.parametrize("policy", ["512M size", "keep_all", None, "2 days 2G", "36 hours 500M", "10 files"])
def test_what_was_never_pruned_is_not_guessed_at(policy: str | None) -> None:
    """The default, `2 days 2G`, promises no two days: what 2 GiB hold may be written in minutes."""
    assert headroom(Retention(policy, oldest=NOW - DAY), NOW - HOUR, NOW) is None


def test_a_size_whose_pace_nobody_has_seen_is_said_to_be_one() -> None:
    sized = ("2 days 2G", "512M size", "10 files", "500k txs", "keep_none")
    assert all(Retention(policy).unmeasured for policy in sized)
    assert not any(Retention(policy, pace=1.0).unmeasured for policy in sized)
    assert not any(Retention(policy).unmeasured for policy in ("2 days", "36 hours", "keep_all", None))


def test_who_has_read_everything_is_never_alarmed() -> None:
    assert not Headroom(10.0, 10.0).short
    for retention in (Retention("1 hours"), Retention("1 files", oldest=NOW - 9, pace=50.0)):
        found = headroom(retention, NOW, NOW)
        assert found is not None
        assert not found.short


def test_the_pace_is_seen_from_one_move_to_another() -> None:
    """One move says that the log is full, not how fast: files are pruned whole, and one may hold days."""
    pace = Pace()
    assert [pace.saw(100.0, 0.0), pace.saw(100.0, 10.0)] == [None, None]
    assert pace.saw(5000.0, 20.0) == 1.0
    assert pace.saw(5000.0, 30.0) == 1.0
    assert pace.saw(5200.0, 60.0) == pytest.approx(200 / 40)
    assert pace.saw(5210.0, 160.0) == pytest.approx(210 / 140)


def test_a_log_that_begins_earlier_again_did_not_move() -> None:
    """Another member answers, or the database was restored."""
    pace = Pace()
    pace.saw(100.0, 0.0)
    assert pace.saw(50.0, 10.0) is None
    assert pace.saw(60.0, 20.0) == 1.0


@given(
    st.sampled_from(["2 days", "36 hours", "512M size"]),
    st.floats(0, 5 * DAY),
    st.floats(0, 5 * DAY),
    st.floats(1, 100),
    st.floats(0, DAY),
)
def test_who_reads_on_has_no_less(policy: str, held: float, behind: float, pace: float, more: float) -> None:
    """Reading more never shortens what is left, and time that passes without reading never lengthens it."""
    known = Retention(policy, oldest=NOW - held, pace=pace)
    then, later = (headroom(known, NOW - behind + extra, NOW) for extra in (0.0, more))
    assert then is not None
    assert later is not None
    assert later.seconds >= then.seconds
    waited = headroom(Retention(policy, oldest=NOW - held + more * pace, pace=pace), NOW - behind, NOW + more)
    assert waited is not None
    assert waited.seconds <= then.seconds + 1e-6
