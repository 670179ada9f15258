"""`status.recovery`, the condition `ArchiveHealthy` and what is told of audits. Pure.

Points of the window are ms since 1970 on the source's clock, everything else is in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.failover.view import ShippingView
from neo4j_dr_operator.reporting.claim import Claim
from neo4j_dr_operator.reporting.report import timestamp

KIND = "ArchiveHealthy"
REASONS = {
    "Missing": "ObjectMissing",
    "Truncated": "ObjectTruncated",
    "Altered": "ObjectAltered",
    "Unreadable": "ObjectUnreadable",
    "Expiring": "LifecycleRule",
}
"""Reasons of the condition by the kind of what was found."""
EMPTY = "nothing has been put there yet"
"""What a check of an archive without objects came to."""
LATE = 2.0
"""Periods without a look at some object from which an audit is overdue."""


@dataclass(frozen=True)
class Audited:
    """One archive as its last audit left it.

    ``where``: for people; ``report``: of the last round that ended well, empty before; ``problem``: why the last one
    could not be done, as reason and sentence; ``percent``: of the one under way, ``waits``: what that waits for, in the
    same form. ``request``: what was asked for last,
    empty for nothing. ``period``: in which everything is read once.
    """

    where: str
    report: Mapping[str, Any] = field(default_factory=dict)
    problem: tuple[str, str] | None = None
    percent: int | None = None
    waits: tuple[str, str] | None = None
    request: str = ""
    period: float = 0.0

    @property
    def looked(self) -> bool:
        """Whether an archive was there, and looked at."""
        return self.report.get("at") is not None


def archive_healthy(archives: Sequence[Audited], stored: Mapping[str, Any] | None, wall: float) -> Claim:
    """Whether everything that a recovery may need is there and as it was put. ``stored``: the condition as it stands,
    which stays until this operator has looked for itself, and, where a new snapshot is to heal something, until that
    one can be restored."""
    if not archives:
        return Claim(KIND, None, "NotConfigured", "neither log shipping nor a backup destination is configured")
    findings = [(each, finding) for each in archives for finding in each.report.get("findings") or ()]
    for archive, finding in findings:
        if not finding["contained"]:
            more = len([1 for _, other in findings if not other["contained"]]) - 1
            others = f"; {more} more in status.recovery.findings" if more else ""
            sentence = f"{archive.where}: {finding['name']}: {finding['message']}{others}"
            return Claim(KIND, False, REASONS.get(finding["kind"], finding["kind"]), sentence)
    for archive in archives:
        if (why := archive.waits or archive.problem) is not None:
            return Claim(KIND, None, why[0], f"{archive.where} cannot be checked: {why[1]}")
    if not all(each.report for each in archives):
        if stored and stored.get("reason") not in (None, "NotConfigured", "Pending"):
            holds = {"True": True, "False": False}.get(str(stored.get("status")))
            return Claim(KIND, holds, str(stored["reason"]), str(stored.get("message") or ""))
        return Claim(KIND, None, "Pending", "it has not been looked at yet")
    for archive in archives:
        oldest = archive.report.get("oldest")
        if archive.looked and oldest is not None and archive.period and wall - oldest > LATE * archive.period:
            return Claim(KIND, None, "Overdue", f"{archive.where}: not everything was read in two audit periods")
    healed = [finding for _, finding in findings if finding["kind"] != "Foreign"]
    if healed and stored and stored.get("status") == "False" and any(_pending(each) for each in archives):
        return Claim(KIND, False, str(stored["reason"]), str(stored.get("message") or ""))
    if healed:
        sentence = "everything since the newest snapshot is in order; what was found before is in status.recovery"
        return Claim(KIND, True, "Healed", sentence)
    return Claim(KIND, True, "Intact", "everything that was read is as it was put")


def document(archives: Sequence[Audited], shipping: ShippingView | None) -> dict[str, dict[str, Any] | None]:
    """What of the status tells of recovery: nothing while it is not known, so that what is stored stays.

    ``shipping``: the shipper. The window is that of the first archive.
    """
    if not archives:
        return {"recovery": None}
    main = archives[0]
    asked = _request(archives)
    if not main.report:
        return {"recovery": {"verify": asked}} if asked is not None else {}
    window, report = main.report.get("window") or {}, main.report
    oldest = min((each.report["oldest"] for each in archives if each.report.get("oldest")), default=None)
    gaps = [
        {"from": _point(gap["last"]), "to": _point(gap["first"]), "reason": gap["reason"]}
        for gap in window.get("gaps") or ()
    ]
    return {
        "recovery": {
            "location": main.where,
            "earliest": _point(window.get("earliest")),
            "latest": _point(latest(main, shipping)),
            "gaps": gaps,
            "checkedAt": timestamp(report["at"]) if report.get("at") is not None else None,
            "oldestUncheckedAt": timestamp(oldest) if oldest is not None else None,
            "objects": sum(each.report.get("objects") or 0 for each in archives),
            "bytes": sum(each.report.get("bytes") or 0 for each in archives),
            "findings": [_finding(each, finding) for each in archives for finding in each.report.get("findings") or ()],
            "findingsTotal": total(archives),
            "lifecycleRules": "Read" if all(each.report.get("rules", True) for each in archives) else "Unknown",
            "verify": asked,
        }
    }


def latest(archive: Audited, shipping: ShippingView | None) -> int | None:
    """The last point of the window now: that of the audit, and on with what was shipped since, if nothing lies between.

    Both on the source's clock, as a restore compares. Behind a gap that no auditor has seen yet nothing is promised.
    """
    window, report = archive.report.get("window") or {}, archive.report
    found: int | None = window.get("latest")
    if found is None or not window.get("open") or shipping is None or shipping.covered is None:
        return found
    if shipping.epoch != report.get("epoch") or (shipping.gap or 0) > report.get("segment", 0):
        return found
    return max(found, shipping.covered)


def total(archives: Sequence[Audited]) -> int:
    """How much was found, what is contained too."""
    return sum(sum((each.report.get("counts") or {}).values()) for each in archives)


def steady(recovery: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`status.recovery` without what each round changes; the time of the last one counts in steps of ten minutes."""
    if recovery is None:
        return None
    volatile = ("latest", "oldestUncheckedAt", "objects", "bytes", "checkedAt")
    return {
        **{key: value for key, value in recovery.items() if key not in volatile},
        "checkedAt": str(recovery.get("checkedAt"))[:15],
    }


def _pending(archive: Audited) -> bool:
    """Whether points could be restored before, and the newest snapshot will give some, but does not yet."""
    window = archive.report.get("window") or {}
    return bool(window.get("pending")) and window.get("earliest") is not None


def _point(millis: int | None) -> str | None:
    return None if millis is None else timestamp(millis / 1000)


def _finding(archive: Audited, finding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": finding["kind"],
        "location": archive.where,
        "name": finding["name"],
        "message": finding["message"],
        "foundAt": timestamp(finding["at"]),
        "contained": finding["contained"],
    }


def _request(archives: Sequence[Audited]) -> dict[str, Any] | None:
    """What became of the check that was asked for; every field each time, so that none is left of the one before."""
    request = archives[0].request
    if not request:
        return None
    waiting = [each for each in archives if each.report.get("request") != request]
    if not waiting:
        last = max((each.report["at"] for each in archives if each.looked), default=None)
        told = {"message": EMPTY} if last is None else {"completedAt": timestamp(last)}
        return _became(request, "Completed", percent=100, **told)
    failed = next((each.problem for each in waiting if each.problem is not None), None)
    if failed is not None:
        return _became(request, "Failed", message=f"{failed[0]}: {failed[1]}")
    return _became(request, "Running", percent=min(each.percent or 0 for each in waiting))


def _became(request: str, state: str, **told: Any) -> dict[str, Any]:
    return {"request": request, "state": state, "percent": None, "completedAt": None, "message": None, **told}
