"""One restore resource: its references followed, its target looked at, its worker started, its status kept.

Everything decided is in `decision.py`. Level-triggered: what a restore has done stands in its target, under the name
``<namespace>/<name>/<uid>``, so an operator that was killed goes on where the target is, and a resource that was
deleted and made again is another restore.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import RESTORE
from neo4j_dr_operator.api.restore import RestoreSpec
from neo4j_dr_operator.cluster.endpoint import FORBIDDEN, Resolved, Unresolved, resolve_s3
from neo4j_dr_operator.errors import DatabaseError, DrError, Gone, KubernetesError, NotFound
from neo4j_dr_operator.failover.reseed import line
from neo4j_dr_operator.failover.state import SITES
from neo4j_dr_operator.graph.bolt import AsyncDatabase
from neo4j_dr_operator.health.advice import explain
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.recovery.holds import HeldByAnother, Holds
from neo4j_dr_operator.restore import decision, outcome, publish
from neo4j_dr_operator.restore.decision import Asked, Go, Held, Link, Look, LookFirst, Owner, Refused, Seen
from neo4j_dr_operator.restore.inspection import inspect
from neo4j_dr_operator.restore.keeper import Api, StatusKeeper
from neo4j_dr_operator.restore.references import follow, owners
from neo4j_dr_operator.restore.supervision import LookPlan, RestorePlan, point_text
from neo4j_dr_operator.workers import Supervisor

log = logging.getLogger(__name__)

Body = Mapping[str, Any]
TIMEOUT = 30.0
"""Seconds for one call of a worker to the store or the database."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds until what could not go on is tried again: Secrets are not watched."""


@dataclass(frozen=True)
class World:
    """What all restores share: the API, clusters (by namespace and name) and disaster recovery resources (of a
    namespace) as last seen, the holds. ``missed``: called with namespace, name and uid of one that turned out to be
    gone. ``at_work``: by namespace and cluster, the restore that has it."""

    api: Api
    cluster: Callable[[str, str], Body | None]
    recoveries: Callable[[str], Iterable[Body]]
    holds: Holds
    missed: Callable[[str, str, str], None] = field(default=lambda *_: None)
    at_work: dict[tuple[str, str], str] = field(default_factory=dict)


class Waiting(DrError):
    """It cannot go on at the moment; ``why`` is one word."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class RestoreController:
    """The task of one resource, until the restore has ended or the resource is gone."""

    def __init__(self, world: World, body: Body) -> None:
        """Start with the body of its first event."""
        meta = body["metadata"]
        self.namespace, self.name, self.uid = meta["namespace"], meta["name"], meta["uid"]
        self.restore = f"{self.namespace}/{self.name}/{self.uid}"
        self._world, self._keeper = world, StatusKeeper(world.api, body)
        self._wake, self._heard = asyncio.Event(), asyncio.Event()
        self._pause = FIRST_PAUSE
        self._touched = False
        self._task = asyncio.create_task(self._run(), name=f"restore-{self.restore}")

    @property
    def cluster(self) -> str:
        """Name of the cluster that it restores into."""
        return str((self._keeper.body.get("spec") or {}).get("clusterRef") or "")

    @property
    def archive(self) -> str | None:
        """The archive that it reads, None while that is not known; empty once it has ended."""
        if publish.ended(self._keeper.status):
            return ""
        asked = ((self._keeper.body.get("spec") or {}).get("source") or {}).get("archive")
        found = self._keeper.status.get("archive") or asked
        return str(found) if found else None

    def reads(self, archive: str, place: S3Address) -> bool:
        """Whether it may be reading this archive, ``<namespace>/<name>``, at this place."""
        location = ((self._keeper.body.get("spec") or {}).get("source") or {}).get("location") or {}
        here = location.get("bucket"), str(location.get("path") or "").strip("/")
        return here == (place.bucket, place.path.strip("/")) and self.archive in (archive, None)

    @property
    def body(self) -> Body:
        """As last known."""
        return self._keeper.body

    def update(self, body: Body) -> None:
        """Take in a newer body. The spec never changes; an older one than is known is passed over."""
        self._keeper.update(body)

    def wake(self) -> None:
        """What it refers to may have been mended: try again now."""
        self._wake.set()

    async def close(self) -> None:
        """Stop its worker and let the cluster go. What the target holds stays, with the restore's note in it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._let_go()

    def _let_go(self) -> None:
        where = self.namespace, self.cluster
        if self._world.at_work.get(where) == self.restore:
            del self._world.at_work[where]
        self._world.holds.release(*where, self.restore)

    # -- the loop --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._rounds()
        except Gone:
            log.info("restore %s was deleted", self.restore)
            self._world.missed(self.namespace, self.name, self.uid)
        self._let_go()

    async def _rounds(self) -> None:
        """Until it has ended. Raises Gone."""
        while not publish.ended(self._keeper.status):
            self._wake.clear()
            try:
                await self._carry()
                break
            except Gone:
                raise
            except KubernetesError as error:
                log.warning("restore %s: %s: %s", self.restore, error.reason, error)
            except Waiting as waiting:
                await self._wait(waiting)
            except Exception:  # the boundary of one resource: a mistake of ours must not end its loop, nor others'
                log.exception("restore %s: a round failed", self.restore)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._wake.wait()
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _wait(self, waiting: Waiting) -> None:
        """Say why it waits. As long as the target was not touched, its links may run meanwhile."""
        if not self._touched:
            self._world.holds.release(self.namespace, self.cluster, self.restore)
        await self._keeper.soon(self._keeper.waiting(waiting.why, waiting.message))

    async def _carry(self) -> None:
        """From its references to its end. Raises Waiting, KubernetesError; what was done is found again."""
        try:
            spec = RestoreSpec.read(self._keeper.body.get("spec") or {})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            await self._keeper.end_badly("InvalidSpec", f"spec.{where}: {first['msg']}", None)
            return
        target, source = await self._followed(spec)
        other = self._world.at_work.setdefault((self.namespace, self.cluster), self.restore)
        if other != self.restore:
            refused = decision.under_way(other)
            await self._keeper.end_badly(refused.reason, refused.message, None)
            return
        async with self._connected(target) as db:
            verdict, by = await self._admitted(spec, source, target, db)
        resume = self._resume(by)
        if isinstance(verdict, Refused):
            await self._keeper.end_badly(
                verdict.reason, verdict.message, resume if publish.begun(self._keeper.status) else None
            )
            return
        await self._restore(spec, source, target, verdict, resume)

    def _resume(self, found: Iterable[Owner]) -> str | None:
        """The line after which a standby follows again; None for what is none."""
        for owner in found:
            for site in SITES:
                if owner.known and not owner.active and owner.site == site:
                    return line(owner.name, site)
        return None

    # -- before the target is touched ------------------------------------------------------------------------------

    async def _followed(self, spec: RestoreSpec) -> tuple[Resolved, S3Address]:
        """Where the cluster and the archive are. Raises Waiting for what is not there."""
        try:
            target = await follow(
                self._world.api, self.namespace, spec, self._world.cluster, self._world.recoveries(self.namespace)
            )
        except KubernetesError:
            raise
        except DrError as error:
            raise Waiting(error.reason, error.message) from error
        try:
            return target, await resolve_s3(self._world.api, self.namespace, spec.source.location)
        except Unresolved as error:
            raise Waiting(error.reason, f"spec.source.location: {error.message}") from error

    @contextlib.asynccontextmanager
    async def _connected(self, target: Resolved) -> AsyncIterator[AsyncDatabase]:
        """A connection to look with. Raises Waiting for what the database or the way to it refuses inside."""
        try:
            async with AsyncDatabase(target.own) as db:
                yield db
        except DatabaseError as error:
            raise Waiting(error.reason, explain(error.reason, error.message, target.place)) from error

    async def _admitted(
        self, spec: RestoreSpec, source: S3Address, target: Resolved, db: AsyncDatabase
    ) -> tuple[Go | Refused, list[Owner]]:
        """Whether it may begin, decided once more when every link has stepped aside; and who the cluster belongs to."""
        asked = Asked(self.restore, spec.cluster_ref, spec.options.overwrite, spec.options.force)
        look: Look | None = None
        held = False
        while True:
            seen, found = await self._see(spec, target, db, look)
            verdict = decision.decide(asked, seen)
            if isinstance(verdict, LookFirst):
                looked = await self._look(spec, source, verdict.link)
                if isinstance(looked, Refused):
                    return looked, found
                look = looked
            elif isinstance(verdict, Refused) or held:
                return verdict, found
            else:
                await self._hold()
                held = True

    async def _see(
        self, spec: RestoreSpec, target: Resolved, db: AsyncDatabase, look: Look | None
    ) -> tuple[Seen, list[Owner]]:
        held = await inspect(db, target.own.timeout)
        self._touched |= any(note.restore == self.restore for note in held.notes)
        bodies = list(self._world.recoveries(self.namespace))
        marked = await self._marked(held, bodies)
        found = [owner for owner, _ in owners([*bodies, *marked], spec.cluster_ref)]
        existing = {f"{body['metadata']['namespace']}/{body['metadata']['name']}" for body in [*bodies, *marked]}
        if held.dr not in existing:
            held = decision.unmarked(held)
        alive = frozenset([note.restore for note in held.notes if await self._alive(note.restore)])
        return Seen(held, found, look, alive), found

    async def _marked(self, held: Held, seen: Iterable[Body]) -> list[Body]:
        """The resource that the database names, where no event has told of it yet."""
        namespace, _, name = (held.dr or "").partition("/")
        if namespace != self.namespace or not name or any(body["metadata"]["name"] == name for body in seen):
            return []
        try:
            return [await self._world.api.get(GROUP, VERSION, "neo4jdisasterrecoveries", namespace, name)]
        except NotFound:
            return []

    async def _alive(self, restore: str) -> bool:
        """Whether the resource of another restore is there and has not ended."""
        namespace, name, uid = (*restore.split("/"), "", "")[:3]
        if restore == self.restore or not uid:
            return False
        try:
            found = await self._world.api.get(GROUP, VERSION, RESTORE.plural, namespace, name)
        except NotFound:
            return False
        except KubernetesError as error:
            if error.status != FORBIDDEN:
                raise
            return True  # it lies in a namespace that is not ours to see: nothing of it is touched
        return found["metadata"]["uid"] == uid and not publish.ended(found.get("status"))

    async def _look(self, spec: RestoreSpec, source: S3Address, link: Link | None) -> Look | Refused:
        """Look at the archive. Raises Waiting where that is refused for something that can be mended."""
        held = (link.source, link.tx) if link is not None and link.source else None
        plan = LookPlan(
            restore=self.restore,
            archive=spec.source.archive,
            database=spec.source.database,
            source=source,
            point=point_text(decision.point_of(spec)),
            timeout=TIMEOUT,
            held=held,
        )
        report = await self._job("survey", plan, only_looking=True)
        if (error := report.get("error")) is not None and report["state"] == "failed":
            return self._failure(error)
        return Look(
            str(report["archive"]), report.get("newest"), held, bool(report.get("within")), report.get("lacking") or ""
        )

    async def _hold(self) -> None:
        """Return when no link runs into the cluster or out of it."""
        wait = asyncio.create_task(self._world.holds.take(self.namespace, self.cluster, self.restore))
        done, _ = await asyncio.wait({wait}, timeout=FIRST_PAUSE)
        try:
            if not done:
                message = f"waiting until replication of {self.cluster} has stepped aside"
                await self._keeper.soon(self._keeper.waiting("Holding", message))
            await wait
        except HeldByAnother as error:
            raise Waiting(error.reason, error.message) from error
        finally:
            wait.cancel()

    # -- the worker ------------------------------------------------------------------------------------------------

    async def _restore(
        self, spec: RestoreSpec, source: S3Address, target: Resolved, go: Go, resume: str | None
    ) -> None:
        if not publish.begun(self._keeper.status):
            log.info("restore %s begins: %s", self.restore, go.why)
            if not await self._keeper.begin(f"restoring into {spec.cluster_ref}: {go.why}"):
                return
        plan = RestorePlan(
            restore=self.restore,
            archive=spec.source.archive,
            database=spec.source.database,
            source=source,
            target=target.link,
            point=point_text(decision.point_of(spec)),
            timeout=TIMEOUT,
            skip_indexes=spec.options.skip_indexes,
            validate=spec.options.validate_consistency,
            clean=not go.standby,
            overwrite=go.overwrite,
            force=spec.options.force,
        )
        report = await self._job("restore", plan)
        self._pause = FIRST_PAUSE
        if report["state"] == "failed":
            error: Mapping[str, Any] = report.get("error") or {"reason": "RestoreFailed", "message": "no reason given"}
            refused = self._failure(error, target)
            touched = await self._noted(target)
            await self._keeper.end_badly(refused.reason, refused.message, resume if touched else None)
            return
        await self._keeper.end_well(report, resume)

    async def _noted(self, target: Resolved) -> bool:
        """Whether the target holds what this restore has begun."""
        async with self._connected(target) as db:
            held = await inspect(db, target.own.timeout)
        return any(note.restore == self.restore for note in held.notes)

    def _failure(self, error: Mapping[str, Any], target: Resolved | None = None) -> Refused:
        """Why a worker ended. Raises Waiting for what can be mended: then it is started again later."""
        reason, message = str(error["reason"]), str(error["message"])
        if target is not None:
            message = explain(reason, message, target.link_place) if outcome.of_target(reason) else message
        message = outcome.advice(reason, message)
        if outcome.mendable(reason):
            raise Waiting(reason, message)
        return Refused(reason, message)

    async def _job(self, program: str, plan: Any, *, only_looking: bool = False) -> dict[str, Any]:
        """Run a worker to its end, telling what it says meanwhile; its last report. One that is killed is replaced."""
        supervisor: Supervisor[Any] = Supervisor(program, self._heard.set, job=True)
        supervisor.want(plan)
        try:
            while True:
                self._heard.clear()
                worker, last = supervisor.worker, supervisor.last
                if worker is None and last is not None and last.report.get("state") in ("finished", "failed"):
                    return last.report
                if worker is not None and worker.report:
                    await self._progress(worker.report, only_looking)
                await self._heard.wait()
        finally:
            await supervisor.close()

    async def _progress(self, report: Mapping[str, Any], only_looking: bool) -> None:
        """Tell how far it is; an API server that does not answer is no reason to stop, a deletion is. Raises Gone."""
        if report.get("state") in ("finished", "failed"):
            return
        self._touched |= outcome.touching(report.get("state")) and not only_looking
        await self._keeper.progress(report, only_looking=only_looking)
