"""Schedules in the form of cron: their format, and whether they ever come due. Pure.

The five fields are minute, hour, day of month, month and day of week, on the clock of a time zone. Each is ``*`` or a
list of values and ranges, with a step if wanted; months and days of the week also by name. ``@hourly`` and its like
stand for the usual five. As in crontab(5), a day counts when day of month *or* day of week says so, where both are
given.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from neo4j_dr_operator.api.base import Form

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Part:
    """One of the five fields: what it is called, its bounds, a pattern of its numbers, names of its values."""

    name: str
    low: int
    high: int
    number: str
    names: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """The form of the whole field."""
        value = rf"({self.number}{'|(?i:' + '|'.join(self.names) + ')' if self.names else ''})"
        item = rf"([*]|{value}(-{value})?)(/[1-9][0-9]?)?"
        return rf"{item}(,{item})*"

    def values(self, text: str) -> set[int]:
        """What a field of the right form means. Raises ValueError for a range that runs backwards."""
        made: set[int] = set()
        for item in text.split(","):
            span, _, step = item.partition("/")
            first, _, last = span.partition("-")
            low = self.low if span == "*" else self._number(first)
            high = self.high if span == "*" or (step and not last) else self._number(last or first)
            if high < low:
                raise ValueError(f"the range {span} of the field {self.name} runs backwards")
            made.update(range(low, high + 1, int(step or 1)))
        return made

    def _number(self, text: str) -> int:
        return int(text) if text.isdigit() else self.low + self.names.index(text.upper())


_PARTS = (
    _Part("minute", 0, 59, "[0-5]?[0-9]"),
    _Part("hour", 0, 23, "[01]?[0-9]|2[0-3]"),
    _Part("day of month", 1, 31, "0?[1-9]|[12][0-9]|3[01]"),
    _Part("month", 1, 12, "0?[1-9]|1[0-2]", _MONTHS),
    _Part("day of week", 0, 7, "[0-7]", _DAYS),
)
_PATTERN = rf"^(@(hourly|daily|weekly|monthly|yearly)|{' +'.join(part.pattern for part in _PARTS)})$"
_SAYS = (
    "must be five fields, minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week "
    "(0-7 or SUN-SAT), such as 0 2 * * *; or @hourly, @daily, @weekly, @monthly or @yearly"
)


def _comes_due(schedule: str) -> str:
    """Refuse what has the form of a schedule and means nothing. Raises ValueError."""
    if schedule.startswith("@"):
        return schedule
    texts = schedule.split()
    _minutes, _hours, days, months, _weekdays = (part.values(text) for part, text in zip(_PARTS, texts, strict=True))
    every_day_counts = texts[2].startswith("*") or not texts[4].startswith("*")
    if not every_day_counts and all(min(days) > _LONGEST[month - 1] for month in months):
        raise ValueError("no month named has such a day of month, so it never comes due")
    return schedule


@dataclass(frozen=True)
class Fields:
    """What a schedule means: for each field the values in which it comes due, days of the week from 0, a Sunday.

    ``every_day``: day of month and day of week have both to fit, because one of them takes every day; else one is
    enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    every_day: bool

    @classmethod
    def of(cls, schedule: str) -> Fields:
        """From a valid schedule."""
        texts = _MEANINGS.get(schedule, schedule).split()
        minutes, hours, days, months, weekdays = (
            frozenset(part.values(text)) for part, text in zip(_PARTS, texts, strict=True)
        )
        sundays = frozenset(day % 7 for day in weekdays)
        return cls(minutes, hours, days, months, sundays, texts[2].startswith("*") or texts[4].startswith("*"))

    def day(self, month: int, day: int, weekday: int) -> bool:
        """Whether it comes due on such a day."""
        if month not in self.months:
            return False
        fits = (day in self.days, weekday in self.weekdays)
        return all(fits) if self.every_day else any(fits)


_MEANINGS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


def _zone(name: str) -> str:
    """Refuse what is no time zone. Raises ValueError."""
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError(f"{name} is no time zone: {_ZONE_SAYS}") from error
    return name


_ZONE_SAYS = "must be a name of the IANA time zone database, such as UTC or Europe/Berlin"
TimeZone = Annotated[
    str,
    Field(min_length=1, max_length=64),
    Form(r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$", _ZONE_SAYS),
    AfterValidator(_zone),
]
"""A time zone, such as ``Europe/Berlin``. Whether there is one of that name the operator knows, the door does not."""

Cron = Annotated[str, Field(min_length=1, max_length=128), Form(_PATTERN, _SAYS), AfterValidator(_comes_due)]
"""A schedule, such as ``0 2 * * *``."""
