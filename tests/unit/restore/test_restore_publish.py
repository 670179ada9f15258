"""The status of a restore: phases, conditions that never lie, figures that cause no write."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.api.restore import RestoreStatus
from neo4j_dr_operator.restore import publish

AT = 1_750_000_000.25
REPORT = {
    "state": "replaying",
    "percent": 61,
    "rate": 9000,
    "estimatedSecondsLeft": 12,
    "archive": "apps/dr",
    "snapshot": "apps/dr/snapshots/x.json",
    "transactions": 17,
    "nodes": None,
    "relationships": None,
    "position": "AwEB",
    "positionTx": 41,
    "restoredTo": 1_749_999_000_000,
    "schema": [],
    "error": None,
}
DONE = {**REPORT, "state": "finished", "percent": 100, "nodes": 5, "relationships": 3, "check": "all are there"}


def truth(status: dict[str, Any]) -> tuple[str, str, str]:
    """Complete, Failed, and the reason, which both give."""
    found = {item["type"]: item for item in status["conditions"]}
    assert found["Complete"]["reason"] == found["Failed"]["reason"]
    return found["Complete"]["status"], found["Failed"]["status"], found["Complete"]["reason"]


def stored(status: dict[str, Any]) -> dict[str, Any]:
    """As the API server keeps it; it takes what the model does."""
    RestoreStatus.read(status)
    return publish._known(status) or {}


def test_from_the_first_look_to_the_end() -> None:
    waiting = publish.waiting({}, "ReferenceUnresolved", "Secret x is missing", 1, AT)
    assert truth(waiting) == ("False", "False", "ReferenceUnresolved")
    assert waiting["phase"] == "Pending"
    work = publish.at_work(stored(waiting), REPORT, 1, AT + 1)
    assert truth(work) == ("False", "False", "Replaying")
    assert (work["phase"], work["percent"], work["transaction"]) == ("Replaying", 61, 41)
    assert work["restoredTo"] == "2025-06-15T14:50:00.000Z"
    done = publish.complete(stored(work), DONE, "kubectl patch …", 1, AT + 2)
    assert truth(done) == ("True", "False", "Restored")
    assert done["counts"] == {"transactions": 17, "nodes": 5, "relationships": 3}
    assert done["check"] == "all are there"
    assert done["resume"] in done["message"]
    assert done["completedAt"] == "2025-06-15T15:06:42.250Z"
    assert publish.ended(stored(done))
    assert not publish.ended(stored(work))
    assert not publish.ended(None)


def test_a_failure() -> None:
    failed = publish.failed({}, "PointInGap", "there is a gap", None, 3, AT)
    assert truth(failed) == ("False", "True", "PointInGap")
    assert (failed["phase"], failed["message"], failed["resume"]) == ("Failed", "there is a gap", None)
    assert {item["observedGeneration"] for item in failed["conditions"]} == {3}
    assert publish.ended(stored(failed))
    touched = publish.failed({}, "TargetAltered", "somebody wrote", "kubectl patch …", 3, AT)
    assert touched["message"].endswith("to have the cluster follow its primary again: kubectl patch …")


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("attaching", "Surveying"),
        ("surveying", "Surveying"),
        ("emptying", "Emptying"),
        ("loading", "Loading"),
        ("amending", "Loading"),
        ("replaying", "Replaying"),
        ("checking", "Checking"),
        ("indexing", "Indexing"),
        (None, "Surveying"),
    ],
)
def test_phases(state: str | None, phase: str) -> None:
    assert publish.at_work({}, {**REPORT, "state": state}, 1, AT)["phase"] == phase


def test_a_look_moves_no_figures() -> None:
    before = stored(publish.at_work({}, REPORT, 1, AT))
    look = publish.at_work(before, {"state": "surveying", "percent": 0}, 1, AT, only_looking=True)
    assert (look["phase"], "percent" in look) == ("Surveying", False)
    assert (look["archive"], look["snapshot"]) == (REPORT["archive"], REPORT["snapshot"])


def test_what_a_worker_waits_for_is_said() -> None:
    error = {"reason": "ObjectStoreUnreachable", "message": "bucket b cannot be reached"}
    status = publish.at_work({}, {**REPORT, "error": error}, 1, AT)
    assert status["message"] == "ObjectStoreUnreachable: bucket b cannot be reached; it is tried again"
    assert truth(status) == ("False", "False", "Replaying")


def test_what_could_not_be_made_is_told_and_fails_nothing() -> None:
    done = publish.complete({}, {**DONE, "schema": ["index x: no"]}, None, 1, AT)
    assert done["remarks"] == ["index x: no"]
    assert "see remarks" in done["message"]
    assert truth(done)[0] == "True"


def test_what_was_replayed_before_a_crash_is_not_forgotten() -> None:
    before = stored(publish.at_work({}, REPORT, 1, AT))
    again = publish.complete(before, {**DONE, "transactions": 0, "check": None}, None, 1, AT)
    assert again["counts"]["transactions"] == 17


def test_figures_alone_are_not_worth_a_write() -> None:
    status = publish.at_work({}, REPORT, 1, AT)
    before = stored(status)
    assert not publish.worth_storing(before, status, ())
    further = publish.at_work(before, {**REPORT, "percent": 62, "positionTx": 50, "rate": None}, 1, AT + 5)
    assert not publish.worth_storing(before, further)
    assert publish.worth_storing(before, further, ())
    other = publish.at_work(before, {**REPORT, "state": "checking"}, 1, AT + 5)
    assert publish.worth_storing(before, other)


def test_the_transition_time_moves_with_the_status_only() -> None:
    before = publish.waiting({}, "ReferenceUnresolved", "x", 1, AT)
    after = publish.at_work(stored(before), REPORT, 1, AT + 60)
    times = {item["type"]: item["lastTransitionTime"] for item in before["conditions"]}
    assert {item["type"]: item["lastTransitionTime"] for item in after["conditions"]} == times
