"""What a link's report says of distance, speed and trouble, as the status shows it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from neo4j_dr_operator.reporting.report import timestamp

VOLATILE = ("lagTransactions", "changesPerSecond", "bytesPerSecond")
"""What changes with every report; :func:`steps` says when that is worth a write."""

_NOTHING = {"lagTransactions": 1000, "changesPerSecond": 10}
"""Below these a figure is taken for none: a heartbeat, a client now and then."""


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """From a worker's last report."""
    changes, received, last = report.get("changesPerSecond"), report.get("bytesPerSecond"), report.get("lastError")
    return {
        "lagTransactions": report.get("behind"),
        "changesPerSecond": None if changes is None else round(changes, 1),
        "bytesPerSecond": None if received is None else round(received),
        "lastError": None if last is None else _shown(last),
    }


def filling(seed: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How far the filling of a standby is, from a worker's last report; None once it is over."""
    if not seed or seed.get("phase") not in _FILLING:
        return None
    counts = {name: max(0, int(seed.get(name) or 0)) for name in ("nodes", "nodesEnd", "rels", "relsEnd")}
    known = ("phase", "percent", "rate", "estimatedSecondsLeft", "elapsedSeconds")
    return {**counts, **{name: seed.get(name) for name in known}}


_FILLING = ("sweeping", "nodes", "relationships", "catching-up")


def filling_steps(seed: Mapping[str, Any] | None) -> list[Any]:
    """What makes a new write worth it: another phase, a tenth more, ten seconds later."""
    if not seed:
        return []
    return [seed.get("phase"), (seed.get("percent") or 0) // 10, (seed.get("elapsedSeconds") or 0) // 10]


def remembering(
    items: Sequence[dict[str, Any]], stored: Sequence[Mapping[str, Any]] | None, key: str
) -> list[dict[str, Any]]:
    """The entries of links (told apart by ``key``), each with its stored last error where it has no newer one.

    The last error outlives the worker that met it, and the operator that started that worker.
    """
    known = {item.get(key): item.get("lastError") for item in stored or ()}
    return [{**item, "lastError": item.get("lastError") or known.get(item[key])} for item in items]


def _shown(last: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": last["reason"], "message": last["message"], "at": timestamp(float(last["at"]))}


def steps(item: Mapping[str, Any]) -> list[int]:
    """The order of magnitude of each figure; bytes go with changes."""
    return [magnitude(item.get(name), nothing) for name, nothing in _NOTHING.items()]


def magnitude(value: float | None, nothing: float) -> int:
    """The order of magnitude of a figure; zero below `nothing`, and while it is not known."""
    return 0 if value is None or value < nothing else int(math.log10(value))
