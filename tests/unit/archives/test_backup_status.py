"""`status.backup`, `BackupHealthy` and events of snapshots."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from neo4j_dr_operator.api.recovery_status import BackupStatus
from neo4j_dr_operator.archives.backup_status import OVERDUE, Seen, backup_healthy, document, news, steady
from neo4j_dr_operator.archives.keeping import Sight, Wishes
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.schedule import Schedule
from neo4j_dr_operator.failover.kept import Answer, Job, Keeping, Outcome, Trouble
from neo4j_dr_operator.reporting.statuses import changes

NOW = 20_000 * 86_400.0 + 3600.0
L, B = "s3://logs/a/ns/dr", "s3://backups/b/ns/dr"
NAME = SnapshotName(1, 3, 100, round((NOW - 60) * 1000))
GOOD = Outcome(
    number=4, kind="scheduled", where=B, epoch=1, began=NOW - 90, ended=NOW - 60, snapshot=NAME.key("ns/dr"), bytes=100
)
WISHES = Wishes(logs=L, backups=B, enabled=True, schedule=Schedule("0 0 * * *", "UTC"))
SIGHT = Sight(wall=NOW, operator="me", known=1, epoch=1, segment=3, held=((L, (NAME,)), (B, (NAME, NAME))))
KEPT = Keeping(number=4, since=NOW - 3600, good=[GOOD], last=GOOD)
JOB = Job(number=5, kind="scheduled", where=B, epoch=1, at=NOW - 7000, owner="me", renewed=NOW, due=NOW - 3600)
BROKEN = Trouble(times=1, at=NOW, reason="AccessDenied", message="the bucket says no")
WELL = Seen(KEPT, WISHES, SIGHT)


def kept(**update: Any) -> Keeping:
    return KEPT.model_copy(update=update)


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        (WELL, "True", "Completed"),
        (replace(WELL, wishes=Wishes()), "Unknown", "NotConfigured"),
        (replace(WELL, wishes=replace(WISHES, enabled=False)), "Unknown", "NotConfigured"),
        (replace(WELL, keeping=kept(base_trouble=BROKEN)), "False", "AccessDenied"),
        (replace(WELL, keeping=kept(base_trouble=BROKEN), wishes=Wishes(logs=L)), "False", "AccessDenied"),
        (replace(WELL, keeping=kept(base_trouble=BROKEN), wishes=Wishes()), "Unknown", "NotConfigured"),
        (replace(WELL, keeping=kept(trouble=BROKEN)), "False", "AccessDenied"),
        (replace(WELL, problem=("ReferenceUnresolved", "m")), "False", "ReferenceUnresolved"),
        (replace(WELL, base_problem=("ObjectStoreUnreachable", "m")), "False", "ObjectStoreUnreachable"),
        (replace(WELL, sight=replace(SIGHT, known=0), keeping=Keeping(since=NOW)), "Unknown", "Pending"),
        (replace(WELL, sight=replace(SIGHT, held=((B, ()),)), keeping=Keeping(since=NOW)), "Unknown", "Pending"),
        (replace(WELL, keeping=Keeping(since=NOW)), "True", "Completed"),
        (replace(WELL, keeping=kept(since=NOW - 3601)), "False", "Overdue"),
        (replace(WELL, keeping=kept(since=NOW - 3601, job=JOB)), "True", "Completed"),
        (
            replace(WELL, keeping=kept(since=NOW - 3601, job=JOB), report={"error": {"message": "no answer"}}),
            "False",
            "Overdue",
        ),
        (
            replace(WELL, keeping=kept(since=NOW - 3601), sight=replace(SIGHT, wall=NOW - 3600 + OVERDUE - 1)),
            "True",
            "Completed",
        ),
    ],
)
def test_the_condition(seen: Seen, status: str, reason: str) -> None:
    claim = backup_healthy(seen)
    assert (claim.status, claim.reason) == (status, reason)


def test_a_snapshot_under_way_keeps_the_last_verdict() -> None:
    for keeping in (KEPT, kept(trouble=BROKEN)):
        running = keeping.model_copy(update={"job": JOB})
        report = {"state": "scanning", "percent": 50}
        assert backup_healthy(replace(WELL, keeping=running, report=report)) == backup_healthy(
            replace(WELL, keeping=keeping)
        )


def test_the_document_fits_the_resource_and_says_what_is_known() -> None:
    answers = [Answer(request="r", state="Completed", at=NOW, snapshot="s")]
    report = {"state": "scanning", "percent": 41, "estimatedSecondsLeft": 9, "bytes": 7, "saved": 70}
    told = document(replace(WELL, keeping=kept(job=JOB, answers=answers), report=report))
    assert told is not None
    BackupStatus.model_validate(told, extra="forbid")
    assert told["lastSnapshot"] == NAME.key("ns/dr")
    assert (told["snapshots"], told["destination"], told["lastDurationSeconds"]) == (2, B, 30.0)
    assert told["nextAt"] == "2024-10-05T00:00:00.000Z"
    assert (told["running"]["percent"], told["running"]["bytesDeduplicated"]) == (41, 70)
    assert told["requests"] == [
        {"request": "r", "state": "Completed", "at": "2024-10-04T01:00:00.000Z", "snapshot": "s", "message": None}
    ]
    assert document(Seen()) is None


def test_what_an_earlier_resource_of_the_name_has_taken_counts() -> None:
    told = document(replace(WELL, keeping=Keeping(since=NOW)))
    assert told is not None
    assert (told["lastSnapshot"], told["lastCompletedAt"]) == (None, "2024-10-04T00:59:00.000Z")
    assert backup_healthy(replace(WELL, keeping=Keeping(since=NOW))).status == "True"


def test_a_snapshot_after_which_nothing_could_be_deleted_is_there_and_says_so() -> None:
    told = document(replace(WELL, keeping=kept(good=[GOOD.model_copy(update={"message": "not allowed"})])))
    assert told is not None
    assert "not allowed" in told["message"]
    assert backup_healthy(WELL).status == "True"


def test_reports_alone_are_no_reason_to_write() -> None:
    def at(percent: int, left: int) -> dict[str, Any]:
        report = {"state": "scanning", "percent": percent, "estimatedSecondsLeft": left, "bytes": left * 10}
        return {"backup": steady(document(replace(WELL, keeping=kept(job=JOB), report=report)))}

    assert not changes(at(41, 60), at(49, 50))
    assert changes(at(41, 60), at(50, 50))
    assert changes({"backup": steady(document(WELL))}, at(0, 60))
    assert changes(at(0, 60), {"backup": steady(None)}), "it goes with its spec"
    assert not changes({}, {"backup": steady(None)})


def test_one_event_at_each_end_and_for_each_refusal() -> None:
    assert news(KEPT, KEPT) == []
    failed = GOOD.model_copy(update={"number": 5, "snapshot": None, "reason": "AccessDenied", "message": "no"})
    (bad,) = news(KEPT, kept(last=failed))
    assert (bad.kind, bad.reason) == ("Warning", "BackupFailed")
    assert "AccessDenied: no" in bad.message
    (good,) = news(kept(last=failed), KEPT)
    assert (good.kind, good.reason) == ("Normal", "BackupCompleted")
    assert NAME.key("ns/dr") in good.message
    refused = kept(answers=[Answer(request="r", state="Refused", at=NOW, message="one is under way")])
    (no,) = news(KEPT, refused)
    assert (no.kind, no.reason, no.message) == ("Warning", "BackupRefused", "one is under way")
    assert news(refused, refused) == []


def test_a_message_at_rest_holds_no_moving_number() -> None:
    later = replace(WELL, sight=replace(SIGHT, wall=NOW + 3000))
    assert backup_healthy(later) == backup_healthy(WELL)
    assert json.dumps(document(later)) == json.dumps(document(WELL))


def test_a_restore_for_which_nothing_is_deleted_is_named() -> None:
    told = document(replace(WELL, restoring="ns/back"))
    assert told is not None
    assert told["message"] == "nothing is deleted while restore ns/back reads, or may read, the archive"
    off = replace(WELL, restoring="ns/back", wishes=replace(WELL.wishes, enabled=False))
    assert (document(off) or {})["message"] is None, "nothing would be"
