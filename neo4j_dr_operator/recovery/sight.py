"""A link worker's last report as the machine and the metrics see it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from neo4j_dr_operator.failover.clocks import age
from neo4j_dr_operator.failover.state import ControlState, Site, other
from neo4j_dr_operator.failover.view import LinkView, ShippingView
from neo4j_dr_operator.graph.retention import Retention
from neo4j_dr_operator.health.advice import Place, explain, of_link
from neo4j_dr_operator.replication.supervisor import LinkConfig
from neo4j_dr_operator.shipping.supervision import ShipConfig
from neo4j_dr_operator.workers import Worker


def link_view(
    worker: Worker[LinkConfig] | None, wall: float, places: Mapping[Site, Place] = MappingProxyType({})
) -> LinkView | None:
    """The link as last reported, None when none is wanted; `wall` in seconds makes the age of the last read.

    `places`: what people call its ends.
    """
    if worker is None:
        return None
    report = worker.report
    source: Site = "primary" if worker.config.link.startswith("primary>") else "secondary"
    error, schema = report.get("error") or {}, report.get("schema") or {}
    read_at, cursor_tx = report.get("readAt"), report.get("cursorTx")
    return LinkView(
        source=source,
        target=other(source),
        epoch=worker.config.epoch,
        state=report.get("state") or "starting",
        cursor=report.get("cursor"),
        cursor_tx=int(cursor_tx) if cursor_tx is not None else -1,
        read_age=age(read_at, wall) if read_at else None,
        reason=error.get("reason"),
        message=_explained(error, source, places),
        reseed=report.get("reseed"),
        schema=schema.get("message") if schema.get("reason") == "SchemaDiffers" else None,
        compared=bool(report.get("schemaSeen")),
        retrying=bool(report.get("retrying")),
    )


def _explained(error: Mapping[str, Any], source: Site, places: Mapping[Site, Place]) -> str:
    message = error.get("message") or ""
    end, reason = of_link(error.get("reason") or "")
    place = places.get(source if end == "source" else other(source))
    return explain(reason, message, place) if message and place is not None else message


def link_lag(worker: Worker[LinkConfig] | None, state: ControlState, beating: bool, wall: float) -> float | None:
    """Age in seconds of what the standby holds, None while that is not known.

    While heartbeats are written (`beating`) it is the age of the newest one applied, whoever else writes; while the
    primary is read-only it is zero once its final position is applied. A heartbeat that lies ahead (the clock was set
    back meanwhile) says nothing.
    """
    if worker is None or worker.report.get("state") != "streaming":
        return None
    if state.synced is not None and state.synced.complete:
        return 0.0
    beat, read_at = worker.report.get("heartbeat"), worker.report.get("readAt")
    if beating and beat and (beaten := age(float(beat) / 1000, wall)) is not None:
        return beaten
    if worker.report.get("caughtUp") and read_at:
        return age(float(read_at), wall)
    return None


def shipping_view(
    worker: Worker[ShipConfig] | None,
    places: Mapping[Site, Place] = MappingProxyType({}),
    stored: Mapping[str, Any] | None = None,
) -> ShippingView | None:
    """The log shipper as last reported, None when none is wanted. `places`: what people call the sites; `stored`:
    `status.shipping`, which tells of the gap that an earlier shipper of the epoch left."""
    if worker is None:
        return None
    report, config = worker.report, worker.config
    error = report.get("error") or {}
    before = stored if stored is not None and stored.get("epoch") == config.epoch else {}
    gap = report.get("gap")
    return ShippingView(
        site=config.site,
        epoch=config.epoch,
        state=report.get("state") or "starting",
        segment=report.get("segment"),
        position=report.get("position"),
        shipped_at=report.get("shippedAt"),
        up_to=report.get("upTo"),
        covered=report.get("covered"),
        backlog=report.get("backlogTransactions"),
        gap=gap if gap is not None else before.get("gap"),
        reason=error.get("reason"),
        message=_explained(error, config.site, {config.site: places[config.site]} if places else {}),
        retention=Retention(**(report.get("retention") or {})),
    )
