"""How long the source's transaction log will still hold what somebody has not read yet. Pure.

The log is pruned at checkpoints, whole files at a time, as ``db.tx_log.rotation.retention_policy`` says (Neo4j 5
Operations Manual, "Transaction logging"): ``keep_all``, ``keep_none``, or a number with ``days``, ``hours``, ``size``,
``txs`` or ``files``, and perhaps a second one, a size that the log may not exceed either (the default: ``2 days 2G``).

What an age allows is known. What a size allows is seen only when the log's oldest entry moves: as fast as it moves, the
place where the log begins comes nearer. So nothing is known of a log that is limited by size, if only beside an age,
and was never pruned while somebody looked: 2 GiB are two days of one database and two minutes of another. That is said
(None), not guessed.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

ALARM_SHARE, ALARM_SECONDS = 0.25, 86_400.0
"""What is left of a log is too little below this share of what it holds, or a day where that is less."""
MEMORY = 86_400.0
"""Seconds that a pace looks back."""
_AGE = re.compile(r"^(\d+)([kmg]?) (days|hours)(?: |$)", re.IGNORECASE)
_AGE_ALONE = re.compile(r"\d+[kmg]? (days|hours)", re.IGNORECASE)
_TIMES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SECONDS = {"days": 86_400.0, "hours": 3600.0}


@dataclass(frozen=True)
class Retention:
    """What is known of a log.

    ``policy`` as the server has it; ``oldest``: when its oldest entry was committed (seconds since 1970); ``pace``:
    seconds that this moves on in a second, None while it was not seen to move.
    """

    policy: str | None = None
    oldest: float | None = None
    pace: float | None = None

    @property
    def age(self) -> float | None:
        """Seconds for which entries are kept, None where the policy does not say so."""
        found = _AGE.match(self.policy or "")
        return int(found[1]) * _TIMES[found[2].lower()] * _SECONDS[found[3].lower()] if found else None

    @property
    def unmeasured(self) -> bool:
        """Whether something else than an age may prune the log first, and nobody has seen how fast."""
        known = self.policy is not None and self.policy.lower() not in ("keep_all", "true")
        return known and self.pace is None and _AGE_ALONE.fullmatch(self.policy or "") is None


@dataclass(frozen=True)
class Headroom:
    """``seconds`` until what was committed at a time falls out of the log; ``window``: the same for what is new."""

    seconds: float
    window: float

    @property
    def short(self) -> bool:
        """Whether somebody has to be told."""
        return self.seconds < min(ALARM_SHARE * self.window, ALARM_SECONDS)


def headroom(retention: Retention, read_to: float, now: float) -> Headroom | None:
    """For somebody who has read everything committed before ``read_to``; times in seconds since 1970. None: unknown."""
    found = []
    if retention.age is not None:
        found.append(Headroom(max(0.0, retention.age - max(0.0, now - read_to)), retention.age))
    if retention.oldest is not None and retention.pace is not None:
        window = max(0.0, now - retention.oldest) / retention.pace
        found.append(Headroom(max(0.0, read_to - retention.oldest) / retention.pace, window))
    left = min(found, key=lambda each: each.seconds, default=None)
    most = retention.unmeasured  # what an age allows is then the most there can be: enough for an alarm, not for more
    return None if most and left is not None and not left.short else left


class Pace:
    """Watches the oldest entry of a log."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._moves: deque[tuple[float, float]] = deque()
        self._oldest: float | None = None

    def saw(self, oldest: float, now: float) -> float | None:
        """The pace once this was seen at ``now`` (monotonic seconds).

        At least 1: a log whose oldest entry moves is full, so it moves with the time when writes go on as they do, and
        faster when they become more. Between two moves it is their distance; files are pruned whole.
        """
        if self._oldest is not None and oldest > self._oldest:
            self._moves.append((now, oldest))
        self._oldest = oldest
        while len(self._moves) > 1 and now - self._moves[0][0] > MEMORY:
            self._moves.popleft()
        if not self._moves:
            return None
        (began, first), (ended, last) = self._moves[0], self._moves[-1]
        return max(1.0, (last - first) / (ended - began)) if ended > began else 1.0
