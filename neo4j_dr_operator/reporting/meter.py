"""What one resource's metrics say, taken from sight and from its workers' reports."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from neo4j_dr_operator.archives import audit_status
from neo4j_dr_operator.archives.audit_status import Audited
from neo4j_dr_operator.failover.clocks import age
from neo4j_dr_operator.failover.state import SITES
from neo4j_dr_operator.failover.view import Seen
from neo4j_dr_operator.metrics import ResourceMetrics
from neo4j_dr_operator.replication.supervisor import LinkConfig
from neo4j_dr_operator.reporting.objectives import Objectives
from neo4j_dr_operator.shipping.supervision import ShipConfig
from neo4j_dr_operator.workers import Worker


class Behind:
    """Seconds by which a standby is behind, growing while nothing newer is known; NaN where nothing ever was."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._lag: float | None = None
        self._held: float | None = None
        """Monotonic seconds of the moment up to which it was known last to hold everything: no clock that is set moves
        it."""

    def take(self, lag: float | None, beat: float | None) -> None:
        """The lag in seconds; while it is not known, `beat`: wall seconds of the newest heartbeat that the standby says
        it holds."""
        known = lag if lag is not None or beat is None else age(beat, time.time())
        if known is not None:
            held = time.monotonic() - known
            self._held = held if self._held is None or lag is not None else max(self._held, held)
        self._lag = lag

    def __call__(self) -> float:
        """At this moment."""
        if self._lag is not None:
            return self._lag
        return math.nan if self._held is None else time.monotonic() - self._held


class Meter:
    """Sets gauges, and counts what a worker counts from its own start."""

    def __init__(self, metrics: ResourceMetrics) -> None:
        """All series exist already."""
        self._metrics = metrics
        self._behind = Behind()
        metrics.lag(self._behind)
        self._shipper: Worker[ShipConfig] | None = None
        self._bytes = 0
        self._link: Worker[LinkConfig] | None = None
        self._counted = (0, 0)

    def take(self, seen: Seen, lag: float | None, link: Worker[LinkConfig] | None) -> None:
        """Health of both sites, and what `take_link` takes."""
        for site in SITES:
            self._metrics.health(site, seen.sites[site].verdict == "UP")
        self.take_link(lag, link)

    def take_link(self, lag: float | None, link: Worker[LinkConfig] | None) -> None:
        """`lag` in seconds and the round trip while they are known, and what the link has done since the last look."""
        beat = link.report.get("heartbeat") if link is not None else None
        self._behind.take(lag, float(beat) / 1000 if beat else None)
        if link is not None and link.report.get("latency") is not None:
            self._metrics.latency(float(link.report["latency"]))
        if link is not self._link:
            self._link, self._counted = link, (0, 0)
        if link is not None:
            before, last = self._counted, link.report.get("lastError") or {}
            self._counted = (int(link.report.get("changes") or 0), int(link.report.get("received") or 0))
            more = [max(0, now - then) for now, then in zip(self._counted, before, strict=True)]
            self._metrics.link(link.report.get("behind"), more[0], more[1], last.get("at"))

    def take_audits(self, archives: Sequence[Audited], objectives: Objectives) -> None:
        """The recoverable window, how long nobody has looked at some object, and what was found."""
        window = archives[0].report.get("window") if archives else None
        if window:
            last = audit_status.latest(archives[0], objectives.shipping)
            self._metrics.window(window.get("earliest"), last)
        oldest = min((each.report["oldest"] for each in archives if each.report.get("oldest")), default=None)
        if oldest is not None:
            self._metrics.unchecked(max(0.0, objectives.now - oldest))
        if any(each.report for each in archives):
            self._metrics.findings(audit_status.total(archives))

    def take_archive(self, objectives: Objectives, shipper: Worker[ShipConfig] | None) -> None:
        """Age and backlog of the archive, and the bytes that this shipper has put since the last look."""
        view = objectives.shipping
        self._metrics.archive(objectives.archive_age, view.backlog if view is not None else None)
        for reader, left in (("shipping", objectives.headroom), ("link", objectives.link_headroom)):
            self._metrics.retention(reader, left.seconds if left is not None else None)
        if shipper is not self._shipper:
            self._shipper, self._bytes = shipper, 0
        put = int(shipper.report.get("bytes") or 0) if shipper is not None else 0
        if put > self._bytes:
            self._metrics.archived(put - self._bytes)
            self._bytes = put
