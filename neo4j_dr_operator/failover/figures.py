"""What a link's report says of distance, speed and trouble, as the status shows it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from neo4j_dr_operator.failover.report import timestamp

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
    return [_step(item.get(name), nothing) for name, nothing in _NOTHING.items()]


def _step(value: float | None, nothing: float) -> int:
    return 0 if value is None or value < nothing else int(math.log10(value))
