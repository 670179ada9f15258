"""What `backup now` reads from a resource; and what completion proposes for it."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.cli import backups
from neo4j_dr_operator.cli.backups import Answer
from neo4j_dr_operator.cli.complete import NO_FILES, proposals

PLACE = {"type": "s3", "bucket": "b"}
LOGS = {"replication": {"logShipping": {"enabled": True, "destination": PLACE}}}


def recovery(spec: dict[str, Any], **backup: Any) -> dict[str, Any]:
    return {"spec": spec, "status": {"backup": backup}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (recovery({}), "there is no place for it"),
        (recovery({"replication": {"logShipping": {"enabled": False, "destination": PLACE}}}), "no place"),
        (recovery({"backup": {"destination": PLACE}}), None),
        (recovery(LOGS), None),
        (recovery(LOGS, running={"kind": "scheduled", "startedAt": "2026-01-01T00:00:00Z"}), "only one is at a time"),
        (recovery(LOGS, running={"kind": "base", "startedAt": "2026-01-01T00:00:00Z"}), None),
        ({"spec": LOGS}, None),
    ],
)
def test_what_cannot_be_asked_for(body: dict[str, Any], why: str | None) -> None:
    found = backups.impossible(body)
    assert (found is None) == (why is None)
    assert (why or "") in (found or "")


def test_the_answer_is_that_to_this_request() -> None:
    said = [
        {"request": "b", "state": "Refused", "message": "one is under way"},
        {"request": "a", "state": "Completed", "snapshot": "s"},
    ]
    body = recovery(LOGS, requests=said)
    assert backups.answer(body, "a") == Answer("Completed", "s")
    assert backups.answer(body, "b") == Answer("Refused", "", "one is under way")
    assert backups.answer(body, "c") is None
    assert not Answer("Running").ended
    assert all(Answer(state).ended for state in ("Completed", "Failed", "Refused"))


def test_progress_says_what_it_waits_for() -> None:
    assert backups.progress(recovery(LOGS, running={"state": "scanning", "percent": 40})) == (40, "scanning")
    assert backups.progress(recovery(LOGS, running={"percent": 40, "message": "no answer"})) == (40, "waits: no answer")
    assert backups.progress(recovery(LOGS)) == (0, "beginning")


def test_the_last_line() -> None:
    assert "snapshot s is complete" in backups.sentence("ns", "dr", Answer("Completed", "s"))
    assert "has been begun" in backups.sentence("ns", "dr", Answer("Running"))


def test_completion_knows_what_can_be_asked_for() -> None:
    assert proposals(["backup", ""]) == (["now"], NO_FILES)
    assert proposals(["backup", "now", "--w"]) == (["--wait"], NO_FILES)
