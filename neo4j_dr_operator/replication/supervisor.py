"""The parent of link workers: one child process a link, its reports, its end.

A worker holds no decision: it is started for one link at one epoch, told to finish or to write a heartbeat, and
replaced when its plan changes. It ends by itself when its standard input closes, so a killed operator leaves none
behind. Credentials travel on standard input, never in arguments or the environment.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from neo4j_dr_operator.errors import ReplicationError
from neo4j_dr_operator.graph.bolt import Endpoint

log = logging.getLogger(__name__)

FINISH_PATIENCE = 3.0
"""Seconds a worker may take to apply what it has read before it is killed; nothing is lost, only read again."""
RESTART_BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class LinkConfig:
    """What a worker is started with: the first line on its standard input."""

    link: str
    epoch: int
    origin: str
    source: Endpoint
    target: Endpoint
    inverse: str | None = None
    barrier: str | None = None
    batch_size: int = 5000
    timeout: float = 30.0
    retries: int = 3
    interval: float = 300.0

    def identity(self) -> LinkConfig:
        """The same link, however it began."""
        return replace(self, origin="attach", inverse=None, barrier=None)

    def line(self) -> bytes:
        """One JSON line."""
        config = {
            "link": self.link,
            "epoch": self.epoch,
            "origin": self.origin,
            "source": _wire(self.source),
            "target": _wire(self.target),
            "inverse": self.inverse,
            "barrier": self.barrier,
            "batchSize": self.batch_size,
            "timeout": self.timeout,
            "retries": self.retries,
            "interval": self.interval,
        }
        return json.dumps(config).encode() + b"\n"


def _wire(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "uri": endpoint.uri,
        "user": endpoint.user,
        "password": endpoint.password,
        "ca": endpoint.ca,
        "database": endpoint.database,
    }


@dataclass
class Worker:
    """One running child with its last report. `report` is empty until the first one arrives."""

    config: LinkConfig
    process: asyncio.subprocess.Process
    report: dict[str, Any] = field(default_factory=dict)
    beats: dict[int, asyncio.Future[bool]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def tell(self, command: dict[str, Any]) -> None:
        """Send one command line. Raises ReplicationError when the worker has gone."""
        stdin = self.process.stdin
        if stdin is None or stdin.is_closing() or self.process.returncode is not None:
            raise ReplicationError("the link worker has ended")
        stdin.write(json.dumps(command).encode() + b"\n")


class LinkSupervisor:
    """Keeps exactly the wanted link running. `changed` is called after every report and every end."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """Nothing runs yet."""
        self._changed = changed
        self._wanted: LinkConfig | None = None
        self._worker: Worker | None = None
        self.last: Worker | None = None
        """The child that ended last, while the same link is still wanted."""
        self._wake = asyncio.Event()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def worker(self) -> Worker | None:
        """The child that runs now, None while none does."""
        return self._worker

    def want(self, config: LinkConfig | None) -> None:
        """Set what should run. The same link: nothing happens; another one: the present child finishes first.

        How a link began (its origin) matters to a new child only, so a link that was seeded or handed over runs on.
        """
        same = (config and config.identity()) == (self._wanted and self._wanted.identity())
        self._wanted = config
        if not same:
            self._failures = 0
            self._wake.set()
        if self._task is None and config is not None:
            self._task = asyncio.create_task(self._run(), name="link-supervisor")

    async def beat(self, epoch: int, at: int, timeout: float) -> bool:
        """Write a heartbeat through the worker's own way to the source. False or ReplicationError: it did not."""
        worker = self._worker
        if worker is None:
            raise ReplicationError("no link worker runs")
        number = next(worker.numbers)
        future = worker.beats[number] = asyncio.get_running_loop().create_future()
        try:
            worker.tell({"do": "heartbeat", "id": number, "epoch": epoch, "at": at})
            async with asyncio.timeout(timeout):
                return bool(await future)
        except TimeoutError as error:
            raise ReplicationError("the link worker did not write the heartbeat in time") from error
        finally:
            worker.beats.pop(number, None)

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
            if wanted is None:
                self.last = None
                self._changed()
                await self._wake.wait()
                continue
            worker = await self._spawn(wanted)
            ended = asyncio.create_task(self._listen(worker))
            woken = asyncio.create_task(self._wake.wait())
            try:
                await asyncio.wait({ended, woken}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    await self._end(worker, FINISH_PATIENCE)
                await ended
            finally:
                woken.cancel()
                if not ended.done():
                    ended.cancel()
            self._worker, self.last = None, worker
            self._changed()
            if self._wanted is not None and self._wanted.identity() == wanted.identity():
                await self._pause(worker)

    async def _pause(self, worker: Worker) -> None:
        """Wait before the same link is tried again; a change of plan ends the wait."""
        delay = RESTART_BACKOFF[min(self._failures, len(RESTART_BACKOFF) - 1)]
        self._failures += 1
        log.warning("link %s ended with %s, again in %.1f s", worker.config.link, worker.process.returncode, delay)
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _spawn(self, config: LinkConfig) -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "neo4j_dr_operator",
            "link",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        assert process.stdin is not None
        process.stdin.write(config.line())
        self._worker = Worker(config, process)
        return self._worker

    async def _listen(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        async for raw in worker.process.stdout:
            try:
                line = json.loads(raw)
            except ValueError:
                log.warning("link %s said something that is no report", worker.config.link)
                continue
            if "heartbeat" in line:
                future = worker.beats.get(line["heartbeat"]["id"])
                if future is not None and not future.done():
                    future.set_result(bool(line["heartbeat"]["ok"]))
            elif "report" in line:
                worker.report = line["report"]
                if worker.report.get("state") == "streaming":
                    self._failures = 0
                self._changed()
        await worker.process.wait()

    async def _end(self, worker: Worker, patience: float) -> None:
        """Ask the child to finish; after `patience` seconds kill it, and only it."""
        try:
            worker.tell({"do": "finish"})
            async with asyncio.timeout(patience):
                await worker.process.wait()
        except (TimeoutError, ReplicationError):
            if worker.process.returncode is None:
                worker.process.kill()
                await worker.process.wait()
