"""How many failures, and how long, until a link is called unhealthy."""

from __future__ import annotations

from neo4j_dr_operator.replication.patience import Patience


def test_so_many_retries_are_a_hiccup() -> None:
    patience = Patience(retries=3, timeout=30.0)
    assert [patience.failed(at, at + 0.1) for at in (0.0, 0.5, 1.0, 1.5, 2.0)] == [True, True, True, False, False]
    patience.clear()
    assert patience.failed(3.0, 3.1)


def test_no_retry_means_that_the_first_failure_counts() -> None:
    assert not Patience(0, 30.0).failed(0.0, 0.1)
    assert not Patience().failed(0.0, 0.0)


def test_a_wait_as_long_as_the_time_limit_is_no_hiccup() -> None:
    patience = Patience(retries=3, timeout=30.0)
    assert not patience.failed(0.0, 30.0)
    patience.clear()
    assert patience.failed(100.0, 110.0)
    assert patience.failed(110.4, 120.0)
    assert not patience.failed(120.4, 130.0), "30 s without an answer, in three attempts"
