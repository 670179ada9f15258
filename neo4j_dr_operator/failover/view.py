"""What is wanted and what has been seen: the inputs of the machine, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from neo4j_dr_operator.failover.state import Direction, Owner, Site
from neo4j_dr_operator.graph.retention import Retention
from neo4j_dr_operator.health.verdict import Verdict

Access = Literal["read-write", "read-only"]

FILLING = ("seeding", "catching-up")
"""Phases of a link, as its target keeps them, in which that is no copy."""
READINGS_KEPT = 8
"""Positions read that are remembered: a few more than one operation asks for."""


@dataclass(frozen=True)
class Requested:
    """A request field as it stands in a spec, with who wrote it."""

    value: str
    owner: Owner
    emergency: bool = False


@dataclass(frozen=True)
class Desired:
    """What the resources ask for. `lone_emergency`: a plain patch set it, and no patched target stands beside it.

    `unmet`: what has to hold before a promotion by itself and cannot be told yet, as `Reason: sentence`.
    `witness_beside`: the site in whose own region the witness lies, and with which it would be lost. `archive`: whether
    what the active site commits is shipped.
    """

    automatic: bool = False
    target: Requested | None = None
    lone_emergency: bool = False
    sync: Requested | None = None
    reseed: Requested | None = None
    reseed_automatic: bool = False
    read_only: dict[Site, Owner | None] = field(default_factory=dict)
    witness: bool = False
    witness_beside: Site | None = None
    archive: bool = False
    unmet: str | None = None

    @property
    def by_itself(self) -> bool:
        """Whether the standby may be promoted without a request, once everything says that the active site is dead."""
        return self.automatic and self.witness and self.unmet is None


@dataclass(frozen=True)
class RestoreMark:
    """The note of a restore that stands in a database: its name, and whether it has ended."""

    name: str
    complete: bool


@dataclass(frozen=True)
class Mark:
    """The site node of a database: which role and epoch it knows; `absent` for a database never used.

    `inbound_*`: phase and epoch of the link that fills this database, as kept in it. `site`: which site, or which
    follower, it is; `links`: the names of all links that it was ever filled by; `restore`: whose graph stands in it, if
    it is a restore's.
    """

    role: Literal["primary", "standby", "absent"]
    epoch: int
    dr: str | None = None
    barrier: str | None = None
    inbound_phase: str | None = None
    inbound_epoch: int = 0
    site: str | None = None
    links: tuple[str, ...] = ()
    restore: RestoreMark | None = None


@dataclass(frozen=True)
class Survey:
    """What a database without a mark holds: its id (empty: unknown), whether it is empty, whether it can capture."""

    database: str
    empty: bool
    capture: bool


@dataclass(frozen=True)
class SiteView:
    """One site as last seen. `access` and `mark` are None until they have been read; times are monotonic seconds.

    `access_since`: when the present access was first seen, in a row of sights not broken by any change. `survey`: of a
    database without a mark only. `reason`: what the last probe failed with. `address`: where it is
    looked for.
    """

    verdict: Verdict = Verdict.UNKNOWN
    evidence: str = "not probed yet"
    access: Access | None = None
    access_at: float = float("-inf")
    access_since: float = float("-inf")
    mark: Mark | None = None
    survey: Survey | None = None
    reason: str = ""
    address: str = ""


@dataclass(frozen=True)
class LinkView:
    """The link as its worker last reported. `read_age`: seconds since the source answered last, None: never.

    `schema`: constraints and indexes that could not be carried over, and why. `compared`: all of them were looked at
    since the worker began, and those that can be are carried over. `retrying`: what is wrong has not lasted for
    `replication.retries` attempts yet.
    """

    source: Site
    target: Site
    epoch: int
    state: str
    cursor: str | None = None
    cursor_tx: int = -1
    read_age: float | None = None
    reason: str | None = None
    message: str = ""
    reseed: str | None = None
    schema: str | None = None
    compared: bool = False
    retrying: bool = False


@dataclass(frozen=True)
class ShippingView:
    """The log shipper as its worker last reported.

    ``shipped_at``, ``up_to``: seconds since 1970 of the last put, and the moment before which everything committed is
    in the archive; ``covered``: the same as the archive has it, ms since 1970 on the source's clock; ``backlog``:
    transactions that are not yet; ``gap``: number of the epoch's last segment that was put behind a gap, by
    this shipper or one before; ``retention``: how far back its source's log goes.
    """

    site: Site
    epoch: int
    state: str
    segment: int | None = None
    position: str | None = None
    shipped_at: float | None = None
    up_to: float | None = None
    covered: int | None = None
    backlog: int | None = None
    gap: int | None = None
    reason: str | None = None
    message: str = ""
    retention: Retention = field(default_factory=Retention)


@dataclass(frozen=True)
class DrainView:
    """The drain of an archive as its worker last reported. `epoch`: the one that the link was claimed at.

    `transactions`: taken from the archive so far; `quiet`: seconds since it got on last.
    """

    epoch: int
    state: str
    cursor: str | None = None
    transactions: int = 0
    quiet: float = 0.0
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True)
class WitnessView:
    """The witness as last seen. `expired`: unchanged for a whole term of uninterrupted observation, or released.

    `reason`: a word for why it cannot be used.
    """

    reachable: bool
    message: str = ""
    epoch: int = 0
    holder: Site | None = None
    expired: bool = False
    reason: str = "WitnessUnreachable"


@dataclass(frozen=True)
class Assessment:
    """What a returning site holds beyond the position at which the other one was promoted."""

    site: Site
    epoch: int
    transactions: int = 0
    seconds: float = 0.0
    lost: str | None = None


@dataclass(frozen=True)
class Reading:
    """A position read from a site: `final` ones only while it was seen read-only before and after."""

    site: Site
    epoch: int
    position: str
    tx: int
    at: float
    final: bool


@dataclass(frozen=True)
class Claimed:
    """The link node after its epoch was raised: where the standby stands while nobody applies."""

    epoch: int
    cursor: str
    tx: int


@dataclass(frozen=True)
class Results:
    """What actions have found out, each tied to the epoch it was found for.

    `failed`, `lease_refused`: how the last one ended that did not succeed; they count in the step they were met in.
    """

    readings: tuple[Reading, ...] = ()
    assessment: Assessment | None = None
    leased: int = 0
    lease_refused: str | None = None
    claimed: Claimed | None = None
    promoted: int = 0
    barrier: str | None = None
    beaten: int = 0
    failed: str | None = None

    def reading(self, site: Site, epoch: int, since: float, final: bool) -> Reading | None:
        """The newest reading of `site` at `epoch` taken at or after `since` (monotonic seconds)."""
        fits = [r for r in self.readings if (r.site, r.epoch, r.final) == (site, epoch, final) and r.at >= since]
        return max(fits, key=lambda r: r.at, default=None)

    def claim(self, epoch: int) -> Claimed | None:
        """The link as it was when its epoch was raised to `epoch`."""
        return self.claimed if self.claimed is not None and self.claimed.epoch == epoch else None

    def read(self, reading: Reading) -> Results:
        """With one reading more, the oldest ones forgotten."""
        return replace(self, readings=(*self.readings, reading)[-READINGS_KEPT:])

    def in_a_new_step(self) -> Results:
        """Without what only counted in the step before."""
        return replace(self, failed=None, lease_refused=None)


@dataclass(frozen=True)
class Seen:
    """Everything observed, at one moment.

    `unresolved`: references that could not be followed (a site, or the witness), as reason and sentence; `blocked`:
    what an action was refused with that only people can mend; `held`: restores that have a site in hand, by name.
    """

    sites: dict[Site, SiteView]
    link: LinkView | None = None
    drain: DrainView | None = None
    witness: WitnessView | None = None
    results: Results = field(default_factory=Results)
    unresolved: dict[str, tuple[str, str]] = field(default_factory=dict)
    blocked: tuple[str, str] | None = None
    held: dict[Site, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Now:
    """The moment of a decision: wall seconds for records, monotonic seconds for ages, and the age of the step."""

    wall: float
    mono: float
    step_since: float = float("-inf")

    @property
    def step_age(self) -> float:
        """Seconds this process has seen the present step last."""
        return self.mono - self.step_since


def direction_of(source: Site) -> Direction:
    """The sync direction whose source is `source`: forward is primary to secondary."""
    return "forward" if source == "primary" else "reverse"
