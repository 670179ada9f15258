"""The machine's own state: what is kept in `status.control` and nowhere else.

Conditions, phase and columns are projections of it (`reporting/report.py`); nothing is ever read back from them.
CloudNativePG lost its demotion token twice by using conditions as the store (issues 6317, 11074).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from neo4j_dr_operator.failover.kept import Keeping
from neo4j_dr_operator.failover.record import Record

Site = Literal["primary", "secondary"]
Kind = Literal["switchover", "failover", "emergency"]
Step = Literal[
    "Requested", "ReadOnly", "Detected", "Confirmed", "Fencing", "Draining", "Promoting", "Verifying", "Active"
]
Owner = Literal["patch", "declared"]
Direction = Literal["forward", "reverse"]

SITES: tuple[Site, Site] = ("primary", "secondary")
HISTORY_LIMIT = 20


def other(site: Site) -> Site:
    """The opposite site of a pair."""
    return "secondary" if site == "primary" else "primary"


def link_name(source: str, target: str) -> str:
    """The name a link has in the bookkeeping of its target: `primary>secondary`, or of a follower `secondary>NAME`."""
    return f"{source}>{target}"


def link_to(site: str) -> str:
    """The name of the link that fills one of the two sites."""
    return link_name("secondary" if site == "primary" else "primary", site)


class StepRecord(Record):
    """A step that was entered, with its wall time in seconds since 1970."""

    name: Step
    at: float


class Operation(Record):
    """A change of the active site on its way. At most one is in progress.

    `epoch` is chosen when the operation begins, claimed at Fencing and promoted by an explicit transition of that same
    epoch; it is spent even when the operation is rolled back.
    """

    kind: Kind
    source: Site
    target: Site
    epoch: int
    step: Step
    steps: list[StepRecord]
    evidence: list[str] = Field(default_factory=list)
    requested: bool = False
    final: str | None = None
    final_tx: int | None = None
    fenced_by: str | None = None
    applied: str | None = None
    drained: int | None = None
    drain_problem: str | None = None

    def enter(self, step: Step, at: float) -> Self:
        """A copy that has entered `step` at wall time `at`."""
        return self.model_copy(update={"step": step, "steps": [*self.steps, StepRecord(name=step, at=at)]})


class HistoryEntry(Record):
    """What a change of the active site was and what it cost (P5). Unknown losses are None until they are counted.

    `drained`: transactions taken from the archive, None where it was not asked; `drain_problem`: why not all of them.
    """

    epoch: int
    kind: Kind
    source: Site
    target: Site
    result: Literal["Completed", "RolledBack", "Refused", "Cancelled"]
    reason: str = ""
    steps: list[StepRecord] = Field(default_factory=list)
    evidence: list[str] = Field(default_factory=list)
    fenced_by: str | None = None
    applied_position: str | None = None
    drained: int | None = None
    drain_problem: str | None = None
    lost_transactions: int | None = None
    lost_seconds: float | None = None


class Synced(Record):
    """The final position of an active site seen read-only at the current epoch, and whether it has been applied."""

    final: str
    final_tx: int
    complete: bool = False


class SyncRequest(Record):
    """An accepted `sync.direction`: done when the standby holds what the active site had at `goal`."""

    direction: Direction
    requested_at: float
    goal: str | None = None
    goal_tx: int | None = None
    complete: bool = False
    refused: str | None = None


class Reseed(Record):
    """An accepted request to fill the standby anew, in the epoch it was accepted in; a later epoch ends it.

    `ticket`: what the worker notes in the standby when it begins, so that it begins once. `at`: wall seconds.
    """

    ticket: str
    epoch: int
    cause: str
    at: float


class Handled(Record):
    """What has been consumed, so that a left-over or a re-applied value never acts twice (P9).

    A value written by a plain patch is remembered until it has been taken out of the spec; a declared one (owned by an
    apply) until another one is declared, also while a patch stands over it. None: nothing seen yet; "": seen to be
    absent. `target_emergency`: whether `emergency` stood beside the target when it was handled.
    """

    target: str | None = None
    target_owner: Owner | None = None
    target_declared: str = ""
    target_emergency: bool = False
    sync: str | None = None
    sync_owner: Owner | None = None
    sync_declared: str = ""
    reseed: str = ""
    reseed_owner: Owner | None = None
    reseed_declared: str = ""
    superseded_read_only: list[Site] = Field(default_factory=list)
    last: dict[str, str | int | float | None] = Field(default_factory=dict)


class ControlState(Record):
    """Everything the machine knows beyond what it can observe. Epoch 0: nothing adopted yet.

    `standby` is where the other site stands: `seed` (to be filled), `following` (a consistent prefix), `returning`
    (after a promotion: to be made read-only and compared), `joining` (proven a prefix, its link is being made),
    `diverged` (holds transactions the active site does not), `lost` (its history cannot be compared), `restored` (holds
    what the restore named `restored` has put there). `resumed`: the restore over which replication was resumed last.

    `reached`: the address at which each site was last seen UP. Silence anywhere else is no sign of death: an address
    that somebody has just written may be wrong.

    `secondary`: which of several standbys is the site of that name, from the first epoch on; empty with only one.

    `keeping`: backups; the machine passes it on (`archives/keeping.py` decides).
    """

    epoch: int = 0
    active: Site = "primary"
    standby: Literal["seed", "following", "returning", "joining", "diverged", "lost", "restored"] = "seed"
    standby_reason: str = ""
    barrier: str | None = None
    restricted: list[Site] = Field(default_factory=list)
    operation: Operation | None = None
    synced: Synced | None = None
    sync: SyncRequest | None = None
    reseed: Reseed | None = None
    reached: dict[Site, str] = Field(default_factory=dict)
    secondary: str = ""
    restored: str = ""
    resumed: str = ""
    handled: Handled = Field(default_factory=Handled)
    history: list[HistoryEntry] = Field(default_factory=list)
    keeping: Keeping = Field(default_factory=Keeping)

    @property
    def standby_site(self) -> Site:
        """The site that is not active."""
        return other(self.active)

    @property
    def ticket(self) -> str | None:
        """Of the filling anew that is asked for or under way, None without one."""
        asked = self.reseed
        return asked.ticket if asked is not None and (asked.epoch, self.operation) == (self.epoch, None) else None

    def remember(self, entry: HistoryEntry) -> list[HistoryEntry]:
        """The history with `entry` added, bounded to the newest entries."""
        return [*self.history, entry][-HISTORY_LIMIT:]
