"""One operator process in the model: caches, probes, worker, heartbeat, lease and actions around the real machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from model import DR, Refused, Stored, Unreachable, World, copy_spec
from worker_model import Worker

from neo4j_dr_operator.failover.actions import (
    Action,
    Assess,
    Beat,
    Claim,
    Consume,
    LinkPlan,
    MakeReadOnly,
    MakeWritable,
    Promote,
    ReadPosition,
    TakeLease,
    WriteMark,
)
from neo4j_dr_operator.failover.lease import Watch, grant
from neo4j_dr_operator.failover.machine import decide
from neo4j_dr_operator.failover.report import conditions
from neo4j_dr_operator.failover.state import SITES, ControlState, Site, other
from neo4j_dr_operator.failover.view import (
    Access,
    Assessment,
    Claimed,
    Mark,
    Now,
    Reading,
    Seen,
    SiteView,
    WitnessView,
)
from neo4j_dr_operator.health.verdict import Probe, SiteHealth, Verdict

TERM = 6.0
INTERVAL = 2.0
FAILURES = 2
SILENCE = 3.0


@dataclass
class Sight:
    """What an operator has last seen of a site."""

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
        return SiteView(health.verdict, health.evidence, self.access, self.access_at, self.access_since, self.mark)


@dataclass
class Facts:
    """As executor.Facts."""

    readings: tuple[Reading, ...] = ()
    assessment: Assessment | None = None
    leased: int = 0
    lease_refused: str | None = None
    claimed: Claimed | None = None
    promoted: int = 0
    barrier: str | None = None
    beaten: int = 0
    failed: str | None = None


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


class Operator:
    """One process. `offset` makes its monotonic clock its own; everything here is forgotten at a restart."""

    def __init__(self, world: World, name: str, faulty: bool = True) -> None:
        """Started now."""
        self.world, self.name, self.faulty = world, name, faulty
        self.offset = world.rng.uniform(10, 1e5)
        self.cache: Stored | None = None
        self.sights: dict[Site, Sight] = {site: Sight() for site in SITES}
        self.facts = Facts()
        self.watch = Watch()
        self.next_keep = 0.0
        self.last_beat = float("-inf")
        self.holder: tuple[Site, int] | None = None
        self.plan: LinkPlan | None = None
        self.worker = Worker(world, f"worker-{name}")
        self.running: list[Running] = []
        self.not_before: dict[Action, float] = {}
        self.step: tuple[object, float] = (None, self.mono)

    @property
    def mono(self) -> float:
        """This process's own clock."""
        return self.world.now + self.offset

    # -- one tick ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Everything this process does in one slice of time."""
        self._watch_resource()
        for site in SITES:
            self._probe(site)
        self._finish_actions()
        self.worker.run(self.plan)
        self._beat()
        self._keep()
        for _ in range(8):
            if not self._reconcile():
                break

    def _watch_resource(self) -> None:
        world = self.world
        late = self.faulty and world.rng.random() < 0.2
        if self.cache is None or (not late and self.cache.version != world.stored.version):
            self._fetch()

    def _fetch(self) -> bool:
        if not (self.world.api_up and self.world.reach(self.name, "api")):
            return False
        self.cache = replace(self.world.stored, spec=copy_spec(self.world.stored.spec))
        return True

    def _probe(self, site: Site) -> None:
        sight, world = self.sights[site], self.world
        if self.mono < sight.next_probe:
            return
        sight.next_probe = self.mono + (1.0 if sight.health.verdict is Verdict.DOWN else INTERVAL)
        try:
            database = world.database(self.name, site)
        except Unreachable:
            sight.health = sight.health.after(Probe(world.now, False, False, "no answer"), FAILURES)
            return
        sight.health = sight.health.after(Probe(world.now, True, True, "answers"), FAILURES)
        sight.mark = database.mark()
        sight.saw(database.access, self.mono)

    # -- heartbeat and lease -----------------------------------------------------------------------------------------

    def _beat(self) -> None:
        if self.holder is None:
            return
        site, epoch = self.holder
        for who in (self.name, self.worker.name):
            if who == self.worker.name and not self.worker.beats(site):
                continue
            try:
                database = self.world.database(who, site)
                if (database.role, database.epoch) == ("primary", epoch):
                    database.commit(None)
                    self.last_beat = self.mono
                    return
            except (Unreachable, Refused):
                continue

    def _keep(self) -> None:
        if not self.world.witness_wanted or self.mono < self.next_keep:
            return
        self.next_keep = self.mono + TERM / 3
        self._refresh()
        record = self.watch.record
        fresh = self.mono - self.last_beat <= TERM / 3 + 1.0
        if self.holder is None or not fresh or not self.watch.reachable:
            return
        site, epoch = self.holder
        if record is not None and record.epoch > epoch:
            return
        if record is not None and (record.holder, record.epoch) == (site, epoch):
            self._put(record.renewed(TERM, self.name, ""))
        else:
            wanted = grant(record, self.watch.expired(), DR, site, epoch, TERM, record is None or record.epoch < epoch)
            if not isinstance(wanted, str):
                self._put(wanted)

    def _s3(self) -> bool:
        return self.world.s3_up and self.world.reach(self.name, "s3")

    def _refresh(self) -> None:
        if self._s3():
            self.watch = self.watch.read(self.world.lease, "", self.mono, self.mono)
        else:
            self.watch = self.watch.failed("timed out")

    def _put(self, record: object) -> None:
        """Compare-and-set; the answer may get lost, then the watch says so."""
        self.world.lease = record  # type: ignore[assignment]
        self.watch = self.watch.read(self.world.lease, "", self.mono, self.mono)

    # -- reconcile ---------------------------------------------------------------------------------------------------

    def _seen(self) -> Seen:
        facts, record = self.facts, self.watch.record
        witness = WitnessView(
            self.watch.reachable,
            self.watch.message,
            record.epoch if record else 0,
            record.holder if record else None,
            self.watch.expired(),
        )
        return Seen(
            sites={site: sight.view() for site, sight in self.sights.items()},
            link=self.worker.view(),
            witness=witness if self.world.witness_wanted else None,
            **vars(facts),
        )

    def _reconcile(self) -> bool:
        if self.cache is None:
            return False
        world, state = self.world, self.cache.control
        operation = state.operation
        key = (operation.epoch, operation.step) if operation else None
        if key != self.step[0]:
            self.step = (key, self.mono)
            self.facts.failed = self.facts.lease_refused = None
        desired = self.cache.spec.desired(world.automatic, world.witness_wanted)
        seen = self._seen()
        decision = decide(state, desired, seen, Now(world.now + 1.7e9, self.mono, self.step[1]), DR, SILENCE)
        claims = {claim.type: claim.status for claim in conditions(decision.state, desired, seen, decision.why)}
        synced, complete = claims["ReplicationSynced"], claims["SyncComplete"]
        if decision.state != state or (synced, complete) != (self.cache.synced, self.cache.sync_complete):
            if decision.state != state:
                world.note(f"{self.name}: {decision.why}")
            return self._store(decision.state, synced, complete) and decision.state != state
        self.holder = (decision.holder, state.epoch) if decision.holder else None
        self.plan = decision.link
        self._start(decision.actions)
        return False

    def _store(self, control: ControlState, synced: str, complete: str) -> bool:
        """Optimistic locking: only over the version that was looked at. A lost answer is found out by looking again."""
        world, cache = self.world, self.cache
        assert cache is not None
        if not (world.api_up and world.reach(self.name, "api")):
            return False
        if world.stored.version != cache.version:
            self._fetch()
            return True
        stored = world.stored
        world.stored = replace(
            stored, version=stored.version + 1, control=control, synced=synced, sync_complete=complete
        )
        watch_stored(world, self, stored, world.stored)
        if self.faulty and world.rng.random() < 0.02:
            return False
        self._fetch()
        return True

    # -- actions -----------------------------------------------------------------------------------------------------

    def _start(self, actions: tuple[Action, ...]) -> None:
        world, under_way = self.world, [running.action for running in self.running]
        for action in actions:
            if action in under_way or self.not_before.get(action, 0.0) > self.mono:
                continue
            slow = self.faulty and world.rng.random() < 0.1
            lands = world.now + (world.rng.uniform(0, 6) if slow else 0.0)
            answered = lands + (world.rng.uniform(0, 3) if slow else 0.0)
            self.running.append(Running(action, lands, answered, self.faulty and world.rng.random() < 0.05))
        self._finish_actions()

    def _finish_actions(self) -> None:
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

    def _answer(self, running: Running) -> None:
        error = "DatabaseUnreachable: the answer was lost" if running.lost else running.error
        if error is not None:
            self.facts.failed = error
            self.not_before[running.action] = self.mono + 0.3
            return
        facts, result, action = self.facts, running.result, running.action
        match action:
            case MakeReadOnly(site=site) | MakeWritable(site=site):
                access, at, changed = result  # type: ignore[misc]
                self.sights[site].saw(access, at, changed)
            case ReadPosition():
                assert isinstance(result, Reading)
                facts.readings = (*facts.readings, result)[-8:]
                if action.final:
                    self.sights[action.site].saw("read-only", result.at)
            case TakeLease():
                known = self.watch.record.epoch if self.watch.record else 0
                if result is None:
                    facts.leased = action.epoch
                elif known < action.epoch and not action.force:
                    # Held as far as this process has watched: after a restart a whole term must be watched again.
                    facts.failed = str(result)
                    self.not_before[action] = self.mono + 0.3
                else:
                    facts.lease_refused = str(result)
            case Claim():
                facts.claimed = result  # type: ignore[assignment]
            case Promote():
                facts.promoted, facts.barrier = action.epoch, str(result)
                self.sights[action.target].next_probe = 0.0
            case Assess():
                facts.assessment = result  # type: ignore[assignment]
            case Beat():
                facts.beaten = action.epoch
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
                link = world.database(self.name, target).inbound
                if link is None or link.epoch > action.epoch or link.phase != "streaming":
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
        if not self._s3():
            raise Unreachable("ObjectStoreUnreachable")
        self._refresh()
        record = self.watch.record
        if record is not None and (record.holder, record.epoch) == (action.site, action.epoch):
            return None
        wanted = grant(record, self.watch.expired(), DR, action.site, action.epoch, TERM, action.force)
        if isinstance(wanted, str):
            return wanted
        self._put(wanted)
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
        watch_promotion(world, self, action)
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
        elif action.field == "readOnly" and action.site is not None:
            spec.read_only[action.site] = False
        world.stored = replace(world.stored, version=world.stored.version + 1)


def watch_stored(world: World, operator: Operator, before: Stored, after: Stored) -> None:
    """What must hold at every stored state."""
    from invariants import stored as check

    check(world, operator.name, before, after)


def watch_promotion(world: World, operator: Operator, action: Promote) -> None:
    """What must hold at every promotion."""
    from invariants import promoted as check

    check(world, operator.name, action)
