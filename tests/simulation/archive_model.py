"""The archive in the model: a shipper that fills it, and a drain that takes from it what a standby lacks."""

from __future__ import annotations

from model import Archived, Link, Unreachable, World

from neo4j_dr_operator.failover.actions import DrainPlan
from neo4j_dr_operator.failover.view import DrainView
from neo4j_dr_operator.reporting.objectives import ShipPlan

BATCH = 15
STORE_PATIENCE = 15.0


class Shipper:
    """One shipper process at a time. One that is told to end ships what it can, once."""

    def __init__(self, world: World, operator: str) -> None:
        """Nothing runs yet."""
        self.world, self.operator, self.name = world, operator, f"shipper-{operator}"
        self.plan: ShipPlan | None = None

    def run(self, wanted: ShipPlan | None) -> None:
        """One slice."""
        if self.plan is not None and (wanted != self.plan or self.world.rng.random() < 0.5):
            self._ship(self.plan)
        self.plan = wanted

    def _ship(self, plan: ShipPlan) -> None:
        world = self.world
        if not (world.s3_up and world.reach(self.operator, "s3")):
            return
        try:
            source = world.database(self.name, plan.site)
        except Unreachable:
            return
        end = len(source.log)
        begin = end if plan.start is None else int(plan.start)
        world.archive.setdefault(plan.epoch, Archived(plan.site, begin, begin)).end = end


class Drain:
    """One drain process at a time, for the plan it was started with; fenced by the link node, as a link worker is."""

    def __init__(self, world: World, operator: str) -> None:
        """Nothing runs yet."""
        self.world, self.operator, self.name = world, operator, f"worker-{operator}"
        self._begin(None)

    def _begin(self, plan: DrainPlan | None) -> None:
        self.plan, self.state, self.reason = plan, "starting", None
        self.goal: int | None = None
        self.link: Link | None = None
        self.moved = self.world.now
        self.stuck_since: float | None = None

    reason: str | None

    def view(self) -> DrainView | None:
        """Its last report."""
        if self.plan is None:
            return None
        cursor, drained = (None, 0) if self.link is None else (str(self.link.cursor), self.link.drained)
        quiet = self.world.now - self.moved
        return DrainView(self.plan.epoch, self.state, cursor, drained, quiet, self.reason, "")

    def kill(self) -> None:
        """SIGKILL: its parent starts another one, unless it has said how it ended."""
        if self.state not in ("finished", "failed"):
            self._begin(self.plan)

    def run(self, wanted: DrainPlan | None, shipping: bool) -> None:
        """One slice: follow the plan, then take a batch."""
        wanted = None if shipping else wanted
        if wanted != self.plan:
            self._begin(wanted)
            return
        if self.plan is None or self.state in ("finished", "failed"):
            return
        try:
            self._carry(self.plan)
        except Unreachable:
            self.reason = "TargetUnreachable"

    def _end(self, state: str, reason: str | None = None) -> None:
        self.state, self.reason, self.moved = state, reason, self.world.now

    def _carry(self, plan: DrainPlan) -> None:
        world = self.world
        target = world.database(self.name, plan.target)
        link = target.inbound
        if link is None or (link.epoch, link.phase) != (plan.epoch, "streaming"):
            self._end("failed", "Stale")
            return
        if link.drain_epoch != plan.epoch:
            link.drain_epoch, link.drained = plan.epoch, 0
        self.link = link
        if not (world.s3_up and world.reach(self.operator, "s3")):
            self._starve()
            return
        self.stuck_since, self.reason = None, None
        archived = world.archive.get(plan.archive_epoch)
        if archived is None or link.cursor < archived.begin:
            self._end("failed", "ArchiveMissing" if archived is None else "PositionNotInArchive")
            return
        self.goal = archived.end if self.goal is None else self.goal
        if target.access == "read-only":
            self.reason = "TargetReadOnly"
            return
        self._take(plan, archived, link, self.goal)

    def _starve(self) -> None:
        """A store that does not answer is asked again for a while."""
        now = self.world.now
        self.stuck_since = now if self.stuck_since is None else self.stuck_since
        self.reason = "ObjectStoreUnreachable"
        if now - self.stuck_since > STORE_PATIENCE:
            self._end("failed", self.reason)

    def _take(self, plan: DrainPlan, archived: Archived, link: Link, goal: int) -> None:
        world = self.world
        source, target = world.databases[archived.site], world.databases[plan.target]
        until = goal if archived.broken is None else min(goal, archived.broken)
        batch = source.log[link.cursor : min(until, link.cursor + BATCH)]
        taken = [entry for entry in batch if entry is not None]
        target.log.extend(taken)
        link.cursor += len(batch)
        link.drained += len(taken)
        self.state, self.moved = "draining", world.now
        if taken:
            world.note(f"{self.name}: {len(taken)} transactions out of the archive")
            world.check_prefix("drained", plan.target)
        if link.cursor >= until:
            world.goals[plan.epoch] = until
            self._end(*(("finished", None) if until == goal else ("failed", "ArchiveObjectAltered")))
