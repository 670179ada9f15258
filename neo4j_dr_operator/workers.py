"""The parent of worker processes: one child at a time, its reports, its end.

A worker holds no decision: it is started for one plan, told to finish, and replaced when its plan changes. It ends by
itself when its standard input closes, so a killed operator leaves none behind. Credentials travel on standard input,
never in arguments or the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from neo4j_dr_operator import memory
from neo4j_dr_operator.errors import DrError, ReplicationError, WorkerFailed, WorkerNotStarted

log = logging.getLogger(__name__)

FINISH_PATIENCE = 3.0
"""Seconds a worker may take to finish what it has read before it is killed; nothing is lost, only read again."""
RESTART_BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)
SETTLED = (0, 3)
"""Exit codes of a job that needs no other child: done, and cannot be done."""
AT_WORK = ("streaming", "shipping")
"""States after which a worker's failures count anew."""
LONGEST_LINE = 1 << 20
"""Bytes of a line beyond which a child is not listened to any more."""


class Plan(Protocol):
    """What a worker is started with."""

    @property
    def name(self) -> str:
        """Its name in logs."""
        ...

    def identity(self) -> Self:
        """The plan without what matters to a new child only: equal ones are served by one child."""
        ...

    def line(self) -> bytes:
        """The first line on the child's standard input (JSON)."""
        ...


PlanT = TypeVar("PlanT", bound=Plan)


@dataclass(eq=False)
class Worker(Generic[PlanT]):
    """One child with its last report, empty until the first one arrives. Without a `process` none could be started."""

    config: PlanT
    process: asyncio.subprocess.Process | None
    report: dict[str, Any] = field(default_factory=dict)
    memory: int = 0
    """Bytes that it was told a transaction may take."""

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs, and for one that could not be started."""
        return self.process.returncode if self.process is not None else None

    def trouble(self, error: DrError) -> None:
        """Note in its report what no child can say of itself."""
        self.report = {**self.report, "error": {"reason": error.reason, "message": error.message}}

    def tell(self, command: dict[str, Any]) -> None:
        """Send one command line. Raises ReplicationError when the worker has gone."""
        stdin = self.process.stdin if self.process is not None else None
        if stdin is None or stdin.is_closing() or self.code is not None:
            raise ReplicationError(f"the worker of {self.config.name} has ended")
        stdin.write(json.dumps(command).encode() + b"\n")


class Household:
    """All children of this process. They live in one container, so each is told its part of the memory."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._members: set[Worker[Any]] = set()

    def join(self, worker: Worker[Any]) -> None:
        """It has begun: the others have to do with less."""
        self._members.add(worker)
        self._share()

    def leave(self, worker: Worker[Any]) -> None:
        """It has ended: there is more for the others."""
        self._members.discard(worker)
        self._share()

    def _share(self) -> None:
        part = memory.share(len(self._members))
        for worker in self._members:
            if worker.memory != part:
                worker.memory = part
                with contextlib.suppress(ReplicationError):  # it is about to leave
                    worker.tell({"do": "memory", "bytes": part})


HOUSEHOLD = Household()


class Supervisor(Generic[PlanT]):
    """Keeps exactly the wanted worker running. `changed` is called after every report and every end."""

    def __init__(self, program: str, changed: Callable[[], None], *, job: bool = False) -> None:
        """Nothing runs yet. `program`: the subcommand of this package that the child runs.

        `job`: it does one thing and ends. A child that has said how it ended (`SETTLED`) is not started again for the
        same plan; its last report stays in `last`.
        """
        self._program, self._changed, self._job = program, changed, job
        self._wanted: PlanT | None = None
        self._worker: Worker[PlanT] | None = None
        self.last: Worker[PlanT] | None = None
        """The child that ended last, while the same plan is still wanted."""
        self._wake = asyncio.Event()
        self._failures = 0
        self._resting = True
        self._task: asyncio.Task[None] | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing is wanted and the last child has ended, with nothing on its way to be started."""
        return self._wanted is None and self._resting

    @property
    def worker(self) -> Worker[PlanT] | None:
        """The child that runs now, None while none does."""
        return self._worker

    @property
    def speaking(self) -> Worker[PlanT] | None:
        """The child whose report counts: the one that runs, or the one that failed at the same plan before it, for as
        long as the new one has nothing to say yet. So a failure that lasts does not come and go with every restart."""
        worker, last = self._worker, self.last
        if worker is None or last is None or last.report.get("state") != "failed":
            return worker or last
        silent = worker.report.get("state") in (None, "attaching") and not worker.report.get("error")
        return last if silent and last.config.identity() == worker.config.identity() else worker

    def want(self, config: PlanT | None) -> None:
        """Set what should run. The same plan: nothing happens; another one: the present child finishes first."""
        before, self._wanted = self._wanted, config
        if (config and config.identity()) != (before and before.identity()):
            self._failures = 0
            self._wake.set()
        elif self._worker is not None and config is not None and config != before:
            self.renew(self._worker, config)
        if self._task is None and config is not None:
            self._task = asyncio.create_task(self._run(), name=f"{self._program}-supervisor")

    def heard(self, worker: Worker[PlanT], line: dict[str, Any]) -> None:
        """A line that is no report; for the kinds of worker that say more."""

    def renew(self, worker: Worker[PlanT], config: PlanT) -> None:
        """The child's plan has changed in what it goes on with; for kinds of worker that can be told."""

    async def close(self) -> None:
        """End the child at once and stop supervising."""
        self._wanted = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._worker is not None:
            await self._end(self._worker, patience=0.5)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wanted = self._wanted
            self._resting = wanted is None
            if wanted is None:
                self.last = None
                self._changed()
                await self._wake.wait()
                continue
            worker = await self._carry(wanted)
            self._worker, self.last = None, worker
            self._changed()
            if self._wanted is None or self._wanted.identity() != wanted.identity():
                continue
            if self._job and worker.code in SETTLED:
                await self._wake.wait()
            else:
                await self._pause(worker)

    async def _carry(self, wanted: PlanT) -> Worker[PlanT]:
        """Start a child and return once it has ended, whyever. One that could not be started has ended at once."""
        try:
            worker = await self._spawn(wanted)
        except (OSError, RuntimeError) as error:  # no process, descriptor, memory or (RuntimeError) thread to be had
            worker = Worker(wanted, None)
            cause = getattr(error, "strerror", None) or str(error)
            worker.trouble(WorkerNotStarted(f"no worker process could be started: {cause}"))
            return worker
        HOUSEHOLD.join(worker)
        if self._wanted is not None and self._wanted != wanted:
            self.renew(worker, self._wanted)  # what changed while it was started; without effect on another plan's
        ended = asyncio.create_task(self._listen(worker))
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({ended, woken}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(worker, FINISH_PATIENCE)
            await ended
        finally:
            HOUSEHOLD.leave(worker)
            woken.cancel()
            if not ended.done():
                ended.cancel()
        return worker

    async def _pause(self, worker: Worker[PlanT]) -> None:
        """Wait before the same link is tried again; a change of plan ends the wait."""
        delay = RESTART_BACKOFF[min(self._failures, len(RESTART_BACKOFF) - 1)]
        self._failures += 1
        how = f"ended with {worker.code}" if worker.process is not None else worker.report["error"]["message"]
        log.warning("%s: %s, again in %.1f s", worker.config.name, how, delay)
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _spawn(self, config: PlanT) -> Worker[PlanT]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "neo4j_dr_operator",
            self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        assert process.stdin is not None
        process.stdin.write(config.line())
        self._worker = worker = Worker(config, process)
        return worker

    async def _listen(self, worker: Worker[PlanT]) -> None:
        """Hear the child out. One that cannot be listened to any more is killed: nobody would know what it does."""
        assert worker.process is not None
        assert worker.process.stdout is not None
        try:
            async for raw in worker.process.stdout:
                self._hear(worker, raw)
        except Exception:  # ValueError: a line beyond the limit; else a mistake of ours, which must not end supervising
            log.exception("%s said what cannot be taken in", worker.config.name)
            worker.trouble(WorkerFailed("what the worker process said could not be taken in; it is started again"))
            _kill(worker.process)
            while await worker.process.stdout.read(LONGEST_LINE):
                pass  # to its end: a pipe that nobody reads would hold it up
        await worker.process.wait()

    def _hear(self, worker: Worker[PlanT], raw: bytes) -> None:
        try:
            line = json.loads(raw)
        except ValueError:
            log.warning("%s said something that is no report", worker.config.name)
            return
        if "report" not in line:
            self.heard(worker, line)
            return
        worker.report = line["report"]
        if worker.report.get("state") in AT_WORK:
            self._failures = 0
        self._changed()

    async def _end(self, worker: Worker[PlanT], patience: float) -> None:
        """Ask the child to finish; after `patience` seconds kill it, and only it."""
        assert worker.process is not None
        try:
            worker.tell({"do": "finish"})
            async with asyncio.timeout(patience):
                await worker.process.wait()
        except (TimeoutError, ReplicationError):
            _kill(worker.process)
            await worker.process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
