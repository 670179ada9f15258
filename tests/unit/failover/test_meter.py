"""Metrics of a link: every series from the start, counters that only grow, also when the worker is another one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from neo4j_dr_operator.failover.meter import Meter
from neo4j_dr_operator.metrics import PREFIX, Metrics

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
