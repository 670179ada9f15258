"""Prometheus metrics, named as users expect them; every series of a resource exists from its first moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

PREFIX = "neo4j_disaster_recovery"
SITES = ("primary", "secondary")
READERS = ("shipping", "link")
KINDS = ("switchover", "failover", "emergency")


class Metrics:
    """The metrics of one operator process, on a registry of its own."""

    def __init__(self) -> None:
        """Register every family; series come with `of`."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._families: list[tuple[Gauge | Counter, tuple[str, ...] | None]] = []
        self.lag = self._gauge("replication_lag_seconds", "Age of what the standby holds")
        self.failures = self._counter("health_check_failures", "Failed probes", "site", SITES)
        self.failovers = self._counter("failover", "Completed changes of the active site", "kind", KINDS)
        self.latency = self._gauge("network_latency_seconds", "Round trip to the source of the link")
        self.missing = self._gauge(
            "replication_lag_transactions",
            "Transactions of the source that the standby does not hold",
        )
        self.changes = self._counter("replication_changes", "Changes applied to the standby")
        self.received = self._counter("replication_bytes", "Bytes read from the source of the link")
        self.troubled = self._gauge(
            "replication_last_error_timestamp_seconds",
            "When the link's last error began, in seconds since 1970; 0: never",
        )
        self.health = self._gauge("health_status", "1: the site is UP, 0: it is not", "site", SITES)
        self.standby_lag = self._gauge(
            "standby_lag_seconds",
            "Age of what one of several standbys holds, behind the active site",
            "standby",
        )
        self.standby_ready = self._gauge(
            "standby_ready",
            "1: the standby is an exact copy that could take over, 0: it is not",
            "standby",
        )
        self.archive_age = self._gauge(
            "log_shipping_age_seconds",
            "Age of the moment up to which everything is in the archive",
        )
        self.archive_backlog = self._gauge(
            "log_shipping_backlog_transactions",
            "Transactions that are not in the archive yet",
        )
        self.archive_retention = self._gauge(
            "log_retention_seconds_left",
            "Seconds for which the log of the active site holds what is not archived (reader shipping) or not applied "
            "(reader link) yet; NaN: unknown",
            "reader",
            READERS,
        )
        self.archive_bytes = self._counter("log_shipping_bytes", "Bytes of segments put into the archive")
        self.backup_at = self._gauge(
            "backup_last_success_timestamp_seconds",
            "When the last snapshot was complete, in seconds since 1970; 0: never",
        )
        self.backup_took = self._gauge("backup_duration_seconds", "How long the last snapshot took")
        self.backup_bytes = self._counter("backup_bytes", "Bytes of snapshots put into the store")
        self.backup_failures = self._counter("backup_failures", "Snapshots that could not be taken")
        self.window_start = self._gauge(
            "recovery_window_start_timestamp_seconds",
            "First moment that can be restored to, in seconds since 1970; 0: none",
        )
        self.window_end = self._gauge(
            "recovery_window_end_timestamp_seconds",
            "Last moment that can be restored to, in seconds since 1970; 0: none",
        )
        self.unchecked = self._gauge(
            "archive_unchecked_age_seconds",
            "How long ago the object of the archives was read that was not read for longest",
        )
        self.findings = self._gauge("archive_findings", "Objects of the archives that are not in order")
        self.audited = self._counter("archive_audit_bytes", "Bytes read from the archives to check them")

    def _gauge(self, name: str, text: str, label: str | None = None, values: tuple[str, ...] = ()) -> Gauge:
        """A family; `values`: what a further label of it is for every resource."""
        labels = ("cluster", "namespace", *((label,) if label else ()))
        made = Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)
        self._families.append((made, values if label else None))
        return made

    def _counter(self, name: str, text: str, label: str | None = None, values: tuple[str, ...] = ()) -> Counter:
        """See `_gauge`."""
        labels = ("cluster", "namespace", *((label,) if label else ()))
        made = Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)
        self._families.append((made, values if label else None))
        return made

    def series(self, namespace: str, name: str) -> Iterator[tuple[Gauge | Counter, tuple[str, ...]]]:
        """Each family with the labels of each series that a resource has for as long as it is there."""
        for family, values in self._families:
            if values is None:
                yield family, (name, namespace)
            else:
                yield from ((family, (name, namespace, value)) for value in values)

    def of(self, namespace: str, name: str) -> ResourceMetrics:
        """The series of one resource, all of them present at once."""
        for family, labels in self.series(namespace, name):
            family.labels(*labels)
        made = ResourceMetrics(self, namespace, name)
        for reader in READERS:
            made.retention(reader, None)
        return made


@dataclass(frozen=True)
class ResourceMetrics:
    """The series of one disaster recovery resource."""

    metrics: Metrics
    namespace: str
    name: str

    def lag(self, seconds: Callable[[], float]) -> None:
        """Age of what the standby holds, in seconds, asked for whenever the metrics are read; NaN: never known."""
        self.metrics.lag.labels(self.name, self.namespace).set_function(seconds)

    def standby(self, name: str, lag: Callable[[], float], ready: bool) -> None:
        """How far one of several standbys is behind the active site, as `lag` says it."""
        labels = (self.name, self.namespace, name)
        self.metrics.standby_lag.labels(*labels).set_function(lag)
        self.metrics.standby_ready.labels(*labels).set(1 if ready else 0)

    def forget_standby(self, name: str) -> None:
        """Take the series of one standby away with it."""
        of = self.metrics
        for family in (of.standby_lag, of.standby_ready, of.failures, of.health):
            family.remove(self.name, self.namespace, name)

    def latency(self, seconds: float) -> None:
        """Round trip of a Bolt no-op from the link's worker to its source, in seconds."""
        self.metrics.latency.labels(self.name, self.namespace).set(seconds)

    def link(self, missing: int | None, changes: int, received: int, troubled: float | None) -> None:
        """Transactions missing while known, changes and bytes more than before, when the last error began."""
        labels = (self.name, self.namespace)
        if missing is not None:
            self.metrics.missing.labels(*labels).set(missing)
        self.metrics.changes.labels(*labels).inc(changes)
        self.metrics.received.labels(*labels).inc(received)
        if troubled is not None:
            self.metrics.troubled.labels(*labels).set(troubled)

    def archive(self, age: float | None, backlog: int | None) -> None:
        """How far the archive is behind: seconds and transactions; None leaves what was known."""
        if age is not None:
            self.metrics.archive_age.labels(self.name, self.namespace).set(age)
        if backlog is not None:
            self.metrics.archive_backlog.labels(self.name, self.namespace).set(backlog)

    def retention(self, reader: str, left: float | None) -> None:
        """Seconds for which a log holds what `reader` (of `READERS`) has not read yet, None while unknown."""
        self.metrics.archive_retention.labels(self.name, self.namespace, reader).set(math.nan if left is None else left)

    def archived(self, count: int) -> None:
        """So many more bytes are in the archive."""
        self.metrics.archive_bytes.labels(self.name, self.namespace).inc(count)

    def last_backup(self, at: float, seconds: float) -> None:
        """When the last snapshot was complete (seconds since 1970), and how long it took."""
        self.metrics.backup_at.labels(self.name, self.namespace).set(at)
        self.metrics.backup_took.labels(self.name, self.namespace).set(seconds)

    def backed_up(self, count: int) -> None:
        """So many more bytes of snapshots are in the store."""
        self.metrics.backup_bytes.labels(self.name, self.namespace).inc(count)

    def backup_failed(self) -> None:
        """One more snapshot could not be taken."""
        self.metrics.backup_failures.labels(self.name, self.namespace).inc()

    def window(self, earliest: int | None, latest: int | None) -> None:
        """The recoverable window, in ms since 1970."""
        self.metrics.window_start.labels(self.name, self.namespace).set((earliest or 0) / 1000)
        self.metrics.window_end.labels(self.name, self.namespace).set((latest or 0) / 1000)

    def unchecked(self, seconds: float) -> None:
        """How long ago the object was read that was not read for longest."""
        self.metrics.unchecked.labels(self.name, self.namespace).set(seconds)

    def findings(self, count: int) -> None:
        """So many objects of the archives are not in order."""
        self.metrics.findings.labels(self.name, self.namespace).set(count)

    def audited(self, count: int) -> None:
        """So many more bytes were read to check them."""
        self.metrics.audited.labels(self.name, self.namespace).inc(count)

    def failed_probe(self, site: str) -> None:
        """One more failed probe."""
        self.metrics.failures.labels(self.name, self.namespace, site).inc()

    def failover(self, kind: str) -> None:
        """One more completed change of the active site."""
        self.metrics.failovers.labels(self.name, self.namespace, kind).inc()

    def health(self, site: str, up: bool) -> None:
        """Whether the site is UP."""
        self.metrics.health.labels(self.name, self.namespace, site).set(1 if up else 0)

    def remove(self) -> None:
        """Take the series away with the resource."""
        for family, labels in self.metrics.series(self.namespace, self.name):
            family.remove(*labels)
