"""A process with a wrong clock: the time of day is off, what only measures is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from lab import clock

pytestmark = pytest.mark.skipif(clock.why_not() is not None, reason=str(clock.why_not()))
TELL = "import time, os; print(time.time(), time.time_ns() / 1e9, os.stat('/proc/self').st_mtime, time.monotonic())"


def told(seconds: int) -> list[float]:
    """How far each clock of a process that is so many seconds ahead lies from ours."""
    environment = {**os.environ, **clock.environment(seconds)}
    done = subprocess.run([sys.executable, "-c", TELL], env=environment, capture_output=True, text=True, check=True)
    values = [float(word) for word in done.stdout.split()]
    return [value - ours for value, ours in zip(values, (time.time(),) * 3 + (time.monotonic(),), strict=True)]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_the_time_of_day_is_off_and_nothing_else(seconds: int) -> None:
    """The kernel's own stamps on files and the clock that measures stay right."""
    wall, nanoseconds, file, measuring = told(seconds)
    assert wall == pytest.approx(seconds, abs=20)
    assert nanoseconds == pytest.approx(seconds, abs=20)
    assert file == pytest.approx(0, abs=20)
    assert measuring == pytest.approx(0, abs=20)


def test_programs_that_are_not_python_are_told_the_same() -> None:
    done = subprocess.run(
        ["date", "+%s"], env={**os.environ, **clock.environment(86400)}, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) - time.time() == pytest.approx(86400, abs=20)
    assert done.stderr == ""


def test_a_right_clock_costs_nothing() -> None:
    assert clock.environment(0) == {}
