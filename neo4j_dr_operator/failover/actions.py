"""What the machine may ask for. Every action is idempotent and carries the epoch it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from neo4j_dr_operator.failover.state import ControlState, Site, link_name


@dataclass(frozen=True)
class LinkPlan:
    """The one link that should run: level-triggered, None means that none should."""

    source: Site
    target: Site
    epoch: int
    origin: Literal["seed", "attach", "handover"]
    barrier: str | None = None
    reseed: str | None = None
    supersedes: str | None = None

    @property
    def name(self) -> str:
        """Its name in the target's bookkeeping."""
        return link_name(self.source, self.target)


@dataclass(frozen=True)
class DrainPlan:
    """The drain that should run: into the link from `source` to `target`, claimed at `epoch`, comes what the archive
    has of `archive_epoch`, in which `source` was active."""

    source: Site
    target: Site
    epoch: int
    archive_epoch: int

    @property
    def name(self) -> str:
        """The link's name in the target's bookkeeping."""
        return link_name(self.source, self.target)


def link_for(state: ControlState, epoch: int | None = None) -> LinkPlan | None:
    """The link that belongs to where the standby stands, at the state's epoch or at one being claimed."""
    at = state.epoch if epoch is None else epoch
    match state.standby:
        case "following":
            return LinkPlan(
                state.active, state.standby_site, at, _origin(state), reseed=state.ticket, supersedes=_over(state)
            )
        case "seed":
            return LinkPlan(state.active, state.standby_site, at, "seed", reseed=state.ticket, supersedes=_over(state))
        case "joining":
            return LinkPlan(state.active, state.standby_site, at, "handover", state.barrier)
        case _:
            return None


def _over(state: ControlState) -> str | None:
    """The restore that a filling anew ends."""
    return state.resumed or None if state.ticket is not None else None


def _origin(state: ControlState) -> Literal["seed", "attach"]:
    """A copy that is to be filled anew may have lost its link altogether."""
    return "attach" if state.ticket is None else "seed"


@dataclass(frozen=True)
class MakeReadOnly:
    """Refuse client writes at a site and look again whether it does."""

    site: Site
    epoch: int


@dataclass(frozen=True)
class MakeWritable:
    """Undo a MakeReadOnly of ours."""

    site: Site
    epoch: int


@dataclass(frozen=True)
class ReadPosition:
    """Read the end of a site's change stream; `final` only counts while it is seen read-only before and after."""

    site: Site
    epoch: int
    final: bool


@dataclass(frozen=True)
class WriteMark:
    """Write role and epoch into a site node; a higher epoch there refuses."""

    site: Site
    role: Literal["primary", "standby"]
    epoch: int


@dataclass(frozen=True)
class TakeLease:
    """Move the witness to a site at an epoch by compare-and-set. `force`: also from a living holder (planned)."""

    site: Site
    epoch: int
    force: bool


@dataclass(frozen=True)
class Claim:
    """Raise the link's epoch in its target, so that workers of older epochs go stale.

    `filling`: also of a link that is still filling its target, which then goes on at that epoch; else it has to stream.
    """

    source: Site
    target: Site
    epoch: int
    filling: bool = False


@dataclass(frozen=True)
class Promote:
    """One transaction in the target: site node primary at `epoch`, link frozen. Refused when `guard` no longer holds.

    `guard` is the final position of the old primary, which must still be read-only there; None for unplanned ones.
    """

    source: Site
    target: Site
    epoch: int
    guard: str | None


@dataclass(frozen=True)
class Assess:
    """Count what a returning, read-only site holds after the position at which the active one was promoted."""

    site: Site
    epoch: int


@dataclass(frozen=True)
class Beat:
    """Prove that the new active site takes writes: one heartbeat, now."""

    site: Site
    epoch: int


@dataclass(frozen=True)
class Consume:
    """Take a carried out or superseded request out of the spec, if it still has the value that was handled."""

    field: Literal["target", "sync", "reseed", "emergency", "readOnly"]
    value: str
    site: Site | None = None


Action = MakeReadOnly | MakeWritable | ReadPosition | WriteMark | TakeLease | Claim | Promote | Assess | Beat | Consume


@dataclass(frozen=True)
class Decision:
    """The next state, what to do once it is stored, and what should hold meanwhile.

    `holder` is the site whose heartbeat is written and whose lease is renewed, None while nobody's is. `why` is one
    sentence that says what was decided and why.
    """

    state: ControlState
    why: str
    actions: tuple[Action, ...] = ()
    link: LinkPlan | None = None
    holder: Site | None = None
    drain: DrainPlan | None = None
    notes: tuple[str, ...] = field(default=())
