"""One operator process in the model: probes, worker, heartbeat, lease and reconciling around the real machine."""

from __future__ import annotations

from dataclasses import replace

from actions_model import TERM, Acting, Running, Sight
from archive_model import Drain, Shipper
from invariants import stored as stored_is_sound
from model import DR, Refused, Stored, Unreachable, World, copy_spec
from worker_model import Worker

from neo4j_dr_operator.failover.actions import Action, DrainPlan, LinkPlan
from neo4j_dr_operator.failover.lease import Watch, grant
from neo4j_dr_operator.failover.machine import decide
from neo4j_dr_operator.failover.state import SITES, ControlState, Site
from neo4j_dr_operator.failover.view import Now, Results, Seen, WitnessView
from neo4j_dr_operator.health.verdict import Probe, Verdict
from neo4j_dr_operator.reporting.objectives import Objectives, ShipPlan, ship_plan
from neo4j_dr_operator.reporting.report import conditions
from neo4j_dr_operator.reporting.statuses import without_nulls

INTERVAL = 2.0
FAILURES = 2
SILENCE = 3.0


class Operator(Acting):
    """One process. `offset` makes its monotonic clock its own; everything here is forgotten at a restart."""

    def __init__(self, world: World, name: str, faulty: bool = True) -> None:
        """Started now."""
        self.world, self.name, self.faulty = world, name, faulty
        self.offset = world.rng.uniform(10, 1e5)
        self.cache: Stored | None = None
        self.sights: dict[Site, Sight] = {site: Sight(site) for site in SITES}
        self.results = Results()
        self.watch = Watch()
        self.next_keep = 0.0
        self.last_beat = float("-inf")
        self.holder: tuple[Site, int] | None = None
        self.plan: LinkPlan | None = None
        self.worker = Worker(world, f"worker-{name}")
        self.shipper, self.drain = Shipper(world, name), Drain(world, name)
        self.shipped: ShipPlan | None = None
        self.drained: DrainPlan | None = None
        self.running: list[Running] = []
        self.not_before: dict[Action, float] = {}
        self.held: dict[Site, str] = {}
        self.step: tuple[object, float] = (None, self.mono)

    # -- one tick ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Everything this process does in one slice of time."""
        self._watch_resource()
        for site in SITES:
            self._probe(site)
        self.finish_actions()
        self.worker.run(self.plan)
        self.shipper.run(self.shipped)
        self.drain.run(self.drained, self.shipper.plan is not None)
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
        self.refresh()
        record = self.watch.record
        fresh = self.mono - self.last_beat <= TERM / 3 + 1.0
        if self.holder is None or not fresh or not self.watch.reachable:
            return
        site, epoch = self.holder
        if record is not None and record.epoch > epoch:
            return
        if record is not None and (record.holder, record.epoch) == (site, epoch):
            self.put(record.renewed(TERM, self.name, ""))
        else:
            wanted = grant(record, self.watch.expired(), DR, site, epoch, TERM, record is None or record.epoch < epoch)
            if not isinstance(wanted, str):
                self.put(wanted)

    # -- reconcile ---------------------------------------------------------------------------------------------------

    def _seen(self) -> Seen:
        record = self.watch.record
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
            drain=self.drain.view(),
            witness=witness if self.world.witness_wanted else None,
            held=dict(self.held),
            results=self.results,
        )

    def _reconcile(self) -> bool:
        if self.cache is None:
            return False
        world, state = self.world, self.cache.control
        operation = state.operation
        key = (operation.epoch, operation.step) if operation else None
        if key != self.step[0]:
            self.step = (key, self.mono)
            self.results = self.results.in_a_new_step()
        asked = self.cache.spec.desired(world.automatic, world.witness_wanted)
        desired = replace(asked, archive=world.shipping, unmet=world.unmet)
        seen = self._seen()
        decision = decide(state, desired, seen, Now(world.now + 1.7e9, self.mono, self.step[1]), DR, SILENCE)
        made = conditions(decision.state, desired, seen, decision.why, Objectives())
        claims = {claim.type: claim.status for claim in made}
        synced, complete = claims["ReplicationSynced"], claims["SyncComplete"]
        if decision.state != state or (synced, complete) != (self.cache.synced, self.cache.sync_complete):
            if decision.state != state:
                world.note(f"{self.name}: {decision.why}")
            return self._store(decision.state, synced, complete) and decision.state != state
        self.holder = (decision.holder, state.epoch) if decision.holder else None
        self.plan, self.drained = decision.link, decision.drain
        self.shipped = ship_plan(decision.state) if world.shipping else None
        self.start(decision.actions)
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
        if world.rng.random() < 0.05:
            kept = ControlState.model_validate(without_nulls(control.model_dump(mode="json", by_alias=True)))
            if kept != control:
                world.fail("a state is another one after it has been stored")
        world.stored = replace(
            stored, version=stored.version + 1, control=control, synced=synced, sync_complete=complete
        )
        stored_is_sound(world, self.name, stored, world.stored)
        if self.faulty and world.rng.random() < 0.02:
            return False
        self._fetch()
        return True
