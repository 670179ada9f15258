"""Carrying out what the machine asked for. Every action may run again at any time; what it finds out is kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from neo4j_dr_operator.cluster import site as sites
from neo4j_dr_operator.cluster.access import enable_change_capture, read_access, set_access
from neo4j_dr_operator.errors import (
    ChangeCaptureDisabled,
    DatabaseUnreachable,
    DrError,
    FenceBroken,
    NotSupported,
    PermissionDenied,
    Stale,
)
from neo4j_dr_operator.failover.actions import (
    Action,
    Assess,
    Beat,
    Claim,
    Consume,
    MakeReadOnly,
    MakeWritable,
    Promote,
    ReadPosition,
    TakeLease,
    WriteMark,
)
from neo4j_dr_operator.failover.keeper import WitnessKeeper
from neo4j_dr_operator.failover.state import SITES, Site, other
from neo4j_dr_operator.failover.view import Access, Reading, Results
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.health.advice import explain
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime

log = logging.getLogger(__name__)

RETRY_PAUSE = 0.3
"""Seconds before a failed action may be tried again."""
REFUSALS = (PermissionDenied, NotSupported, ChangeCaptureDisabled)
"""Errors of an action that no retry mends."""
ACTION_TIMEOUT = 10.0
"""Seconds one action may take; the machine has deadlines of its own for a whole step."""


class LeaseRefused(DrError):
    """The witness is held by somebody else: trying again within this step is of no use."""


class Executor:
    """Runs actions beside each other, each at most once at a time."""

    def __init__(
        self,
        dr: str,
        runtimes: dict[Site, SiteRuntime],
        consume: Callable[[Consume], Awaitable[None]],
        may_open: Callable[[Site], Awaitable[bool]],
        changed: Callable[[], None],
    ) -> None:
        """`consume` edits the spec; `may_open` confirms an opening with what is stored; `changed`: an outcome came."""
        self.results = Results()
        self.keeper: WitnessKeeper | None = None
        self.term = 10.0
        self._dr, self._runtimes, self._consume, self._changed = dr, runtimes, consume, changed
        self._may_open = may_open
        self._access_locks: dict[Site, asyncio.Lock] = {site: asyncio.Lock() for site in SITES}
        self._running: dict[Action, asyncio.Task[None]] = {}
        self._not_before: dict[Action, float] = {}
        self._step = 0
        self._refused: dict[str, tuple[str, str]] = {}

    @property
    def blocked(self) -> tuple[str, str] | None:
        """What people have to mend before an action can succeed: reason and sentence of the first such refusal."""
        return next(iter(self._refused.values()), None)

    def new_step(self) -> None:
        """Forget what only counts within one step; what was begun before it and fails late says nothing about it."""
        self._step += 1
        self.results = self.results.in_a_new_step()

    def start(self, actions: tuple[Action, ...]) -> None:
        """Start what is not running yet and did not fail just now."""
        now = time.monotonic()
        self._not_before = {action: at for action, at in self._not_before.items() if at > now}
        for action in actions:
            if action not in self._running and action not in self._not_before:
                task = asyncio.create_task(self._guarded(action, self._step), name=type(action).__name__)
                self._running[action] = task

    async def close(self) -> None:
        """Cancel what is running; every action can be run again by the next operator."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, action: Action, step: int) -> None:
        try:
            async with asyncio.timeout(ACTION_TIMEOUT):
                await self._run(action)
            self._refused.pop(type(action).__name__, None)
        except LeaseRefused as error:
            if step == self._step:
                self._found(lease_refused=error.message)
        except (DrError, TimeoutError) as error:
            if isinstance(error, REFUSALS):
                self._refused[type(action).__name__] = (error.reason, self._explained(action, error))
            reason = error.reason if isinstance(error, DrError) else "TimedOut"
            self._failed(step, f"{reason}: {error}")
            self._not_before[action] = time.monotonic() + RETRY_PAUSE
            log.warning("%s of %s failed: %s: %s", type(action).__name__, self._dr, reason, error)
        except Exception:  # the boundary of one action: a mistake of ours is a failed action, not an endless one
            self._failed(step, f"InternalError: {type(action).__name__}")
            self._not_before[action] = time.monotonic() + 10 * RETRY_PAUSE
            log.exception("%s of %s failed", type(action).__name__, self._dr)
        finally:
            self._running.pop(action, None)
            self._changed()

    def _found(self, **results: Any) -> None:
        self.results = replace(self.results, **results)

    def _failed(self, step: int, said: str) -> None:
        if step == self._step:
            self._found(failed=said)

    def _explained(self, action: Action, error: DrError) -> str:
        match action:
            case WriteMark(site=site) | MakeReadOnly(site=site) | MakeWritable(site=site):
                return explain(error.reason, error.message, self._runtimes[site].place)
            case _:
                return error.message

    def _db(self, site: Site) -> AsyncDatabase:
        db = self._runtimes[site].db
        if db is None:
            raise DatabaseUnreachable(f"the address of {site} is not known")
        return db

    async def _run(self, action: Action) -> None:
        timeout = ACTION_TIMEOUT
        match action:
            case MakeReadOnly(site=site):
                await self._access(site, "read-only", timeout)
            case MakeWritable(site=site):
                await self._open(site, timeout)
            case ReadPosition():
                await self._read_position(action, timeout)
            case WriteMark(site=site, role=role, epoch=epoch):
                await enable_change_capture(self._db(site), timeout)
                await sites.write_mark(self._db(site), self._dr, site, role, epoch, timeout)
                self._runtimes[site].soon()
            case TakeLease():
                await self._take_lease(action)
            case Claim(source=source, target=target, epoch=epoch, filling=filling):
                db = self._db(target)
                self._found(claimed=await sites.claim(db, source, target, epoch, timeout, filling=filling))
            case Promote():
                await self._promote(action, timeout)
            case Assess(site=site, epoch=epoch):
                await self._assess(site, epoch, timeout)
            case Beat(site=site, epoch=epoch):
                if await sites.heartbeat(self._db(site), epoch, int(time.time() * 1000), timeout):
                    self._found(beaten=epoch)
            case Consume():
                await self._consume(action)

    async def _access(self, site: Site, access: Access, timeout: float) -> None:
        async with self._access_locks[site]:
            await self._set_access(site, access, timeout)

    async def _open(self, site: Site, timeout: float) -> None:
        """Open a site only while the stored state wants it: an opening decided earlier must not undo a newer fence."""
        async with self._access_locks[site]:
            if not await self._may_open(site):
                raise Stale(f"the state in which {site} was to be opened is not the stored one any more")
            await self._set_access(site, "read-write", timeout)

    async def _set_access(self, site: Site, access: Access, timeout: float) -> None:
        asked = time.monotonic()
        seen, changed = await set_access(self._db(site), access, timeout)
        self._runtimes[site].saw(seen, asked, changed)

    async def _read_position(self, action: ReadPosition, timeout: float) -> None:
        """A final position counts only between two sights of a read-only database."""
        db, asked = self._db(action.site), time.monotonic()
        if action.final:
            await self._must_be_read_only(action.site, timeout)
        end = await sites.read_end(db, timeout)
        if action.final:
            await self._must_be_read_only(action.site, timeout)
        reading = Reading(action.site, action.epoch, end.text, end.tx, asked, action.final)
        self.results = self.results.read(reading)

    async def _must_be_read_only(self, site: Site, timeout: float) -> None:
        """Look, without mending: a fence that was lost meanwhile must be noticed, not closed again."""
        asked = time.monotonic()
        seen = await read_access(self._db(site), timeout)
        self._runtimes[site].saw(seen, asked)
        if seen != "read-only":
            raise FenceBroken(f"{site} is not read-only")

    async def _take_lease(self, action: TakeLease) -> None:
        if self.keeper is None:
            raise DrError("no witness is configured")
        refusal = await self.keeper.take(action.site, action.epoch, self.term, action.force)
        if refusal is None:
            self._found(leased=action.epoch)
        elif self.keeper.view().epoch < action.epoch and not action.force:
            # Held as far as this process has watched: after a restart a whole term must be watched again.
            raise DrError(refusal)
        else:
            raise LeaseRefused(refusal)

    async def _promote(self, action: Promote, timeout: float) -> None:
        if action.guard is not None:
            await self._check_fence(action.source, action.guard, timeout)
        barrier = await sites.promote(self._db(action.target), action.source, action.target, action.epoch, timeout)
        self._found(promoted=action.epoch, barrier=barrier)
        self._runtimes[action.target].soon()

    async def _check_fence(self, site: Site, guard: str, timeout: float) -> None:
        """Nothing came after the final position. A primary that cannot be asked may have been opened by a restart."""
        await self._must_be_read_only(site, timeout)
        await sites.check_unwritten(self._db(site), guard, timeout)
        await self._must_be_read_only(site, timeout)

    async def _assess(self, site: Site, epoch: int, timeout: float) -> None:
        """Compare only while the returning site is seen read-only, before and after."""
        await self._must_be_read_only(site, timeout)
        found = await sites.assess(self._db(other(site)), self._db(site), site, epoch, timeout)
        await self._must_be_read_only(site, timeout)
        self._found(assessment=found)
