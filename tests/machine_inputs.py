"""Short ways to say what the machine knows and sees."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from neo4j_dr_operator.failover.actions import Action, Decision
from neo4j_dr_operator.failover.machine import decide
from neo4j_dr_operator.failover.state import ControlState, Handled, Operation, Site, StepRecord
from neo4j_dr_operator.failover.view import (
    Desired,
    LinkView,
    Mark,
    Now,
    Requested,
    Results,
    Seen,
    SiteView,
    WitnessView,
)
from neo4j_dr_operator.health.verdict import Verdict

DR = "production/cross-region-dr"
NOW = Now(wall=1_800_000_000.0, mono=1000.0, step_since=990.0)
LOOKED = Handled(target="", sync="")
"""The memory after a first look at a spec that requests nothing."""


def site(role: str = "primary", epoch: int = 1, access: str | None = "read-write", **other: Any) -> SiteView:
    """A site that answers."""
    mark = other.pop("mark", Mark(role, epoch, DR, **other.pop("inbound", {})))  # type: ignore[arg-type]
    at = other.pop("at", 995.0)
    since = other.pop("access_since", at)
    return SiteView(Verdict.UP, "answers in time", access, at, since, mark, **other)  # type: ignore[arg-type]


def standby(epoch: int = 1, **other: Any) -> SiteView:
    """The other site, filled by a streaming link."""
    return site("standby", epoch, inbound={"inbound_phase": "streaming", "inbound_epoch": epoch}, **other)


def down(view: SiteView) -> SiteView:
    """The same site after enough failed probes."""
    return replace(view, verdict=Verdict.DOWN, evidence="3 probes in a row failed")


def link(epoch: int = 1, source: Site = "primary", state: str = "streaming", **other: Any) -> LinkView:
    """A link whose source answered a moment ago."""
    known: dict[str, Any] = {"cursor": "c", "cursor_tx": 10, "read_age": 0.1} | other
    return LinkView(source, "secondary" if source == "primary" else "primary", epoch, state, **known)


DEAD_LINK = link(state="attaching", read_age=60.0, reason="SourceUnreachable")
SILENT = WitnessView(True, epoch=1, holder="primary", expired=True)
HELD = WitnessView(True, epoch=1, holder="primary", expired=False)


RESULTS = {one.name for one in fields(Results)}


def seen(**other: Any) -> Seen:
    """Both sites there, the link streaming; what actions found is named as if it stood in ``Seen`` itself."""
    known: dict[str, Any] = {"sites": {"primary": site(), "secondary": standby()}, "link": link(), "witness": HELD}
    results = Results(**{name: other.pop(name) for name in RESULTS & other.keys()})
    return Seen(**(known | {"results": results} | other))


def following(**other: Any) -> ControlState:
    """At rest at epoch 1, the secondary following."""
    return ControlState(**({"epoch": 1, "standby": "following", "handled": LOOKED} | other))


def operating(kind: str, step: str, epoch: int = 2, **other: Any) -> ControlState:
    """With an operation towards the secondary in a step."""
    fields = {"source": "primary", "target": "secondary", "requested": kind != "failover"} | other
    steps = [StepRecord(name=step, at=NOW.wall)]  # type: ignore[arg-type]
    operation = Operation(kind=kind, epoch=epoch, step=step, steps=steps, **fields)  # type: ignore[arg-type]
    return following(operation=operation, restricted=["primary"] if kind != "failover" else [])


def patched(value: str, emergency: bool = False) -> Requested:
    """A request written by a plain patch."""
    return Requested(value, "patch", emergency)


def declared(value: str, emergency: bool = False) -> Requested:
    """A request that stands in an applied manifest."""
    return Requested(value, "declared", emergency)


def step(state: ControlState, desired: Desired, sight: Seen, now: Now = NOW) -> Decision:
    """One decision."""
    return decide(state, desired, sight, now, DR)


def rest(state: ControlState, desired: Desired, sight: Seen, now: Now = NOW) -> Decision:
    """Decide until the state moves no more."""
    for _ in range(20):
        decision = step(state, desired, sight, now)
        if decision.state == state:
            return decision
        state = decision.state
    raise AssertionError(f"the machine does not come to rest: {decision.why}")


def kinds(actions: tuple[Action, ...]) -> set[str]:
    """The names of what is asked for."""
    return {type(action).__name__ for action in actions}
