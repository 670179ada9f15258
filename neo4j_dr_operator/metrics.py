"""Prometheus metrics, named as users expect them; every series of a resource exists from its first moment."""

from __future__ import annotations

import math
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
        labels = ("cluster", "namespace")
        self.lag = Gauge(
            f"{PREFIX}_replication_lag_seconds", "Age of what the standby holds", labels, registry=self.registry
        )
        self.failures = Counter(
            f"{PREFIX}_health_check_failures", "Failed probes", (*labels, "site"), registry=self.registry
        )
        self.failovers = Counter(
            f"{PREFIX}_failover", "Completed changes of the active site", (*labels, "kind"), registry=self.registry
        )
        self.latency = Gauge(
            f"{PREFIX}_network_latency_seconds", "Round trip to the source of the link", labels, registry=self.registry
        )
        self.missing = Gauge(
            f"{PREFIX}_replication_lag_transactions",
            "Transactions of the source that the standby does not hold",
            labels,
            registry=self.registry,
        )
        self.changes = Counter(
            f"{PREFIX}_replication_changes", "Changes applied to the standby", labels, registry=self.registry
        )
        self.received = Counter(
            f"{PREFIX}_replication_bytes", "Bytes read from the source of the link", labels, registry=self.registry
        )
        self.troubled = Gauge(
            f"{PREFIX}_replication_last_error_timestamp_seconds",
            "When the link's last error began, in seconds since 1970; 0: never",
            labels,
            registry=self.registry,
        )
        self.health = Gauge(
            f"{PREFIX}_health_status", "1: the site is UP, 0: it is not", (*labels, "site"), registry=self.registry
        )

        self.standby_lag = Gauge(
            f"{PREFIX}_standby_lag_seconds",
            "Age of what one of several standbys holds, behind the active site",
            (*labels, "standby"),
            registry=self.registry,
        )
        self.standby_ready = Gauge(
            f"{PREFIX}_standby_ready",
            "1: the standby is an exact copy that could take over, 0: it is not",
            (*labels, "standby"),
            registry=self.registry,
        )
        self.archive_age = Gauge(
            f"{PREFIX}_log_shipping_age_seconds",
            "Age of the moment up to which everything is in the archive",
            labels,
            registry=self.registry,
        )
        self.archive_backlog = Gauge(
            f"{PREFIX}_log_shipping_backlog_transactions",
            "Transactions that are not in the archive yet",
            labels,
            registry=self.registry,
        )
        self.archive_retention = Gauge(
            f"{PREFIX}_log_retention_seconds_left",
            "Seconds for which the log of the active site holds what is not archived (reader shipping) or not applied "
            "(reader link) yet; NaN: unknown",
            (*labels, "reader"),
            registry=self.registry,
        )
        self.archive_bytes = Counter(
            f"{PREFIX}_log_shipping_bytes", "Bytes of segments put into the archive", labels, registry=self.registry
        )
        self.backup_at = Gauge(
            f"{PREFIX}_backup_last_success_timestamp_seconds",
            "When the last snapshot was complete, in seconds since 1970; 0: never",
            labels,
            registry=self.registry,
        )
        self.backup_took = Gauge(
            f"{PREFIX}_backup_duration_seconds", "How long the last snapshot took", labels, registry=self.registry
        )
        self.backup_bytes = Counter(
            f"{PREFIX}_backup_bytes", "Bytes of snapshots put into the store", labels, registry=self.registry
        )
        self.backup_failures = Counter(
            f"{PREFIX}_backup_failures", "Snapshots that could not be taken", labels, registry=self.registry
        )

        self.window_start = Gauge(
            f"{PREFIX}_recovery_window_start_timestamp_seconds",
            "First moment that can be restored to, in seconds since 1970; 0: none",
            labels,
            registry=self.registry,
        )
        self.window_end = Gauge(
            f"{PREFIX}_recovery_window_end_timestamp_seconds",
            "Last moment that can be restored to, in seconds since 1970; 0: none",
            labels,
            registry=self.registry,
        )
        self.unchecked = Gauge(
            f"{PREFIX}_archive_unchecked_age_seconds",
            "How long ago the object of the archives was read that was not read for longest",
            labels,
            registry=self.registry,
        )
        self.findings = Gauge(
            f"{PREFIX}_archive_findings",
            "Objects of the archives that are not in order",
            labels,
            registry=self.registry,
        )
        self.audited = Counter(
            f"{PREFIX}_archive_audit_bytes",
            "Bytes read from the archives to check them",
            labels,
            registry=self.registry,
        )

    def of(self, namespace: str, name: str) -> ResourceMetrics:
        """The series of one resource, all of them present at once."""
        made = ResourceMetrics(self, namespace, name)
        self.lag.labels(name, namespace)
        for family in (self.latency, *self._of_archive(), *self._of_links()):
            family.labels(name, namespace)
        for reader in READERS:
            self.archive_retention.labels(name, namespace, reader).set(math.nan)
        for site in SITES:
            self.failures.labels(name, namespace, site)
            self.health.labels(name, namespace, site)
        for kind in KINDS:
            self.failovers.labels(name, namespace, kind)
        return made

    def _of_links(self) -> tuple[Gauge | Counter, ...]:
        return (self.missing, self.changes, self.received, self.troubled)

    def _of_archive(self) -> tuple[Gauge | Counter, ...]:
        shipped = (self.archive_age, self.archive_backlog, self.archive_bytes)
        audited = (self.window_start, self.window_end, self.unchecked, self.findings, self.audited)
        return (*shipped, *audited, self.backup_at, self.backup_took, self.backup_bytes, self.backup_failures)


@dataclass(frozen=True)
class ResourceMetrics:
    """The series of one disaster recovery resource."""

    metrics: Metrics
    namespace: str
    name: str

    def lag(self, seconds: float) -> None:
        """Age of what the standby holds, in seconds."""
        self.metrics.lag.labels(self.name, self.namespace).set(seconds)

    def standby(self, name: str, lag: float | None, ready: bool) -> None:
        """How far one of several standbys is behind the active site, in seconds while that is known."""
        labels = (self.name, self.namespace, name)
        if lag is not None:
            self.metrics.standby_lag.labels(*labels).set(lag)
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
        name, namespace = self.name, self.namespace
        self.metrics.lag.remove(name, namespace)
        for family in (self.metrics.latency, *self.metrics._of_archive(), *self.metrics._of_links()):
            family.remove(name, namespace)
        for site in SITES:
            self.metrics.failures.remove(name, namespace, site)
            self.metrics.health.remove(name, namespace, site)
        for kind in KINDS:
            self.metrics.failovers.remove(name, namespace, kind)
