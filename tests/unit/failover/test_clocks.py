"""Ages when clocks are set: a lag is never negative, never fresh by mistake, and no database's clock plays a part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.failover.clocks import TOLERANCE, age
from neo4j_dr_operator.recovery.sight import link_lag, link_view
from neo4j_dr_operator.standbys.following import LinkReport, Source, lag_of
from tests.machine_inputs import following

NOW = 2_000_000_000.0
HOUR = 3600.0
MOMENTS = st.floats(0, 4e9)


def worker(**report: Any) -> Any:
    """A worker with this last report."""
    config = SimpleNamespace(link="primary>secondary", epoch=1)
    return cast(Any, SimpleNamespace(config=config, report={"state": "streaming", **report}))


@given(MOMENTS, MOMENTS)
def test_an_age_is_never_negative_and_unknown_only_when_the_moment_lies_ahead(at: float, now: float) -> None:
    found = age(at, now)
    assert (found is None) == (at - now > TOLERANCE)
    assert found is None or found == max(0.0, now - at)


@given(st.floats(-2 * HOUR, 2 * HOUR), st.floats(0, HOUR), st.booleans())
def test_a_clock_that_is_set_never_makes_a_lag_smaller_than_zero_or_hides_one(
    step: float, true_lag: float, caught_up: bool
) -> None:
    """The heartbeat was written ``true_lag`` seconds ago; since then the operator's clock was moved by ``step``."""
    beat, looked = NOW - true_lag, NOW - 0.1
    lag = link_lag(worker(heartbeat=beat * 1000, readAt=looked, caughtUp=caught_up), following(), True, NOW + step)
    if lag is None:
        assert step < 0
    else:
        assert lag >= 0
        assert lag >= true_lag + step - 1e-3 or caught_up
        if step == 0:
            assert abs(lag - true_lag) < 1e-3


@given(MOMENTS)
def test_the_commit_times_of_a_database_change_nothing(commit: float) -> None:
    told = {"heartbeat": (NOW - 1) * 1000, "readAt": NOW - 0.1, "caughtUp": True}
    assert link_lag(worker(**told, commitMillis=commit * 1000), following(), True, NOW) == 1.0
    assert link_lag(worker(**told, commitMillis=commit * 1000), following(), False, NOW) == age(NOW - 0.1, NOW)


def test_a_look_that_lies_ahead_is_no_sign_of_life() -> None:
    fresh, ahead = (link_view(worker(readAt=at), NOW) for at in (NOW - 0.2, NOW + HOUR))
    assert fresh is not None
    assert fresh.read_age == age(NOW - 0.2, NOW)
    assert ahead is not None
    assert ahead.read_age is None


def test_a_follower_down_a_cascade_is_measured_the_same_way() -> None:
    source = Source("secondary", True, None, 0.4)
    ahead = LinkReport("streaming", "c", heartbeat=NOW + HOUR, read_at=NOW + HOUR, caught_up=True)
    assert lag_of(ahead, source, True, NOW) is None
    assert lag_of(ahead, source, False, NOW) is None
