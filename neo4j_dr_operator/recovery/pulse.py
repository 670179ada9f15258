"""The heartbeat of the active site and the lease that rests on it.

The lease is renewed only after a heartbeat write succeeded within the last third of its term, so it says something
about the database. The heartbeat goes the operator's own way and, when that does not answer at once, also through the
link's worker: a broken path of the operator alone is no death.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.cluster import site as sites
from neo4j_dr_operator.errors import DrError, ObjectStoreError
from neo4j_dr_operator.failover.keeper import WitnessKeeper
from neo4j_dr_operator.failover.state import Site
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.replication.supervisor import LinkSupervisor

log = logging.getLogger(__name__)

HEARTBEAT_PERIOD = 1.0
OWN_WAY_FIRST = 0.5
"""Seconds the operator's own way is given before the worker's is tried beside it."""


@dataclass(frozen=True)
class Holder:
    """The site whose right to write is kept up, at its epoch."""

    site: Site
    epoch: int


class Pulse:
    """Two loops: heartbeats each second, the witness each third of a term."""

    def __init__(
        self, runtimes: dict[Site, SiteRuntime], supervisor: LinkSupervisor, changed: Callable[[], None]
    ) -> None:
        """Nothing is held yet."""
        self._holder: Holder | None = None
        self._held = asyncio.Event()
        self.keeper: WitnessKeeper | None = None
        self.term = 10.0
        self.last_beat = float("-inf")
        self._runtimes, self._supervisor, self._changed = runtimes, supervisor, changed
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def holder(self) -> Holder | None:
        """The site whose heartbeat is written and whose lease is renewed, None while nobody's is."""
        return self._holder

    def hold(self, holder: Holder | None) -> None:
        """Keep up another site's right to write: the heartbeats of the one before say nothing about it."""
        if holder != self._holder:
            self._holder, self.last_beat = holder, float("-inf")
            if holder is not None:
                self._held.set()

    def start(self) -> None:
        """Begin, once."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._beat_forever(), name="heartbeat"),
                asyncio.create_task(self._keep_forever(), name="witness"),
            ]

    async def close(self) -> None:
        """Stop both loops; the lease runs out by itself."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat_forever(self) -> None:
        while True:
            while (holder := self._holder) is None:
                self._held.clear()
                await self._held.wait()
            started = time.monotonic()
            if await self._beat(holder) and holder == self._holder:
                self.last_beat = started
            await asyncio.sleep(max(0.05, started + HEARTBEAT_PERIOD - time.monotonic()))

    async def _beat(self, holder: Holder) -> bool:
        at, limit = int(time.time() * 1000), max(1.0, self.term / 3)
        own = asyncio.create_task(self._quiet(self._own_way(holder, at, limit)))
        done, _ = await asyncio.wait({own}, timeout=OWN_WAY_FIRST)
        if done and own.result():
            return True
        worker = asyncio.create_task(self._quiet(self._worker_way(holder, at, limit)))
        tasks = {own, worker}
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result() for task in done):
                    return True
            return False
        finally:
            for task in tasks:
                task.cancel()

    async def _own_way(self, holder: Holder, at: int, limit: float) -> bool:
        db = self._runtimes[holder.site].db
        return db is not None and await sites.heartbeat(db, holder.epoch, at, limit)

    async def _worker_way(self, holder: Holder, at: int, limit: float) -> bool:
        worker = self._supervisor.worker
        if worker is None or not worker.config.link.startswith(f"{holder.site}>"):
            return False
        return await self._supervisor.beat(holder.epoch, at, limit)

    @staticmethod
    async def _quiet(call: Coroutine[Any, Any, bool]) -> bool:
        """A heartbeat that fails is only a heartbeat less; the probes say what is wrong."""
        try:
            return await call
        except DrError as error:
            log.debug("heartbeat: %s: %s", error.reason, error)
        except Exception:  # the boundary of one heartbeat: a mistake of ours must not end the loop
            log.exception("heartbeat")
        return False

    async def _keep_forever(self) -> None:
        while True:
            keeper, holder = self.keeper, self._holder
            if keeper is not None:
                await self._keep(keeper, holder)
                self._changed()
            await asyncio.sleep(self.term / 3)

    async def _keep(self, keeper: WitnessKeeper, holder: Holder | None) -> None:
        fresh = time.monotonic() - self.last_beat <= self.term / 3 + HEARTBEAT_PERIOD
        try:
            if holder is not None and fresh:
                await keeper.renew(holder.site, holder.epoch, self.term)
            else:
                await keeper.refresh()
        except ObjectStoreError as error:
            log.debug("witness: %s: %s", error.reason, error)
        except Exception:  # the boundary of one look at the witness, for the same reason
            log.exception("witness")
