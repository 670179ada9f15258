"""When a schedule comes due on the clock of a time zone (pure). Times are seconds since 1970.

Every time of the clock counts once: of an hour that comes twice, in autumn, the first pass; what is skipped in spring
counts at the moment when the clock has been put forward, once however many times of the schedule were skipped. cron and
croniter run twice, or not at all, then.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from neo4j_dr_operator.api.schedule import Fields

_DAY = timedelta(days=1)
HORIZON = timedelta(days=41 * 366)
"""How far ahead is looked: the 29th of February falls on a given day of the week again within 40 years."""


@dataclass(frozen=True)
class Schedule:
    """A valid schedule (:data:`neo4j_dr_operator.api.schedule.Cron`) in a time zone of that name."""

    cron: str
    zone: str

    def after(self, moment: float) -> float | None:
        """The first time later than `moment`; None when it never comes due within `HORIZON`."""
        first = self._local(moment).date() - _DAY
        for days in range(HORIZON.days):
            times = self._on(first + days * _DAY)
            index = bisect_right(times, moment, key=self._instant)
            if index < len(times):
                return self._instant(times[index])
        return None

    def latest(self, since: float, until: float) -> float | None:
        """The last time later than `since` and not later than `until`, None without one."""
        day, earliest = self._local(until).date() + _DAY, self._local(since).date() - _DAY
        while day >= earliest:
            times = self._on(day)
            index = bisect_right(times, until, key=self._instant)
            if index:
                found = self._instant(times[index - 1])
                return found if found > since else None
            day -= _DAY
        return None

    def _on(self, day: date) -> list[datetime]:
        """What the clock shows at the times of one day, in their order: that of the moments too."""
        if not self._fields.day(day.month, day.day, day.isoweekday() % 7):
            return []
        return [datetime.combine(day, each) for each in self._times]

    def _instant(self, shown: datetime) -> float:
        """When the clock shows this for the first time, or would have."""
        early, late = (shown.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if early.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) == shown:
            return early.timestamp()
        # it is skipped: find the moment at which the clock is put forward, between what either offset makes of it
        low, high, ahead = int(late.timestamp()), int(early.timestamp()), late.utcoffset()
        while high - low > 1:
            middle = (low + high) // 2
            if datetime.fromtimestamp(middle, self._zone).utcoffset() == ahead:
                high = middle
            else:
                low = middle
        return float(high)

    def _local(self, moment: float) -> datetime:
        return datetime.fromtimestamp(moment, self._zone)

    @cached_property
    def _fields(self) -> Fields:
        return Fields.of(self.cron)

    @cached_property
    def _times(self) -> list[time]:
        return [time(hour, minute) for hour in sorted(self._fields.hours) for minute in sorted(self._fields.minutes)]

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)
