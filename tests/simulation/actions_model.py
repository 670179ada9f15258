"""Actions in the model: slow, late or lost on the way, with the effects that the executor's statements have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from invariants import promoted
from model import DR, Refused, Stored, Unreachable, World

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
from neo4j_dr_operator.failover.lease import Watch, WitnessRecord, grant
from neo4j_dr_operator.failover.state import Site, other
from neo4j_dr_operator.failover.view import Access, Assessment, Claimed, Mark, Reading, Results, SiteView, Survey
from neo4j_dr_operator.health.verdict import SiteHealth

TERM = 6.0


@dataclass
class Sight:
    """What an operator has last seen of a site."""

    site: Site
    health: SiteHealth = field(default_factory=SiteHealth)
    access: Access | None = None
    access_at: float = float("-inf")
    access_since: float = float("-inf")
    mark: Mark | None = None
    next_probe: float = 0.0

    def saw(self, access: Access, at: float, changed: bool = False) -> None:
        """As SiteRuntime.saw."""
        if changed or access != self.access:
            self.access_since = at
        self.access, self.access_at = access, max(at, self.access_at)

    def view(self) -> SiteView:
        """What the machine is told."""
        health = self.health
        absent = self.mark is not None and self.mark.role == "absent"
        survey = Survey(self.site, empty=self.site == "secondary", capture=True) if absent else None
        return SiteView(
            health.verdict, health.evidence, self.access, self.access_at, self.access_since, self.mark, survey
        )


@dataclass
class Running:
    """An action on its way: when it takes effect, when its result is known, and whether that answer gets lost."""

    action: Action
    lands: float
    answered: float
    lost: bool
    done: bool = False
    error: str | None = None
    result: object = None


class Acting:
    """The part of an operator that carries out actions and keeps what they found."""

    world: World
    name: str
    faulty: bool
    offset: float
    cache: Stored | None
    sights: dict[Site, Sight]
    results: Results
    watch: Watch
    running: list[Running]
    not_before: dict[Action, float]

    @property
    def mono(self) -> float:
        """This process's own clock."""
        return self.world.now + self.offset

    def s3(self) -> bool:
        """Whether the witness can be reached."""
        return self.world.s3_up and self.world.reach(self.name, "s3")

    def refresh(self) -> None:
        """Read the witness."""
        if self.s3():
            self.watch = self.watch.read(self.world.lease, "", self.mono, self.mono)
        else:
            self.watch = self.watch.failed("timed out")

    def put(self, record: WitnessRecord) -> None:
        """Compare-and-set, in one slice with the read before it."""
        self.world.lease = record
        self.watch = self.watch.read(record, "", self.mono, self.mono)

    def start(self, actions: tuple[Action, ...]) -> None:
        world, under_way = self.world, [running.action for running in self.running]
        for action in actions:
            if action in under_way or self.not_before.get(action, 0.0) > self.mono:
                continue
            slow = self.faulty and world.rng.random() < 0.1
            lands = world.now + (world.rng.uniform(0, 6) if slow else 0.0)
            answered = lands + (world.rng.uniform(0, 3) if slow else 0.0)
            self.running.append(Running(action, lands, answered, self.faulty and world.rng.random() < 0.05))
        self.finish_actions()

    def finish_actions(self) -> None:
        now, left = self.world.now, []
        for running in self.running:
            if not running.done and running.lands <= now:
                self._land(running)
            if running.done and running.answered <= now:
                self._answer(running)
            else:
                left.append(running)
        self.running = left

    def _land(self, running: Running) -> None:
        running.done = True
        try:
            running.result = self._do(running.action)
        except (Unreachable, Refused) as error:
            running.error = str(error)

    def found(self, **results: Any) -> None:
        """As the executor's."""
        self.results = replace(self.results, **results)

    def _answer(self, running: Running) -> None:
        error = "DatabaseUnreachable: the answer was lost" if running.lost else running.error
        if error is not None:
            self.found(failed=error)
            self.not_before[running.action] = self.mono + 0.3
            return
        result, action = running.result, running.action
        match action:
            case MakeReadOnly(site=site) | MakeWritable(site=site):
                access, at, changed = result  # type: ignore[misc]
                self.sights[site].saw(access, at, changed)
            case ReadPosition():
                assert isinstance(result, Reading)
                self.results = self.results.read(result)
                if action.final:
                    self.sights[action.site].saw("read-only", result.at)
            case TakeLease():
                known = self.watch.record.epoch if self.watch.record else 0
                if result is None:
                    self.found(leased=action.epoch)
                elif known < action.epoch and not action.force:
                    # Held as far as this process has watched: after a restart a whole term must be watched again.
                    self.found(failed=str(result))
                    self.not_before[action] = self.mono + 0.3
                else:
                    self.found(lease_refused=str(result))
            case Claim():
                self.found(claimed=result)
            case Promote():
                self.found(promoted=action.epoch, barrier=str(result))
                self.sights[action.target].next_probe = 0.0
            case Assess():
                self.found(assessment=result)
            case Beat():
                self.found(beaten=action.epoch)
            case WriteMark(site=site):
                self.sights[site].next_probe = 0.0
            case Consume():
                return

    def _do(self, action: Action) -> object:
        world = self.world
        match action:
            case MakeReadOnly(site=site):
                database = world.database(self.name, site)
                return "read-only", self.mono, database.set_access("read-only", world.now)
            case MakeWritable(site=site):
                return self._open(site)
            case ReadPosition(site=site):
                database = world.database(self.name, site)
                if action.final:
                    self._look(site, "FenceBroken: not read-only")
                return Reading(site, action.epoch, str(len(database.log)), len(database.log), self.mono, action.final)
            case WriteMark(site=site):
                database = world.database(self.name, site)
                if database.epoch > action.epoch:
                    raise Refused("Stale: a higher epoch is known")
                database.commit(None)
                database.role, database.epoch = action.role, action.epoch
            case TakeLease():
                return self._take(action)
            case Claim(source=source, target=target):
                link, phases = world.database(self.name, target).inbound, {"streaming"}
                if action.filling:
                    phases |= {"seeding"}
                if link is None or link.epoch > action.epoch or link.phase not in phases:
                    raise Refused(f"Stale: the link {source}>{target} cannot be claimed")
                link.epoch = action.epoch
                return Claimed(action.epoch, str(link.cursor), link.cursor)
            case Promote():
                return self._promote(action)
            case Assess(site=site):
                return self._assess(site, action.epoch)
            case Beat(site=site):
                database = world.database(self.name, site)
                if (database.role, database.epoch) != ("primary", action.epoch):
                    raise Refused("QueryFailed: it is not the primary")
                database.commit(None)
            case Consume():
                self._consume(action)
        return None

    def _open(self, site: Site) -> object:
        """The executor looks at the stored state first: an old copy must not open what a newer one has fenced."""
        cache, stored = self.cache, self.world.stored
        if not (self.world.api_up and self.world.reach(self.name, "api")):
            raise Unreachable("KubernetesUnreachable: the state cannot be confirmed")
        if cache is None or cache.control != stored.control or site not in stored.control.restricted:
            raise Refused("Superseded: the state has moved")
        database = self.world.database(self.name, site)
        return "read-write", self.mono, database.set_access("read-write", self.world.now)

    def _look(self, site: Site, error: str) -> None:
        database = self.world.database(self.name, site)
        self.sights[site].saw(database.access, self.mono)
        if database.access != "read-only":
            raise Refused(error)

    def _take(self, action: TakeLease) -> str | None:
        if not self.s3():
            raise Unreachable("ObjectStoreUnreachable")
        self.refresh()
        record = self.watch.record
        if record is not None and (record.holder, record.epoch) == (action.site, action.epoch):
            return None
        wanted = grant(record, self.watch.expired(), DR, action.site, action.epoch, TERM, action.force)
        if isinstance(wanted, str):
            return wanted
        self.put(wanted)
        return None

    def _promote(self, action: Promote) -> int:
        world = self.world
        target = world.database(self.name, action.target)
        if action.guard is not None:
            source = world.database(self.name, action.source)
            self._look(action.source, "FenceBroken: not read-only")
            if any(entry is not None for entry in source.log[int(action.guard) :]):
                raise Refused("FenceBroken: transactions came after the final position")
        if (target.role, target.epoch) == ("primary", action.epoch) and target.barrier is not None:
            return target.barrier
        link = target.inbound
        if link is None or (link.epoch, link.phase) != (action.epoch, "streaming") or target.epoch >= action.epoch:
            raise Refused("Stale: the link or the database is at another epoch")
        target.commit(None)
        link.phase = "frozen"
        target.role, target.epoch, target.barrier = "primary", action.epoch, len(target.log)
        promoted(world, self.name, action)
        return target.barrier

    def _assess(self, site: Site, epoch: int) -> Assessment:
        self._look(site, "FenceBroken: not read-only")
        link = self.world.database(self.name, other(site)).inbound
        if link is None or link.phase != "frozen":
            return Assessment(site, epoch, lost="the active site holds no frozen link")
        beyond = [entry for entry in self.world.databases[site].log[link.cursor :] if entry is not None]
        return Assessment(site, epoch, len(beyond), float(len(beyond)))

    def _consume(self, action: Consume) -> None:
        world, spec = self.world, self.world.stored.spec
        if not (world.api_up and world.reach(self.name, "api")):
            raise Unreachable("KubernetesUnreachable")
        if action.field == "target" and spec.target is not None and spec.target.value == action.value:
            spec.target = None
        elif action.field == "sync" and spec.sync is not None and spec.sync.value == action.value:
            spec.sync = None
        elif action.field == "reseed" and spec.reseed is not None and spec.reseed.value == action.value:
            spec.reseed = None
        elif action.field == "readOnly" and action.site is not None:
            spec.read_only[action.site] = False
        world.stored = replace(world.stored, version=world.stored.version + 1)
