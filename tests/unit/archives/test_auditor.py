"""When a round over an archive begins, and what becomes of what it reports."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from neo4j_dr_operator.archives import auditor
from neo4j_dr_operator.archives.auditor import Auditor, Place
from neo4j_dr_operator.objectstore.s3 import S3Address

LOGS = Place("s3://logs/ns/dr", "ns/dr", S3Address("logs"), 604_800.0, 10.0)
BACKUPS = Place("s3://backups/ns/dr", "ns/dr", S3Address("backups"), 604_800.0, 10.0)
REPORT = {"state": "finished", "at": 1000, "epoch": 1, "request": "", "bytesRead": 7, "damaged": None, "findings": []}


class Jobs:
    """A supervisor whose workers end when the test says so."""

    made: list[Jobs]

    def __init__(self, program: str, changed: Any, *, job: bool) -> None:
        assert (program, job) == ("audit", True)
        self.worker: Any = None
        self.last: Any = None
        self.plans: list[Any] = []
        Jobs.made.append(self)

    def want(self, plan: Any) -> None:
        if not self.plans or plan != self.plans[-1]:
            self.plans.append(plan)
            self.worker = None if plan is None else SimpleNamespace(config=plan, report={})

    def end(self, **report: Any) -> None:
        self.worker.report = {**REPORT, **report}
        self.worker, self.last = None, self.worker

    async def close(self) -> None:
        """Nothing runs."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A monotonic clock that the test moves."""
    Jobs.made = []
    held = SimpleNamespace(now=100.0)
    monkeypatch.setattr(auditor, "Supervisor", Jobs)
    monkeypatch.setattr(auditor, "time", SimpleNamespace(monotonic=lambda: held.now))
    return held


@pytest.fixture
def rounds(clock: SimpleNamespace) -> Auditor:
    """An auditor that has nothing to do yet."""
    clock.read = []
    return Auditor(lambda: None, clock.read.append)


def test_rounds_follow_each_other_a_thousand_in_a_period(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS], "")
    (jobs,) = Jobs.made
    assert [plan.number for plan in jobs.plans] == [1]
    assert rounds.pause == float("inf"), "a round is under way"
    jobs.worker.report = {"percent": 40}
    rounds.follow([LOGS], "")
    assert rounds.seen[0].percent == 40
    jobs.end(damaged="a segment")
    rounds.follow([LOGS], "")
    assert (clock.read, rounds.damage(LOGS.where), rounds.damage("elsewhere"), rounds.damage(None)) == (
        [7],
        "a segment",
        "",
        "",
    )
    assert rounds.pause == 600.0
    clock.now += 599
    rounds.follow([LOGS], "")
    assert len(jobs.plans) == 1
    clock.now += 2
    rounds.follow([LOGS], "")
    assert [plan.number for plan in jobs.plans] == [1, 2]
    assert clock.read == [7], "told once"


def test_a_snapshot_and_a_request_are_reasons_to_look_at_once(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS], "")
    (jobs,) = Jobs.made
    rounds.soon()
    rounds.follow([LOGS], "")
    assert len(jobs.plans) == 1, "after the round that is under way"
    jobs.end()
    rounds.follow([LOGS], "")
    assert [plan.number for plan in jobs.plans] == [1, 2]
    rounds.follow([LOGS], "now full")
    assert [(plan.number, plan.request) for plan in jobs.plans] == [(1, ""), (2, ""), (2, "now full")]
    jobs.end(request="now full")
    rounds.follow([LOGS], "now full")
    assert rounds.pause == 600.0
    assert len(jobs.plans) == 3


def test_a_round_that_cannot_be_done_is_told_and_tried_again(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS], "")
    (jobs,) = Jobs.made
    jobs.end()
    rounds.follow([LOGS], "")
    clock.now += 601
    rounds.follow([LOGS], "")
    jobs.end(state="failed", error={"reason": "AccessDenied", "message": "no"}, at=None)
    rounds.follow([LOGS], "")
    (seen,) = rounds.seen
    assert (seen.problem, seen.report["at"]) == (("AccessDenied", "no"), 1000), "what was known stays known"
    assert rounds.pause == 60.0
    mended = replace(LOGS, location=S3Address("logs", access_key="other"))
    rounds.follow([mended], "")
    assert jobs.plans[-1].location == mended.location, "other credentials are tried at once"
    jobs.end()
    rounds.follow([mended], "")
    assert rounds.seen[0].problem is None


def test_a_window_that_is_about_to_open_is_looked_at_again_soon(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS], "")
    (jobs,) = Jobs.made
    jobs.end(window={"pending": True})
    rounds.follow([LOGS], "")
    assert rounds.pause == 10.0


def test_what_a_round_waits_for_is_told(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS], "")
    (jobs,) = Jobs.made
    at_rest = rounds.essence()
    jobs.worker.report = {"state": "listing", "error": {"reason": "ObjectStoreUnreachable", "message": "no answer"}}
    assert rounds.essence() != at_rest
    rounds.follow([LOGS], "")
    assert rounds.seen[0].waits == ("ObjectStoreUnreachable", "no answer")
    jobs.end()
    rounds.follow([LOGS], "")
    assert rounds.seen[0].waits is None


def test_a_worker_that_was_killed_is_waited_for(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS], "")
    (jobs,) = Jobs.made
    jobs.end(state="checking")
    rounds.follow([LOGS], "")
    assert rounds.seen[0].report == {}
    assert rounds.pause == float("inf"), "its supervisor starts it again"


def test_an_archive_that_is_not_there_yet_is_looked_for_less_and_less(rounds: Auditor, clock: SimpleNamespace) -> None:
    pauses = []
    for _ in range(9):
        rounds.follow([LOGS], "")
        Jobs.made[0].end(at=None)
        rounds.follow([LOGS], "")
        pauses.append(rounds.pause)
        clock.now += rounds.pause
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]


def test_archives_come_and_go(rounds: Auditor, clock: SimpleNamespace) -> None:
    rounds.follow([LOGS, BACKUPS], "")
    logs, backups = Jobs.made
    assert [seen.where for seen in rounds.seen] == [LOGS.where, BACKUPS.where]
    rounds.follow([BACKUPS], "")
    assert logs.plans[-1] is None
    assert backups.plans[-1] is not None
    assert [seen.where for seen in rounds.seen] == [BACKUPS.where]
    asyncio.run(rounds.close())
