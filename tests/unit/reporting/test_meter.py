"""Metrics of a link: every series from the start, counters that only grow, also when the worker is another one."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from neo4j_dr_operator.metrics import PREFIX, Metrics
from neo4j_dr_operator.reporting.meter import Meter

LABELS = {"cluster": "dr", "namespace": "ns"}
LINK = ("lag_transactions", "changes_total", "bytes_total", "last_error_timestamp_seconds")


def worker(**report: object) -> Any:
    """A worker process as the meter sees it."""
    return SimpleNamespace(report=report)


def values(metrics: Metrics) -> list[float | None]:
    return [metrics.registry.get_sample_value(f"{PREFIX}_replication_{name}", LABELS) for name in LINK]


def test_every_series_is_there_from_the_start_and_goes_with_the_resource() -> None:
    metrics = Metrics()
    series = metrics.of("ns", "dr")
    assert values(metrics) == [0.0, 0.0, 0.0, 0.0]
    series.remove()
    assert values(metrics) == [None, None, None, None]


def test_counters_add_up_over_workers() -> None:
    metrics = Metrics()
    meter = Meter(metrics.of("ns", "dr"))
    first = worker(behind=7, changes=100, received=4000, lastError={"at": 12.5})
    meter.take_link(0.5, first)
    meter.take_link(0.5, first)
    assert values(metrics) == [7.0, 100.0, 4000.0, 12.5]
    first.report = {"behind": 0, "changes": 130, "received": 5000}
    meter.take_link(0.5, first)
    assert values(metrics) == [0.0, 130.0, 5000.0, 12.5]
    meter.take_link(None, None)
    meter.take_link(0.1, worker(changes=20, received=10))
    assert values(metrics) == [0.0, 150.0, 5010.0, 12.5]
    meter.take_link(0.1, worker())
    assert values(metrics) == [0.0, 150.0, 5010.0, 12.5]


def lag(metrics: Metrics) -> float:
    found = metrics.registry.get_sample_value(f"{PREFIX}_replication_lag_seconds", LABELS)
    assert found is not None
    return found


def test_the_lag_grows_while_nothing_newer_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is seen in the query of the guide, whatever has become of the link."""
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    monkeypatch.setattr("time.monotonic", lambda: now - 1_799_999_000.0)
    metrics = Metrics()
    meter = Meter(metrics.of("ns", "dr"))
    assert math.isnan(lag(metrics)), "nothing was ever known"
    meter.take_link(0.4, worker())
    now += 30
    assert lag(metrics) == 0.4, "as it was seen last"
    meter.take_link(None, worker(state="failed"))
    assert lag(metrics) == pytest.approx(30.4)
    meter.take_link(None, None)
    now += 600
    assert lag(metrics) == pytest.approx(630.4)
    meter.take_link(None, worker(state="attaching", heartbeat=(now - 3) * 1000))
    assert lag(metrics) == pytest.approx(3.0)
    meter.take_link(None, worker(state="attaching", heartbeat=(now + 3600) * 1000))
    assert lag(metrics) == pytest.approx(3.0), "a clock that was set says nothing"
    monkeypatch.setattr("time.time", lambda: now - 3600)
    meter.take_link(None, worker(state="streaming", heartbeat=now * 1000))
    assert lag(metrics) == pytest.approx(3.0), "nor does the operator's own"
    meter.take_link(0.0, worker())
    assert lag(metrics) == 0.0


def test_an_operator_that_begins_in_an_outage_knows_what_the_standby_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 2000.0)
    metrics = Metrics()
    Meter(metrics.of("ns", "dr")).take_link(None, worker(state="attaching", heartbeat=500_000))
    assert lag(metrics) == pytest.approx(1500.0, abs=1.0)


def test_the_series_of_snapshots_are_there_from_the_start_and_go_with_the_resource() -> None:
    metrics = Metrics()
    series = metrics.of("ns", "dr")
    names = ("last_success_timestamp_seconds", "duration_seconds", "bytes_total", "failures_total")

    def seen() -> list[float | None]:
        return [metrics.registry.get_sample_value(f"{PREFIX}_backup_{name}", LABELS) for name in names]

    assert seen() == [0.0, 0.0, 0.0, 0.0]
    series.last_backup(1000.0, 12.5)
    series.backed_up(70)
    series.backed_up(7)
    series.backup_failed()
    assert seen() == [1000.0, 12.5, 77.0, 1.0]
    series.remove()
    assert seen() == [None, None, None, None]
