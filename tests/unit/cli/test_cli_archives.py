"""What ``archive status`` and ``archive verify`` show, and what counts as damaged."""

from __future__ import annotations

import io
from argparse import Namespace
from typing import Any

import pytest

from neo4j_dr_operator.cli import archives, asking
from neo4j_dr_operator.cli.command import Exit, Session, Streams
from neo4j_dr_operator.cli.commands import archive
from neo4j_dr_operator.cli.text import paint


def resource(**recovery: Any) -> dict[str, Any]:
    return {"metadata": {"name": "dr"}, "spec": {}, "status": {"recovery": recovery}}


def finding(kind: str, *, contained: bool) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": "ns/dr/0000000001/000000000004.seg",
        "message": "the checksum of a segment does not fit",
        "foundAt": "2025-01-15T10:20:00.123Z",
        "contained": contained,
    }


WHOLE = {
    "location": "s3://logs/ns/dr",
    "earliest": "2025-01-08T02:00:11.000Z",
    "latest": "2025-01-15T10:29:54.000Z",
    "checkedAt": "2025-01-15T10:25:02.000Z",
    "oldestUncheckedAt": "2025-01-08T11:40:17.000Z",
    "objects": 9204,
    "bytes": 1_500_000_000,
}


def shown(body: dict[str, Any]) -> str:
    return "\n".join(paint(archives.lines("ns/dr", body), colour=False))


def test_an_archive_in_order() -> None:
    assert shown(resource(**WHOLE)) == (
        "INTACT   the archive of ns/dr\n"
        "Where       s3://logs/ns/dr\n"
        "Restorable  2025-01-08T02:00:11Z to 2025-01-15T10:29:54Z\n"
        "Holds       9,204 objects, 1.4 GiB of them read\n"
        "Looked at   2025-01-15T10:25:02Z; every object since 2025-01-08T11:40:17Z"
    )
    assert not archives.damaged(resource(**WHOLE))


def test_a_damaged_one() -> None:
    gap = {"from": "2025-01-10T00:00:00Z", "to": "2025-01-10T00:05:00Z", "reason": "Altered: segment 4 of epoch 1"}
    found = [finding("Altered", contained=True), finding("Foreign", contained=True)]
    text = shown(resource(**WHOLE, gaps=[gap], findings=found, findingsTotal=5))
    assert text.startswith("DAMAGED   the archive of ns/dr\n")
    assert (
        "Gap         2025-01-10T00:00:00Z to 2025-01-10T00:05:00Z\n            Altered: segment 4 of epoch 1\n" in text
    )
    assert (
        "ALTERED   ns/dr/0000000001/000000000004.seg\n"
        "   the checksum of a segment does not fit\n"
        "   found 2025-01-15T10:20:00Z; the newest snapshot does without it\n"
    ) in text
    assert text.endswith("and 3 findings more")


def test_what_nobody_wrote_is_no_damage() -> None:
    body = resource(**WHOLE, findings=[finding("Foreign", contained=True)])
    assert not archives.damaged(body)
    assert "FOREIGN" in shown(body)
    assert archives.damaged(resource(**WHOLE, findings=[finding("Expiring", contained=False)]))


def test_an_archive_that_was_not_looked_at_and_one_that_gives_nothing() -> None:
    assert shown(resource()).startswith("NOT CHECKED")
    assert "Restorable  nothing" in shown(resource(checkedAt="2025-01-15T10:25:02Z"))


def test_documents_of_other_versions_are_read_as_far_as_they_go() -> None:
    for odd in ({}, {"status": 3}, resource(findings=3), resource(checkedAt="x", gaps=[1], findings=[{}])):
        assert shown(odd)
        assert archives.report("ns", "dr", odd)["kind"] == "ArchiveReport"


def test_the_document_for_programs() -> None:
    made = archives.report("ns", "dr", resource(**WHOLE))
    assert (made["intact"], made["recovery"]) == (True, WHOLE)


@pytest.mark.parametrize(
    ("recovery", "intact", "code", "said"),
    [
        ({}, None, Exit.UNREADABLE, "not been looked at yet"),
        ({"verify": {"message": "nothing has been put there yet"}}, None, Exit.UNREADABLE, "nothing has been put"),
        (WHOLE, True, Exit.FINE, "INTACT"),
        ({"findings": [{"kind": "Altered"}]}, False, Exit.UNHEALTHY, "DAMAGED"),
    ],
)
def test_nobody_says_intact_of_an_archive_that_nobody_has_looked_at(
    monkeypatch: pytest.MonkeyPatch, recovery: dict[str, Any], intact: bool | None, code: Exit, said: str
) -> None:
    body = resource(**recovery)
    body["spec"] = {"backup": {"destination": {"type": "s3", "bucket": "b"}}}
    assert archives.report("ns", "dr", body)["intact"] is intact
    monkeypatch.setattr(asking, "chosen", lambda *_: ("ns", body))
    monkeypatch.setattr(Session, "kube", lambda _: None)
    out = io.StringIO()
    options = Namespace(action="status", full=False, output=None)
    assert archive.COMMAND.run(Session(options, Streams(out, out, {}))) is code
    assert said in out.getvalue()


def test_a_check_is_followed() -> None:
    def told(**verify: Any) -> archives.Check | None:
        return archives.check(resource(verify=verify), "r full")

    assert told() is None
    assert told(request="another", state="Completed") is None
    assert told(request="r full", state="Running", percent=30) == archives.Check("Running", 30)
    assert not archives.Check("Running").ended
    ended = told(request="r full", state="Failed", message="no")
    assert ended is not None
    assert ended.ended
    assert ended.message == "no"


def test_where_there_is_something_to_check() -> None:
    place = {"type": "s3", "bucket": "b"}
    assert archives.impossible({"spec": {}}) is not None
    assert archives.impossible({"spec": {"backup": {"destination": place}}}) is None
    shipping = {"replication": {"logShipping": {"enabled": True, "destination": place}}}
    assert archives.impossible({"spec": shipping}) is None
    shipping["replication"]["logShipping"]["enabled"] = False
    assert archives.impossible({"spec": shipping}) is not None
