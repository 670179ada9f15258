"""The world the machine acts on, as a model: databases, witness, API server, network, clients. Virtual time, no I/O."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from neo4j_dr_operator.failover.lease import WitnessRecord
from neo4j_dr_operator.failover.state import SITES, ControlState, Site, other
from neo4j_dr_operator.failover.view import Access, Desired, Mark, Requested, RestoreMark

DR = "production/cross-region-dr"


class Refused(Exception):
    """The other side answered and said no."""


class Unreachable(Exception):
    """No answer; what was asked may have been done."""


@dataclass
class Link:
    """The link node kept in its target: phase, epoch, and how much of the source's log has been applied.

    `drained`: clients' transactions that came out of the archive, in the drain at `drain_epoch`.
    """

    phase: str
    epoch: int
    cursor: int
    drain_epoch: int = 0
    drained: int = 0
    reseed: str | None = None


@dataclass
class Archived:
    """One epoch of the archive: what a site's log holds from `begin` to `end`. `broken`: where one was altered."""

    site: Site
    begin: int
    end: int
    broken: int | None = None


@dataclass
class Database:
    """One database. `log`: one entry a transaction, a client's number or None for bookkeeping; tx ids count from 1."""

    site: Site
    enterprise: bool
    alive: bool = True
    access: Access = "read-write"
    log: list[int | None] = field(default_factory=list)
    role: str = "absent"
    epoch: int = 0
    barrier: int | None = None
    inbound: Link | None = None
    breaks: int = 0
    restarts: int = 0
    opened_at: float = 0.0
    taken_at: float = float("-inf")
    started_at: float = 0.0
    note: RestoreMark | None = None

    @property
    def content(self) -> list[int]:
        """The clients' transactions in commit order."""
        return [entry for entry in self.log if entry is not None]

    def mark(self) -> Mark:
        """As a probe reads it."""
        link = self.inbound
        phase, at = (link.phase, link.epoch) if link else (None, 0)
        barrier = None if self.barrier is None else str(self.barrier)
        dr = None if self.role == "absent" else DR
        return Mark(self.role, self.epoch, dr, barrier, phase, at, restore=self.note)  # type: ignore[arg-type]

    def commit(self, entry: int | None) -> None:
        """One transaction, refused while read-only."""
        if self.access == "read-only":
            raise Refused("ReadOnlyRefused")
        self.log.append(entry)

    def set_access(self, access: Access, now: float) -> bool:
        """Set it; whether it was another one. Going read-only breaks what clients had open."""
        changed = access != self.access
        if changed and access == "read-only":
            self.breaks += 1
        if changed:
            self.opened_at = now
        self.access = access
        return changed

    def kill(self) -> None:
        """SIGKILL: connections break, and where the access is a volatile setting a restart opens the database."""
        self.alive = False
        self.breaks += 1

    def start(self, now: float) -> None:
        """Back after a kill."""
        self.alive = True
        self.restarts += 1
        self.started_at = now
        if not self.enterprise and self.access == "read-only":
            self.access, self.opened_at = "read-write", now


@dataclass
class Spec:
    """The request fields of the resources, with the manifest that Git re-applies beside them."""

    target: Requested | None = None
    sync: Requested | None = None
    reseed: Requested | None = None
    read_only: dict[Site, bool] = field(default_factory=dict)
    git_target: str | None = None
    git_sync: str | None = None

    def reapply(self) -> None:
        """What the next `kubectl apply` of the first manifest does."""
        if self.git_target is not None:
            self.target = Requested(self.git_target, "declared")
        if self.git_sync is not None:
            self.sync = Requested(self.git_sync, "declared")

    def desired(self, automatic: bool, witness: bool) -> Desired:
        """As the operator reads it."""
        return Desired(
            automatic=automatic,
            target=self.target,
            sync=self.sync,
            reseed=self.reseed,
            read_only={site: "patch" if self.read_only.get(site) else None for site in SITES},
            witness=witness,
        )


@dataclass
class Stored:
    """The resource as the API server has it. Every write makes a new version."""

    version: int = 1
    control: ControlState = field(default_factory=ControlState)
    spec: Spec = field(default_factory=Spec)
    synced: str = "False"
    sync_complete: str = "False"


@dataclass
class World:
    """Everything outside the operators."""

    rng: random.Random
    witness_wanted: bool = True
    automatic: bool = True
    unmet: str | None = None
    now: float = 0.0
    databases: dict[Site, Database] = field(default_factory=dict)
    stored: Stored = field(default_factory=Stored)
    api_up: bool = True
    s3_up: bool = True
    lease: WitnessRecord | None = None
    shipping: bool = False
    archive: dict[int, Archived] = field(default_factory=dict)
    goals: dict[int, int] = field(default_factory=dict)
    """How far the archive was when a drain looked at it last, by the epoch that was claimed."""
    cuts: dict[tuple[str, str], float] = field(default_factory=dict)
    healed: dict[tuple[str, str], float] = field(default_factory=dict)
    acknowledged: dict[int, Site] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    trace: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    restoring: bool = False
    restored: int = 0
    written: int = 0
    requested: int = 0
    accepted: int = 0
    results: dict[tuple[str, str], int] = field(default_factory=dict)
    drains: Counter[str] = field(default_factory=Counter)
    fenced: dict[str, int] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Keep a line for the trace of a failing seed."""
        self.trace.append(f"{self.now:7.2f} {text}")

    def fail(self, text: str) -> None:
        """An invariant does not hold."""
        self.note(f"VIOLATION {text}")
        self.violations.append(f"at {self.now:.2f}: {text}")

    def reach(self, who: str, what: str) -> bool:
        """Whether a path is open. Paths are named (operator, site), (worker of an operator, site), (operator, api)."""
        return (who, what) not in self.cuts

    def cut(self, who: str, what: str, until: float) -> None:
        """Close a path for a while."""
        self.cuts[who, what] = until

    def heal(self, everything: bool = False) -> None:
        """Open the paths whose time is over."""
        for path in [path for path, until in self.cuts.items() if everything or until <= self.now]:
            del self.cuts[path]
            self.healed[path] = self.now

    def database(self, who: str, site: Site) -> Database:
        """The database of a site as reached by somebody. Raises Unreachable."""
        if not self.reach(who, site) or not self.databases[site].alive:
            raise Unreachable(f"DatabaseUnreachable: {site}")
        return self.databases[site]

    def provably_alive(self, operator: str, site: Site, long: float) -> bool:
        """Whether a site has been alive and reachable by an operator, on either path, for `long` seconds."""
        if not self.databases[site].alive:
            return False
        paths = [(operator, site), (f"worker-{operator}", site)]
        up = [path for path in paths if path not in self.cuts]
        since = self.databases[site].started_at
        return any(self.now - max(since, self.healed.get(path, float("-inf"))) > long for path in up)

    def check_prefix(self, why: str, behind: Site) -> None:
        """The content of one site must be the beginning of the other's (P2)."""
        short, full = self.databases[behind].content, self.databases[other(behind)].content
        if short != full[: len(short)]:
            self.fail(f"{why}: {behind} is no prefix of {other(behind)}")


@dataclass
class Writer:
    """A client. A sticky one stays with its site until its connection breaks; then it asks the status again."""

    name: str
    sticky: bool
    site: Site = "primary"
    breaks: int = 0
    paused: bool = False

    def write(self, world: World) -> None:
        """Commit one numbered transaction where this client believes the primary to be."""
        if self.paused:
            self.breaks = -1  # a new connection when it goes on
            return
        database = world.databases[self.site]
        if not self.sticky or database.breaks != self.breaks or not database.alive:
            self.site = world.stored.control.active
            database = world.databases[self.site]
            self.breaks = database.breaks
        if not database.alive or world.stored.control.epoch == 0:
            return
        number = world.written + 1
        try:
            database.commit(number)
        except Refused:
            self.breaks = -1
            return
        world.written = number
        world.acknowledged[number] = self.site
        # None by a site that was fenced, unless a restart undid the fence (Community).
        if world.fenced.get(self.site) == database.restarts:
            world.fail(f"{self.site} acknowledges a write after it was fenced and promoted over")


def new_world(seed: int, witness: bool = True, automatic: bool = True, enterprise: bool | None = None) -> World:
    """Two new databases, two writers."""
    rng = random.Random(seed)
    edition = rng.random() < 0.3 if enterprise is None else enterprise
    world = World(rng, witness, automatic)
    world.databases = {site: Database(site, edition) for site in SITES}
    world.writers = [Writer("resolver", False), Writer("sticky", True)]
    return world


def copy_spec(spec: Spec) -> Spec:
    """A snapshot as a watch delivers it."""
    return replace(spec, read_only=dict(spec.read_only))
