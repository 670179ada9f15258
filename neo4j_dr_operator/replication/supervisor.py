"""The parent's side of link workers: what one is started with, and heartbeats through its way to the source."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from neo4j_dr_operator.errors import ReplicationError
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.workers import Supervisor, Worker


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
    reseed: str | None = None
    supersedes: str | None = None

    @property
    def name(self) -> str:
        """Its name in logs."""
        return f"link {self.link}"

    def identity(self) -> LinkConfig:
        """The same link, however it began."""
        return replace(self, origin="attach", inverse=None, barrier=None)

    def line(self) -> bytes:
        """One JSON line."""
        config = {
            "link": self.link,
            "epoch": self.epoch,
            "origin": self.origin,
            "source": self.source.wire(),
            "target": self.target.wire(),
            "inverse": self.inverse,
            "barrier": self.barrier,
            "batchSize": self.batch_size,
            "timeout": self.timeout,
            "retries": self.retries,
            "interval": self.interval,
            "reseed": self.reseed,
            "supersedes": self.supersedes,
        }
        return json.dumps(config).encode() + b"\n"


class LinkSupervisor(Supervisor[LinkConfig]):
    """Keeps the wanted link running. How a link began (its origin) matters to a new child only."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """Nothing runs yet."""
        super().__init__("link", changed)
        self._beats: dict[int, asyncio.Future[bool]] = {}
        self._numbers = itertools.count()

    async def beat(self, epoch: int, at: int, timeout: float) -> bool:
        """Write a heartbeat through the worker's own way to the source. False or ReplicationError: it did not."""
        worker = self.worker
        if worker is None:
            raise ReplicationError("no link worker runs")
        number = next(self._numbers)
        future = self._beats[number] = asyncio.get_running_loop().create_future()
        try:
            worker.tell({"do": "heartbeat", "id": number, "epoch": epoch, "at": at})
            async with asyncio.timeout(timeout):
                return bool(await future)
        except TimeoutError as error:
            raise ReplicationError("the link worker did not write the heartbeat in time") from error
        finally:
            self._beats.pop(number, None)

    def heard(self, worker: Worker[LinkConfig], line: dict[str, Any]) -> None:
        """The answer to a heartbeat."""
        answer = line.get("heartbeat") or {}
        future = self._beats.get(answer.get("id", -1))
        if future is not None and not future.done():
            future.set_result(bool(answer.get("ok")))
