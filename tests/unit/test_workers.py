"""The parent of worker processes, with real children that say what a test wants."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from neo4j_dr_operator import memory, workers
from neo4j_dr_operator.errors import ReplicationError
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.recovery.sight import link_view
from neo4j_dr_operator.replication.supervisor import LinkConfig, LinkSupervisor

END = Endpoint("bolt://h", "u", "p", None)
PLAN = LinkConfig("primary>secondary", 1, "attach", END, END)
REPORTING = """
import json, sys
sys.stdin.readline()
print(json.dumps({"report": {"state": "streaming"}}), flush=True)
while sys.stdin.readline().strip() not in ('{"do": "finish"}', ""):
    pass
"""
"""A worker that streams until it is told to finish."""
TELLING = """
import json, sys
sys.stdin.readline()
for line in sys.stdin:
    if json.loads(line)["do"] == "finish":
        break
    print(json.dumps({"report": {"state": "streaming", "heard": json.loads(line)}}), flush=True)
"""
"""One that repeats what it is told."""
BABBLING = """
import sys
sys.stdin.readline()
sys.stdout.write("x" * (4 << 20) + "\\n")
sys.stdout.flush()
sys.stdin.read()
"""
"""One whose line is too long, and who would stay."""

Spawn = Callable[..., Coroutine[Any, Any, asyncio.subprocess.Process]]


class Children:
    """What is started instead of a worker, one after the other; the last one again and again."""

    def __init__(self, *planned: str | BaseException) -> None:
        self.planned, self.started = list(planned), 0
        self._spawn: Spawn = asyncio.create_subprocess_exec
        self.processes: list[asyncio.subprocess.Process] = []

    async def __call__(self, *_: str, **options: Any) -> asyncio.subprocess.Process:
        program = self.planned[min(self.started, len(self.planned) - 1)]
        self.started += 1
        if isinstance(program, BaseException):
            raise program
        self.processes.append(await self._spawn(sys.executable, "-c", program, **options))
        return self.processes[-1]


class Watched:
    """A supervisor whose changes can be awaited."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.supervisor = LinkSupervisor(self._note)
        self.told: list[tuple[str, str | None]] = []
        """What could be seen of the link at every change."""

    def _note(self) -> None:
        self.told.append(self.said())
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when it holds."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def state(self) -> str | None:
        """As the child that runs says."""
        worker = self.supervisor.worker
        return None if worker is None else worker.report.get("state")

    def said(self) -> tuple[str, str | None]:
        """State and reason of the link as the machine sees it."""
        view = link_view(self.supervisor.speaking, time.time())
        return ("", None) if view is None else (view.state, view.reason)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Children]:
    def make(*planned: str | BaseException, pause: float = 0.0) -> Children:
        made = Children(*planned)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", made)
        monkeypatch.setattr(workers, "RESTART_BACKOFF", (pause,))
        return made

    return make


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_a_child_that_cannot_be_started_is_tried_again(
    children: Callable[..., Children], caplog: pytest.LogCaptureFixture
) -> None:
    thread = RuntimeError("can't start new thread")
    spawned = children(refused(errno.EAGAIN), refused(errno.EMFILE), refused(errno.ENOMEM), thread, REPORTING)

    async def scenario() -> None:
        watched = Watched()
        watched.supervisor.want(PLAN)
        await watched.until(lambda: watched.state() == "streaming")
        assert watched.told == [*[("starting", "WorkerNotStarted")] * 4, ("streaming", None)]
        assert spawned.started == 5
        watched.supervisor.want(None)
        await watched.until(lambda: watched.supervisor.stopped)
        assert watched.said() == ("", None)
        await watched.supervisor.close()

    run(scenario())
    assert caplog.text.count("no worker process could be started") == 4
    assert os.strerror(errno.EMFILE) in caplog.text


def test_a_plan_that_is_given_up_while_no_child_can_be_started_ends_at_once(children: Callable[..., Children]) -> None:
    """Restores wait for links that have stopped; a switchover waits for one that is gone from view."""
    spawned = children(refused(errno.EAGAIN), pause=3600.0)

    async def scenario() -> None:
        watched = Watched()
        watched.supervisor.want(PLAN)
        await watched.until(lambda: watched.said() == ("starting", "WorkerNotStarted"))
        last = watched.supervisor.last
        assert last is not None
        with pytest.raises(ReplicationError):
            last.tell({"do": "finish"})
        watched.supervisor.want(None)
        await watched.until(lambda: watched.supervisor.stopped)
        assert watched.said() == ("", None)
        assert spawned.started == 1
        await watched.supervisor.close()

    run(scenario())


def test_a_child_whose_line_is_too_long_is_killed_and_replaced(children: Callable[..., Children]) -> None:
    spawned = children(BABBLING, REPORTING)

    async def scenario() -> None:
        watched = Watched()
        watched.supervisor.want(PLAN)
        await watched.until(lambda: watched.supervisor.last is not None)
        assert watched.said()[1] == "WorkerFailed"
        assert spawned.processes[0].returncode == -9
        await watched.until(lambda: watched.state() == "streaming")
        watched.supervisor.want(None)
        await watched.until(lambda: watched.supervisor.stopped)
        assert [process.returncode for process in spawned.processes] == [-9, 0]
        await watched.supervisor.close()

    run(scenario())


def test_a_mistake_in_hearing_a_child_ends_the_child_only(
    children: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    children("print('{\"beat\": 1}', flush=True)\nimport sys\nsys.stdin.read()", REPORTING)

    async def scenario() -> None:
        watched = Watched()

        def heard(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(watched.supervisor, "heard", heard)
        watched.supervisor.want(PLAN)
        await watched.until(lambda: watched.state() == "streaming")
        await watched.supervisor.close()

    run(scenario())


def test_the_memory_of_the_container_is_shared_out(
    children: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them reads the same large transaction at the same time: together they must not outgrow it."""
    children(TELLING)
    monkeypatch.setattr(memory, "share", lambda workers: 1200 // workers)

    async def scenario() -> None:
        first, second = Watched(), Watched()

        def heard(watched: Watched) -> object:
            worker = watched.supervisor.worker
            return worker and (worker.report.get("heard") or {}).get("bytes")

        first.supervisor.want(PLAN)
        await first.until(lambda: heard(first) == 1200)
        second.supervisor.want(PLAN)
        await second.until(lambda: heard(second) == 600)
        await first.until(lambda: heard(first) == 600)
        second.supervisor.want(None)
        await first.until(lambda: heard(first) == 1200)
        await first.supervisor.close()
        await second.supervisor.close()

    run(scenario())
