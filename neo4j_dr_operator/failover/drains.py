"""Taking from the archive what a dead primary has shipped and its standby lacks, before it is promoted. Pure.

A drain makes a failover lose less, and never prevents one: an archive that cannot be read, or that stands still, ends
it with a reason, and the standby is promoted with what it has.
"""

from __future__ import annotations

from dataclasses import dataclass

from neo4j_dr_operator.failover.actions import DrainPlan
from neo4j_dr_operator.failover.state import ControlState, Operation
from neo4j_dr_operator.failover.view import Desired, DrainView, Now, Seen

STALLED = 120.0
"""Seconds without progress after which a drain is given up. Its worker gives up a silent store by itself, sooner."""
START_PATIENCE = 15.0
"""Seconds within which the drain's worker has to be there: the shipper has ended by then, or was killed."""


@dataclass(frozen=True)
class Outcome:
    """How a drain ended. ``applied``: where the standby is, None unchanged; ``problem``: why it got no further."""

    applied: str | None
    transactions: int
    problem: str | None


def wanted(operation: Operation, desired: Desired) -> bool:
    """Whether nothing but the archive can tell what the old primary still had: no final position of it is known."""
    return desired.archive and unfenced(operation)


def unfenced(operation: Operation) -> bool:
    """Whether the old primary was never seen closed: an automatic failover, or an emergency that did not wait."""
    return operation.kind != "switchover" and operation.final is None


def closing(operation: Operation) -> bool:
    """Whether nothing may be shipped any more from the site that is being left: its archive is being drained."""
    return unfenced(operation) and operation.step in ("Draining", "Promoting", "Verifying")


def plan(state: ControlState, operation: Operation) -> DrainPlan:
    """The drain of an operation: from the epoch in which the old primary was active, under the claimed one."""
    return DrainPlan(operation.source, operation.target, operation.epoch, state.epoch)


def outcome(operation: Operation, seen: Seen, now: Now) -> Outcome | None:
    """How the drain of this operation has ended, None while it goes on."""
    view = _view(operation, seen)
    if view is None:
        if now.step_age <= START_PATIENCE:
            return None
        return Outcome(None, 0, "DrainNotStarted: the archive's address or keys cannot be told")
    if view.state == "finished":
        return Outcome(view.cursor, view.transactions, None)
    if view.state == "failed":
        return Outcome(view.cursor, view.transactions, f"{view.reason}: {view.message}")
    if view.quiet > STALLED:
        last = f", {view.reason}: {view.message}" if view.reason else ""
        return Outcome(view.cursor, view.transactions, f"DrainStalled: no progress for {STALLED:.0f} s{last}")
    return None


def quiet(operation: Operation, seen: Seen, now: Now) -> float:
    """Seconds since the drain got on last; the age of the step until there is one."""
    view = _view(operation, seen)
    return now.step_age if view is None else min(view.quiet, now.step_age)


def sentence(operation: Operation, seen: Seen) -> str:
    """How far it is, for people."""
    view = _view(operation, seen)
    if view is None:
        return "Draining: what the archive has beyond the standby is looked for"
    return f"Draining: {view.transactions} transactions taken from the archive, {view.reason or view.state}"


def _view(operation: Operation, seen: Seen) -> DrainView | None:
    return seen.drain if seen.drain is not None and seen.drain.epoch == operation.epoch else None
