"""When a schedule comes due: compared with a clock watched minute by minute, over every kind of change of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.api.schedule import Fields
from neo4j_dr_operator.backup.schedule import Schedule

MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),  # midnight itself is skipped
    ("America/Sao_Paulo", "2018-02-18"),  # and comes twice
    ("Pacific/Apia", "2011-12-30"),  # a whole day is skipped
    ("Asia/Kathmandu", "2026-06-01"),
    ("UTC", "2026-02-28"),
]
PARTS = ("*", "*/7", "*/15", "0", "30", "0,30", "5-20/5")
HOURS = ("*", "*/2", "0", "1", "2", "3", "0-3", "23")
DAYS = ("*", "1", "*/2", "25-31", "29")
WEEKDAYS = ("*", "0", "7", "SAT,sun", "MON-FRI")


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def matches(fields: Fields, shown: datetime) -> bool:
    """Whether the clock shows a time of the schedule."""
    minute, hour = shown.minute in fields.minutes, shown.hour in fields.hours
    return minute and hour and fields.day(shown.month, shown.day, shown.isoweekday() % 7)


def watched(cron: str, zone: str, begin: float, end: float) -> list[float]:
    """Every due time in a span, seen on the clock: a time shown again is none, one that is jumped over is."""
    clock, fields, found, seen = ZoneInfo(zone), Fields.of(cron), [], set()
    at = datetime.fromtimestamp(begin - 7200, UTC).replace(second=0, microsecond=0)
    before = at.astimezone(clock).replace(tzinfo=None)
    while at.timestamp() <= end:
        shown = at.astimezone(clock).replace(tzinfo=None)
        jumped = [before + step * MINUTE for step in range(1, max(1, int((shown - before) / MINUTE)))]
        due = any(matches(fields, each) for each in [*jumped, shown] if each not in seen)
        seen.update((*jumped, shown))
        if due and begin < at.timestamp():
            found.append(at.timestamp())
        before, at = shown, at + MINUTE
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.tuples(*map(st.sampled_from, (PARTS, HOURS, DAYS, ("*",), WEEKDAYS))).map(" ".join),
    st.integers(-1000, 300),
)
def test_what_comes_due_is_what_a_watcher_of_the_clock_sees(change: tuple[str, str], cron: str, shift: int) -> None:
    zone, day = change
    begin = seconds(day) + shift * 60.0
    end = begin + 30 * 3600.0
    expected, schedule, found, at = watched(cron, zone, begin, end), Schedule(cron, zone), [], begin
    while (at := schedule.after(at) or end + 1) <= end:
        found.append(at)
    assert found == expected
    newest = schedule.latest(begin, end)
    assert newest == (expected[-1] if expected else None)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CHANGES), st.sampled_from(HOURS), st.floats(-90_000, 90_000), st.floats(0, 90_000))
def test_forwards_and_backwards_agree(change: tuple[str, str], hours: str, shift: float, span: float) -> None:
    zone, day = change
    schedule, since = Schedule(f"*/10 {hours} * * *", zone), seconds(day) + shift
    newest = schedule.latest(since, since + span)
    if newest is None:
        following = schedule.after(since)
        assert following is not None
        assert following > since + span
    else:
        assert since < newest <= since + span
        assert (schedule.after(newest) or 0) > since + span


@pytest.mark.parametrize(
    ("cron", "zone", "since", "due"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("0 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T00:00", "2026-10-26T01:00"]),
        ("@hourly", "Europe/Berlin", "2026-10-24T23:30", ["2026-10-25T00:00", "2026-10-25T02:00"]),
        ("0 2 * * *", "UTC", "2026-10-24T12:00", ["2026-10-25T02:00", "2026-10-26T02:00"]),
        ("@daily", "Pacific/Apia", "2011-12-29T00:00", ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]),
        ("0 2 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T02:00", "2032-02-29T02:00"]),
        ("0 0 29 2 */7", "UTC", "2026-01-01T00:00", ["2032-02-29T00:00", "2060-02-29T00:00"]),
        ("@yearly", "Asia/Kathmandu", "2026-01-01T00:00", ["2026-12-31T18:15", "2027-12-31T18:15"]),
        ("@weekly", "UTC", "2026-11-23T16:00", ["2026-11-29T00:00", "2026-12-06T00:00"]),
    ],
)
def test_known_times(cron: str, zone: str, since: str, due: list[str]) -> None:
    schedule, at, found = Schedule(cron, zone), seconds(since), []
    for _ in due:
        at = schedule.after(at) or 0.0
        found.append(datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M"))
    assert found == due


def test_nothing_is_due_before_it_was_asked_for() -> None:
    schedule, asked = Schedule("0 2 * * *", "UTC"), seconds("2026-11-23T02:00")
    assert schedule.latest(asked, asked + 3600) is None, "its own moment is settled"
    assert schedule.latest(asked - 1, asked) == asked
    assert schedule.latest(asked, asked + 10 * 86_400) == asked + 10 * 86_400, "the newest only"
