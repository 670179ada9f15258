"""How far the filling of a target is, and how long it may still take (pure)."""

from __future__ import annotations

from typing import Any

from neo4j_dr_operator.replication import link
from neo4j_dr_operator.replication.link import LinkState


def scanned(state: LinkState | None) -> int:
    """Ids that the scan has dealt with."""
    return 0 if state is None else state.scan_nodes + state.scan_rels


def seeding(state: LinkState | None, rate: float | None, elapsed: float) -> dict[str, Any] | None:
    """The part ``seed`` of a report; None where nothing was ever scanned.

    ``rate``: ids a second; ``elapsed``: seconds since the worker was started. The percentage is of the ids to scan, 99
    at most until the copy is exact; what the stream has to catch up with after the scan is in no estimate.
    """
    if state is None or not state.scan_nodes_end + state.scan_rels_end:
        return None
    total, done = state.scan_nodes_end + state.scan_rels_end, scanned(state)
    filling = state.phase in (link.SEEDING, link.CATCHING_UP)
    percent = min(99, 100 * done // total) if filling else 100
    left = round((total - done) / rate) if state.phase == link.SEEDING and rate else None
    return {
        "nodes": state.scan_nodes,
        "nodesEnd": state.scan_nodes_end,
        "rels": state.scan_rels,
        "relsEnd": state.scan_rels_end,
        "phase": _phase(state),
        "percent": percent,
        "rate": round(rate) if rate and state.phase == link.SEEDING else None,
        "estimatedSecondsLeft": left,
        "elapsedSeconds": round(elapsed) if filling else None,
        "again": bool(state.reseed),
    }


def _phase(state: LinkState) -> str:
    if state.phase != link.SEEDING:
        return state.phase
    if state.reseed and not state.swept:
        return "sweeping"
    return "nodes" if state.scan_nodes < state.scan_nodes_end else "relationships"
