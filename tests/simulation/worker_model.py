"""The link worker in the model: attaches, seeds, hands over, applies; fenced by the link node in its target."""

from __future__ import annotations

from model import Database, Link, Unreachable, World

from neo4j_dr_operator.failover.actions import LinkPlan
from neo4j_dr_operator.failover.view import LinkView

BATCH = 40


class Worker:
    """One worker process at a time, for the plan it was started with."""

    def __init__(self, world: World, name: str) -> None:
        """Nothing runs yet."""
        self.world, self.name = world, name
        self.plan: LinkPlan | None = None
        self.state, self.reason = "starting", None
        self.cursor = -1
        self.reseeded: str | None = None
        self.read_at: float | None = None
        self.stuck_until = 0.0

    def view(self) -> LinkView | None:
        """Its last report."""
        plan = self.plan
        if plan is None:
            return None
        age = None if self.read_at is None else self.world.now - self.read_at
        return LinkView(
            plan.source,
            plan.target,
            plan.epoch,
            self.state,
            str(self.cursor),
            self.cursor,
            age,
            self.reason,
            "",
            reseed=self.reseeded,
            compared=self.state == "streaming",
        )

    def beats(self, site: str) -> bool:
        """Whether a heartbeat for this site can be written through this worker."""
        return self.plan is not None and self.plan.source == site and self.world.now >= self.stuck_until

    def run(self, wanted: LinkPlan | None) -> None:
        """One slice: follow the plan, then do a batch."""
        if wanted != self.plan:
            self.plan, self.state, self.reason, self.cursor, self.read_at = wanted, "starting", None, -1, None
            return
        plan = self.plan
        if plan is None:
            return
        if self.world.now < self.stuck_until:
            self.state, self.reason, self.read_at = "starting", None, None
            return
        if self.state == "failed":
            self.state, self.reason, self.read_at = "starting", None, None
            return
        try:
            self._carry(plan)
        except Unreachable as error:
            self.reason = "SourceUnreachable" if str(error).endswith(plan.source) else "TargetUnreachable"

    def _fail(self, reason: str) -> None:
        self.state, self.reason = "failed", reason

    def _carry(self, plan: LinkPlan) -> None:
        target = self.world.database(self.name, plan.target)
        source = self.world.database(self.name, plan.source)
        self.read_at, self.reason = self.world.now, None
        note = target.note
        if note is not None and note.name != plan.supersedes:
            self._fail("Restored" if note.complete else "RestoreUnderWay")
            return
        if note is not None:
            self._resume(plan, source, target)
            return
        link = target.inbound
        if plan.origin == "handover" and (
            link is None or link.epoch < plan.epoch or (link.epoch == plan.epoch and link.phase == "handover")
        ):
            link = self._hand_over(plan, source, target)
        elif link is None and plan.origin == "seed":
            link = self._seed(plan, source, target)
        if link is None:
            if self.state != "failed":
                self._fail("LinkMissing")
            return
        if link.epoch == plan.epoch and link.phase == "seeding":
            link.phase = "streaming"
        if link.epoch != plan.epoch or link.phase != "streaming":
            self._fail("Stale")
            return
        self.reseeded = link.reseed
        self._apply(plan, source, target, link)

    def _seed(self, plan: LinkPlan, source: Database, target: Database) -> Link | None:
        if target.content:
            self._fail("TargetNotEmpty")
            return None
        if target.access == "read-only":
            self._fail("ReadOnlyRefused")
            return None
        target.log.extend(source.content)
        target.inbound = Link("streaming", plan.epoch, len(source.log))
        return target.inbound

    def _resume(self, plan: LinkPlan, source: Database, target: Database) -> None:
        """Fill the target anew over what a restore has put there, whose say that ends."""
        if target.access == "read-only":
            self._fail("ReadOnlyRefused")
            return
        target.note = None
        target.log = list(source.content)
        target.inbound = Link("seeding", plan.epoch, len(source.log), reseed=plan.reseed)
        self.state, self.reseeded = "reseeding", plan.reseed

    def _hand_over(self, plan: LinkPlan, source: Database, target: Database) -> Link | None:
        frozen = source.inbound
        if frozen is None or (frozen.phase, frozen.epoch) != ("frozen", plan.epoch):
            self._fail("Stale")
            return None
        if target.access == "read-only":
            self._fail("ReadOnlyRefused")
            return None
        assert source.barrier is not None
        at_barrier = [entry for entry in source.log[: source.barrier] if entry is not None]
        if target.content != at_barrier:
            self.world.fail(f"a link is laid over {plan.target}, which is not what {plan.source} was at its barrier")
        target.inbound = Link("streaming", plan.epoch, source.barrier)
        return target.inbound

    def _apply(self, plan: LinkPlan, source: Database, target: Database, link: Link) -> None:
        batch = source.log[link.cursor : link.cursor + BATCH]
        changes = [entry for entry in batch if entry is not None]
        if changes and target.access == "read-only":
            self._fail("ReadOnlyRefused")
            return
        target.log.extend(changes)
        link.cursor += len(batch)
        self.state, self.cursor = "streaming", link.cursor
        if changes:
            self.world.check_prefix("applied", plan.target)
