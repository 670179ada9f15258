"""The status of a restore, from what is stored and what is known now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from neo4j_dr_operator.api.conditions import Condition, set_condition
from neo4j_dr_operator.reporting.claim import Claim
from neo4j_dr_operator.restore.outcome import PHASES
from neo4j_dr_operator.restore.point import moment

FIGURES = ("percent", "rate", "estimatedSecondsLeft", "position", "transaction", "restoredTo", "counts")
"""Fields that alone cause a write only now and then: they change with every report."""
RESTORED = "Restored"

_SAID = {
    "Surveying": "looking at the archive, and at the target",
    "Emptying": "deleting what the target holds",
    "Loading": "loading the snapshot",
    "Replaying": "replaying the transactions behind the snapshot",
    "Checking": "comparing the graph with what was restored",
    "Indexing": "making constraints and indexes",
}


def ended(status: Mapping[str, Any] | None) -> bool:
    """Whether a stored status says how the restore ended: nothing is done for it any more."""
    conditions = (status or {}).get("conditions") or []
    return any(item.get("type") in ("Complete", "Failed") and item.get("status") == "True" for item in conditions)


def begun(status: Mapping[str, Any] | None) -> bool:
    """Whether a stored status says that its worker was started for the target."""
    return bool((status or {}).get("startedAt"))


def conditions(
    stored: Mapping[str, Any], complete: bool, failed: bool, reason: str, message: str, generation: int, wall: float
) -> list[dict[str, Any]]:
    """Both conditions as they are claimed now."""
    kept = [Condition.read(item) for item in stored.get("conditions") or []]
    now = datetime.fromtimestamp(wall, UTC)
    for claim in (Claim("Complete", complete, reason, message), Claim("Failed", failed, reason, message)):
        status: Any = claim.status
        kept = set_condition(kept, claim.type, status, claim.reason, claim.message[:1024], generation, now)
    return [condition.wire(drop_none=True) for condition in kept]


def waiting(stored: Mapping[str, Any], reason: str, message: str, generation: int, wall: float) -> dict[str, Any]:
    """It cannot go on at the moment, and will by itself when that is mended."""
    return {
        "phase": "Pending",
        "rate": None,
        "estimatedSecondsLeft": None,
        "message": message,
        "observedGeneration": generation,
        "conditions": conditions(stored, False, False, reason, message, generation, wall),
    }


def at_work(
    stored: Mapping[str, Any], report: Mapping[str, Any], generation: int, wall: float, *, only_looking: bool = False
) -> dict[str, Any]:
    """What a worker says. ``only_looking``: one that does not touch the target."""
    phase = "Surveying" if only_looking else PHASES.get(str(report.get("state")), "Surveying")
    error = report.get("error")
    message = f"{error['reason']}: {error['message']}; it is tried again" if error else _SAID[phase]
    made = {
        "phase": phase,
        "message": message,
        "observedGeneration": generation,
        "conditions": conditions(stored, False, False, phase, message, generation, wall),
        "archive": report.get("archive") or stored.get("archive"),
        "snapshot": report.get("snapshot") or stored.get("snapshot"),
        "schemaAsOf": report.get("schemaOf") or stored.get("schemaAsOf"),
    }
    return made if only_looking else {**made, **figures(report)}


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a report of the restore itself."""
    at = report.get("restoredTo")
    counts = {key: report.get(key) for key in ("transactions", "nodes", "relationships")}
    return {
        "percent": report.get("percent"),
        "rate": report.get("rate"),
        "estimatedSecondsLeft": report.get("estimatedSecondsLeft"),
        "restoredTo": moment(int(at)) if at else None,
        "position": report.get("position"),
        "transaction": report.get("positionTx"),
        "counts": counts,
    }


def complete(
    stored: Mapping[str, Any], report: Mapping[str, Any], resume: str | None, generation: int, wall: float
) -> dict[str, Any]:
    """It is done. What was replayed counts over all attempts, so far as they were told."""
    made = figures(report)
    before = (stored.get("counts") or {}).get("transactions")
    if not made["counts"]["transactions"] and before:
        made["counts"]["transactions"] = before
    remarks = list(report.get("schema") or [])
    till = f", as of {made['restoredTo']}" if made["restoredTo"] else ""
    message = f"{report.get('nodes')} nodes and {report.get('relationships')} relationships are back{till}"
    if remarks:
        message += f"; {len(remarks)} constraints or indexes could not be made, see remarks"
    if resume:
        message += f"; to have the cluster follow its primary again: {resume}"
    return {
        **made,
        "phase": "Complete",
        "estimatedSecondsLeft": None,
        "completedAt": timestamp(wall),
        "archive": report.get("archive"),
        "snapshot": report.get("snapshot"),
        "schemaAsOf": report.get("schemaOf") or stored.get("schemaAsOf"),
        "check": report.get("check") or stored.get("check"),
        "remarks": remarks,
        "resume": resume,
        "message": message,
        "observedGeneration": generation,
        "conditions": conditions(stored, True, False, RESTORED, message, generation, wall),
    }


def failed(
    stored: Mapping[str, Any], reason: str, message: str, resume: str | None, generation: int, wall: float
) -> dict[str, Any]:
    """It cannot be done. ``resume``: for a standby that was touched."""
    said = f"{message}; to have the cluster follow its primary again: {resume}" if resume else message
    return {
        "phase": "Failed",
        "rate": None,
        "estimatedSecondsLeft": None,
        "completedAt": timestamp(wall),
        "resume": resume,
        "message": said,
        "observedGeneration": generation,
        "conditions": conditions(stored, False, True, reason, said, generation, wall),
    }


def timestamp(wall: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment(round(wall * 1000))


def worth_storing(stored: Mapping[str, Any], status: Mapping[str, Any], skipped: Sequence[str] = FIGURES) -> bool:
    """Whether a status says anything new beside its figures."""
    return any(_known(stored.get(key)) != _known(value) for key, value in status.items() if key not in skipped)


def _known(value: Any) -> Any:
    """A value in the form in which the API server keeps it: nulls are gone."""
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items() if item is not None} or None
    return [_known(item) for item in value] or None if isinstance(value, list) else value
