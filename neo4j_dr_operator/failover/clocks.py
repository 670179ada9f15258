"""Ages, from moments that a clock has told. Pure.

Only one machine's clock is ever compared with itself: the operator's, which tells the moment of a heartbeat, of a look
at the stream, and the present. Clocks of databases are compared with nothing: an hour off, they change no lag and no
verdict. What is left is that the operator's own clock is set, or that another operator wrote the last heartbeat.
"""

from __future__ import annotations

TOLERANCE = 2.0
"""Seconds by which a moment may lie ahead: heartbeats of an operator whose clock is kept in time by NTP."""


def age(at: float, now: float) -> float | None:
    """Seconds from ``at`` to ``now``; None where it lies ahead, which says that a clock was set back: not that it is
    fresh."""
    passed = now - at
    return None if passed < -TOLERANCE else max(0.0, passed)
