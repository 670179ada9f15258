"""Schedules: faults, users and time around operators, all from one seed; and the wait for rest after the faults."""

from __future__ import annotations

from collections.abc import Iterator

from invariants import each_tick
from model import World, new_world
from operator_model import Operator

from neo4j_dr_operator.failover.requests import read_only_wanted
from neo4j_dr_operator.failover.state import SITES, Site, other
from neo4j_dr_operator.failover.view import Requested, RestoreMark

SLICE = 0.5
CHAOS = 60.0
REST = 400.0
"""Seconds after the last fault within which everything must have come to rest."""

Script = Iterator[None]


class Run:
    """One world with its operators and users, moved on in slices of time."""

    def __init__(self, world: World, faulty: bool = True) -> None:
        """One operator, nobody asks for anything yet."""
        self.world, self.faulty = world, faulty
        self.operators = [Operator(world, "operator-1", faulty)]
        self.scripts: list[Script] = []
        self.restarts: list[tuple[float, Site]] = []
        self.deaths: list[tuple[float, Site]] = []
        self.next_git = 0.0

    def slice(self) -> None:
        """Half a second."""
        world = self.world
        world.now += SLICE
        world.heal()
        for at, site in [due for due in self.restarts if due[0] <= world.now]:
            self.restarts.remove((at, site))
            world.databases[site].start(world.now)
            world.note(f"{site} is back")
        for at, site in [due for due in self.deaths if due[0] <= world.now]:
            self.deaths.remove((at, site))
            self.kill(site, 25.0)
        if world.now >= self.next_git:
            self.next_git = world.now + 5.0
            spec = world.stored.spec
            before = (spec.target, spec.sync)
            spec.reapply()
            if before != (spec.target, spec.sync):
                world.stored.version += 1
        self.scripts = [script for script in self.scripts if next(script, self) is not self]
        for operator in self.operators:
            operator.tick()
        for writer in world.writers:
            writer.write(world)
        each_tick(world)

    def until(self, condition: object, limit: float) -> bool:
        """Go on until a condition holds; False when it does not within `limit` seconds."""
        end = self.world.now + limit
        while not condition():  # type: ignore[operator]
            if self.world.now > end or self.world.violations:
                return False
            self.slice()
        return True

    def kill(self, site: Site, seconds: float) -> None:
        """SIGKILL a database, started again after a while."""
        database = self.world.databases[site]
        if database.alive:
            database.kill()
            self.world.note(f"{site} is killed")
            self.restarts.append((self.world.now + seconds, site))

    # -- users ------------------------------------------------------------------------------------------------------

    def _patch(self, **fields: object) -> None:
        spec, world = self.world.stored.spec, self.world
        for name, value in fields.items():
            setattr(spec, name, value)
        world.stored.version += 1

    def ask(self, target: Site, emergency: bool = False) -> None:
        """`kubectl patch` of `failover.target`: an identical value changes nothing."""
        world, spec = self.world, self.world.stored.spec
        wanted = Requested(target, "patch", emergency)
        if spec.target is not None and spec.target.value == target and spec.target.owner == "declared":
            return
        if spec.target != wanted:
            world.requested += 1
            world.note(f"user: target {target}{' (emergency)' if emergency else ''}")
            self._patch(target=wanted)

    def planned(self, target: Site, patience: float = 60.0) -> Script:
        """The guide's lines of a planned failover."""
        world = self.world
        world.note(f"user: readOnly on {other(target)}")
        world.stored.spec.read_only[other(target)] = True
        self._patch()
        end = world.now + patience
        while world.stored.synced != "True" and world.now < end:
            yield
        self.ask(target)

    def failback(self, target: Site, patience: float = 60.0) -> Script:
        """The guide's lines of a failback."""
        world, direction = self.world, "reverse" if target == "primary" else "forward"
        world.note(f"user: sync {direction}")
        self._patch(sync=Requested(direction, "patch"))
        end = world.now + patience
        while world.stored.sync_complete != "True" and world.now < end:
            yield
        self.ask(target)

    def urgent(self, target: Site) -> Script:
        """The guide's line of an emergency failover."""
        self.ask(target, emergency=True)
        yield

    def open_again(self) -> Script:
        """Somebody takes every readOnly away."""
        self.world.stored.spec.read_only = {}
        self._patch()
        yield

    def restore(self, site: Site, operator: Operator, slices: int, hold: bool) -> Script:
        """A restore into a site, with or without the operator's knowledge: it is emptied, then holds an old state.

        Refused, as by the engine, where the site is marked as primary or read-only.
        """
        world, database = self.world, self.world.databases[site]
        name = f"production/back/{len(world.trace)}-{world.now}"
        if hold:
            operator.held[site] = name
            for _ in range(world.rng.randrange(6)):
                yield
        if database.alive and database.role == "standby" and database.access == "read-write" and not database.note:
            world.note(f"restore {name} takes {site}")
            old = list(database.content)
            database.note, database.inbound, database.log = RestoreMark(name, False), None, []
            database.taken_at = world.now
            for _ in range(slices):
                yield
            if database.alive and database.note is not None and database.note.name == name:
                database.log = list(old[: world.rng.randint(0, len(old))])
                database.note = RestoreMark(name, True)
                world.restored += 1
        operator.held.pop(site, None)

    def resume(self) -> None:
        """The printed line, typed when it is told; not again before it was seen to have been taken out of the spec."""
        spec, control = self.world.stored.spec, self.world.stored.control
        if control.standby == "restored" and spec.reseed is None and control.handled.reseed == "":
            self.world.note(f"user: reseed {control.standby_site}")
            self._patch(reseed=Requested(control.standby_site, "patch"))

    # -- rest -------------------------------------------------------------------------------------------------------

    def unrest(self) -> str | None:
        """What is missing until everything is as it should be, or None."""
        world, control = self.world, self.world.stored.control
        desired = world.stored.spec.desired(world.automatic, world.witness_wanted)
        active, standby = world.databases[control.active], world.databases[control.standby_site]
        if control.epoch == 0 or control.operation is not None:
            return f"epoch {control.epoch}, operation {control.operation and control.operation.step}"
        closed = read_only_wanted(control, desired, control.active)
        if (active.access == "read-only") != closed:
            return f"the active site is {active.access}"
        if (active.role, active.epoch) != ("primary", control.epoch) and not closed:
            return f"the active site is marked {active.role} at {active.epoch} of {control.epoch}"
        if desired.target is not None and desired.target.owner == "patch":
            return "the target stands in the spec"
        if world.witness_wanted and not closed:
            lease = world.lease
            if lease is None or (lease.holder, lease.epoch) != (control.active, control.epoch):
                return f"the lease is {lease}"
        if control.standby == "diverged":
            return None if standby.access == "read-only" else "a diverged site takes writes"
        link = standby.inbound
        if control.standby != "following" or link is None or (link.phase, link.epoch) != ("streaming", control.epoch):
            return f"the standby is {control.standby}: {link}"
        return None if standby.content == active.content else "the standby is behind"

    def _calm(self) -> bool:
        self.resume()
        return self.unrest() is None

    def settle(self) -> str | None:
        """Faults end, people wait: None once everything is at rest, else what is missing."""
        world = self.world
        world.api_up = world.s3_up = True
        world.heal(everything=True)
        for site in SITES:
            if not world.databases[site].alive:
                world.databases[site].start(world.now)
        self.restarts, self.scripts, self.deaths = [], [], []
        for writer in world.writers:
            writer.paused = True
        for operator in self.operators:
            operator.faulty = False
            operator.held.clear()  # a restore that has not ended by now is given up
        if self.until(self._calm, REST):
            return None
        return self.unrest()


def chaos(seed: int) -> Run:
    """A seeded schedule from new databases through faults to rest. Violations are in `run.world`."""
    world = new_world(seed)
    rng = world.rng
    world.automatic, world.witness_wanted = rng.random() < 0.85, rng.random() < 0.9
    world.shipping = rng.random() < 0.6
    world.restoring = rng.random() < 0.3
    if rng.random() < 0.15:
        world.stored.spec.git_target = rng.choice(SITES)
        world.stored.spec.git_sync = rng.choice((None, "forward", "reverse"))
    run = Run(world)
    if rng.random() < 0.35:
        run.operators.append(Operator(world, "operator-2"))
    run.until(lambda: world.stored.control.standby == "following", 60.0)
    end, weight = world.now + CHAOS, rng.uniform(0.01, 0.12)
    while world.now < end and not world.violations:
        if rng.random() < weight:
            fault(run)
        if rng.random() < 0.02 and len(run.scripts) < 2:
            user(run)
        run.slice()
    world.note("faults end")
    missing = None if world.violations else run.settle()
    if missing is not None and not world.violations:
        world.fail(f"no rest {REST:.0f} s after the last fault: {missing}")
    return run


def fault(run: Run) -> None:
    """One random fault."""
    world, rng = run.world, run.world.rng
    site, operator = rng.choice(SITES), rng.choice(run.operators)
    seconds = rng.choice((1.0, 4.0, 10.0, 25.0))
    kinds = ("kill", "kill", "own", "worker", "both", "s3", "api", "crash", "witness", "my-api", "stuck")
    if world.shipping:
        kinds += ("shipper", "drain", "behind", "behind", "altered")
    if world.restoring:
        kinds += ("restore", "restore", "restore", "restore", "resume", "resume", "resume")
    kind = rng.choice(kinds)
    world.note(f"fault: {kind} {site} {operator.name} {seconds}")
    match kind:
        case "kill":
            run.kill(site, seconds)
        case "own":
            world.cut(operator.name, site, world.now + seconds)
        case "worker":
            world.cut(f"worker-{operator.name}", site, world.now + seconds)
        case "both":
            for one in run.operators:
                world.cut(one.name, site, world.now + seconds)
                world.cut(f"worker-{one.name}", site, world.now + seconds)
        case "s3":
            for one in run.operators:
                world.cut(one.name, "s3", world.now + seconds)
        case "witness":
            world.cut(operator.name, "s3", world.now + seconds)
        case "api":
            for one in run.operators:
                world.cut(one.name, "api", world.now + seconds)
        case "my-api":
            world.cut(operator.name, "api", world.now + seconds)
        case "stuck":
            operator.worker.stuck_until = world.now + seconds
        case "shipper":
            world.cut(operator.shipper.name, site, world.now + seconds)
        case "drain":
            operator.drain.kill()
        case "altered":
            for archived in world.archive.values():
                if archived.broken is None and archived.end > archived.begin:
                    archived.broken = rng.randint(archived.begin, archived.end)
        case "behind":  # the archive gets ahead of the standby, then the primary dies
            operator.worker.stuck_until = world.now + seconds
            run.deaths.append((world.now + seconds / 2, world.stored.control.active))
        case "restore":
            run.scripts.append(
                run.restore(world.stored.control.standby_site, operator, rng.choice((0, 3, 20, 60)), rng.random() < 0.6)
            )
        case "resume":
            run.resume()
        case "crash":
            run.operators[run.operators.index(operator)] = Operator(world, operator.name)


def user(run: Run) -> None:
    """One random request."""
    target: Site = (
        other(run.world.stored.control.active) if run.world.rng.random() < 0.85 else run.world.rng.choice(SITES)
    )
    make = run.world.rng.choice((run.planned, run.planned, run.failback, run.urgent, run.open_again))
    run.scripts.append(make() if make == run.open_again else make(target))  # type: ignore[call-arg, arg-type]
