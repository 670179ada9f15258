from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.replication.supervisor import LinkConfig, LinkSupervisor
from neo4j_dr_operator.workers import Worker

END = Endpoint("bolt://h", "u", "p", None)


def child(report: dict[str, Any], epoch: int = 1) -> Worker[LinkConfig]:
    return Worker(LinkConfig("a>b", epoch, "attach", END, END), None, report)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "before", "speaks"),
    [
        (None, {"state": "failed"}, "before"),
        ({}, {"state": "failed"}, "before"),
        ({"state": "attaching"}, {"state": "failed"}, "before"),
        ({"state": "attaching", "error": {"reason": "SourceUnreachable"}}, {"state": "failed"}, "now"),
        ({"state": "streaming"}, {"state": "failed"}, "now"),
        ({"state": "attaching"}, {"state": "streaming"}, "now"),
        ({}, None, "now"),
    ],
)
def test_a_failure_speaks_until_the_next_child_has_something_to_say(now: Any, before: Any, speaks: str) -> None:
    supervisor = LinkSupervisor(lambda: None)
    present = supervisor._worker = None if now is None else child(now)
    supervisor.last = None if before is None else child(before)
    assert supervisor.speaking is (present if speaks == "now" else supervisor.last)


def test_the_failure_of_another_plan_does_not_speak() -> None:
    supervisor = LinkSupervisor(lambda: None)
    supervisor._worker, supervisor.last = child({}, epoch=2), child({"state": "failed"}, epoch=1)
    assert supervisor.speaking is supervisor._worker


def test_it_has_stopped_when_the_last_child_has_ended_and_none_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between what is wanted and the child that is started for it there is a moment without any child."""

    async def scenario() -> None:
        supervisor = LinkSupervisor(lambda: None)
        assert supervisor.stopped
        started, ended = asyncio.Event(), asyncio.Event()

        async def spawn(config: LinkConfig) -> Worker[LinkConfig]:
            started.set()
            await asyncio.sleep(0)
            supervisor._worker = child({})
            return supervisor._worker

        async def listen(_: Worker[LinkConfig]) -> None:
            await ended.wait()

        async def end(*_: object, **__: object) -> None:
            ended.set()

        monkeypatch.setattr(supervisor, "_spawn", spawn)
        monkeypatch.setattr(supervisor, "_listen", listen)
        monkeypatch.setattr(supervisor, "_end", end)
        supervisor.want(LinkConfig("a>b", 1, "attach", END, END))
        await started.wait()
        supervisor.want(None)
        assert supervisor.worker is None
        assert not supervisor.stopped
        while not supervisor.stopped:
            await asyncio.sleep(0)
        assert ended.is_set()
        await supervisor.close()

    asyncio.run(asyncio.wait_for(scenario(), 5))
