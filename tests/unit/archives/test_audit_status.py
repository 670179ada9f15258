"""What is told of audits: the condition, the window, and how much of it is written."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.api.recovery_status import RecoveryWindow
from neo4j_dr_operator.archives.audit_status import Audited, archive_healthy, document, latest, steady
from neo4j_dr_operator.failover.view import ShippingView

NOW = 1_700_000_000.0
MILLIS = 1_700_000_000_000
WEEK = 604_800.0


def finding(kind: str = "Altered", *, contained: bool = False) -> dict[str, Any]:
    return {"kind": kind, "name": "ns/dr/x.seg", "message": "it is odd", "at": int(NOW) - 60, "contained": contained}


def report(*findings: dict[str, Any], **more: Any) -> dict[str, Any]:
    gap = {"last": MILLIS - 9000, "first": MILLIS - 8000, "reason": "Gap: the log did not go back so far"}
    counts: dict[str, int] = {}
    for each in findings:
        counts[each["kind"]] = counts.get(each["kind"], 0) + 1
    return {
        "at": int(NOW) - 5,
        "window": {"earliest": MILLIS - 10_000, "latest": MILLIS - 7000, "open": True, "gaps": [gap]},
        "epoch": 2,
        "segment": 8,
        "findings": list(findings),
        "counts": counts,
        "objects": 10,
        "bytes": 1000,
        "oldest": int(NOW) - 3600,
        "request": "",
        **more,
    }


def audited(*findings: dict[str, Any], **more: Any) -> Audited:
    return Audited("s3://logs", report(*findings, **more), period=WEEK)


def shipper(covered: int, epoch: int = 2, *, gap: int | None = None) -> ShippingView:
    """Everything that was committed up to ``covered`` by the source's clock is archived; by ours, everything."""
    return ShippingView("primary", epoch, "shipping", segment=9, up_to=NOW, covered=covered, backlog=0, gap=gap)


@pytest.mark.parametrize(
    ("archives", "holds", "reason"),
    [
        ([], None, "NotConfigured"),
        ([Audited("s3://logs")], None, "Pending"),
        ([audited()], True, "Intact"),
        ([audited(finding("Foreign", contained=True))], True, "Intact"),
        ([audited(finding(contained=True))], True, "Healed"),
        ([audited(finding())], False, "ObjectAltered"),
        ([audited(finding("Missing"))], False, "ObjectMissing"),
        ([audited(finding("Truncated"))], False, "ObjectTruncated"),
        ([audited(finding("Unreadable"))], False, "ObjectUnreadable"),
        ([audited(finding("Expiring"))], False, "LifecycleRule"),
        ([audited(), audited(finding())], False, "ObjectAltered"),
        ([audited(), Audited("s3://backups")], None, "Pending"),
        ([audited(oldest=int(NOW - 2 * WEEK) - 9)], None, "Overdue"),
        ([Audited("s3://logs", report(), ("AccessDenied", "no"), period=WEEK)], None, "AccessDenied"),
        ([Audited("s3://logs", report(), waits=("ObjectStoreUnreachable", "no"))], None, "ObjectStoreUnreachable"),
        ([Audited("s3://logs", report(finding()), ("AccessDenied", "no"), period=WEEK)], False, "ObjectAltered"),
    ],
)
def test_the_condition(archives: list[Audited], holds: bool | None, reason: str) -> None:
    claim = archive_healthy(archives, None, NOW)
    assert (claim.type, claim.holds, claim.reason) == ("ArchiveHealthy", holds, reason)
    assert claim.message


def test_an_operator_that_has_not_looked_yet_says_what_was_said_before() -> None:
    stored = {"type": "ArchiveHealthy", "status": "False", "reason": "ObjectMissing", "message": "a segment"}
    claim = archive_healthy([Audited("s3://logs")], stored, NOW)
    assert (claim.holds, claim.reason, claim.message) == (False, "ObjectMissing", "a segment")
    assert archive_healthy([Audited("s3://logs")], {**stored, "reason": "NotConfigured"}, NOW).reason == "Pending"
    assert archive_healthy([audited()], stored, NOW).reason == "Intact"
    assert document([Audited("s3://logs")], None) == {}, "and the window stays as it is stored"
    assert document([], None) == {"recovery": None}


def test_what_a_new_snapshot_heals_is_told_once_that_one_can_be_restored() -> None:
    """Whoever waits for the condition finds the window open, and the gap in it."""
    stored = {"type": "ArchiveHealthy", "status": "False", "reason": "ObjectAltered", "message": "a segment"}
    window = report()["window"]
    pending = audited(finding(contained=True), window={**window, "pending": True})
    claim = archive_healthy([pending], stored, NOW)
    assert (claim.holds, claim.reason, claim.message) == (False, "ObjectAltered", "a segment")
    assert archive_healthy([audited(finding(contained=True))], stored, NOW).reason == "Healed"
    well = {**stored, "status": "True", "reason": "Healed"}
    assert archive_healthy([pending], well, NOW).holds, "the first snapshot of another epoch alarms nobody"
    only = audited(finding(contained=True), window={"earliest": None, "latest": None, "gaps": [], "pending": True})
    assert archive_healthy([only], stored, NOW).reason == "Healed", "snapshots without a log give no points ever"


def test_others_are_counted_in_the_message() -> None:
    claim = archive_healthy([audited(finding(), finding("Missing"), finding("Missing", contained=True))], None, NOW)
    assert claim.message == "s3://logs: ns/dr/x.seg: it is odd; 1 more in status.recovery.findings"


def test_the_document_is_what_the_api_says() -> None:
    made = document([audited(finding()), audited(finding("Foreign", contained=True))], shipper(MILLIS))["recovery"]
    assert made is not None
    window = RecoveryWindow.model_validate({key: value for key, value in made.items() if value is not None})
    assert window.findings_total == 2
    assert window.objects == 20
    assert [gap.reason for gap in window.gaps] == ["Gap: the log did not go back so far"]
    assert made["earliest"] == "2023-11-14T22:13:10.000Z"


def test_the_window_goes_on_with_what_is_shipped() -> None:
    """By the source's clock, which may be an hour slow: by ours more would be promised than a restore accepts."""
    assert latest(audited(), shipper(MILLIS - 6999)) == MILLIS - 6999
    assert latest(audited(), shipper(MILLIS - 3_600_000)) == MILLIS - 7000, "nor back"
    assert latest(audited(), shipper(MILLIS, epoch=3)) == MILLIS - 7000, "another epoch has another window"
    assert latest(audited(), None) == MILLIS - 7000
    closed = audited(window={"earliest": MILLIS - 10_000, "latest": MILLIS - 7000, "open": False, "gaps": []})
    assert latest(closed, shipper(MILLIS)) == MILLIS - 7000, "something lies between"
    assert latest(audited(window=None), shipper(MILLIS)) is None


def test_the_window_ends_before_a_gap_that_no_auditor_has_seen_yet() -> None:
    assert latest(audited(segment=8), shipper(MILLIS, gap=9)) == MILLIS - 7000
    assert latest(audited(segment=9), shipper(MILLIS, gap=9)) == MILLIS, "the window says what it means"


def test_a_request_is_followed() -> None:
    def state(**more: Any) -> dict[str, Any]:
        made = document([Audited("s3://logs", request="r full", **more)], None)["recovery"]
        assert made is not None
        verify: dict[str, Any] = made["verify"]
        return verify

    running = {"request": "r full", "state": "Running", "percent": 30}
    assert state(percent=30) == running | {"completedAt": None, "message": None}, "nothing is left of the one before"
    assert state(report=report(), percent=None)["state"] == "Running"
    assert state(report=report(request="r full"))["state"] == "Completed"
    empty = state(report=report(request="r full", at=None))
    assert (empty["state"], empty["completedAt"]) == ("Completed", None), "and not in 1970"
    assert empty["message"] == "nothing has been put there yet"
    failed = state(problem=("AccessDenied", "no"))
    assert (failed["state"], failed["message"]) == ("Failed", "AccessDenied: no")
    assert (failed["percent"], failed["completedAt"]) == (None, None)


def test_what_moves_while_nothing_happens_is_not_written() -> None:
    first = document([audited()], shipper(MILLIS))["recovery"]
    later = document([audited(at=int(NOW) + 10, oldest=int(NOW), bytes=2000)], shipper(MILLIS + 9000))["recovery"]
    assert steady(first) == steady(later)
    much_later = document([audited(at=int(NOW) + 700)], shipper(MILLIS))["recovery"]
    assert steady(first) != steady(much_later)
    damaged = document([audited(finding())], shipper(MILLIS))["recovery"]
    assert steady(first) != steady(damaged)
    assert steady(None) is None
