"""What must hold at every step of every schedule. A violation is kept in the world, with the time."""

from __future__ import annotations

from model import Database, Stored, World

from neo4j_dr_operator.failover.actions import Promote
from neo4j_dr_operator.failover.state import ControlState, HistoryEntry, Operation

GRACE = 15.0
"""Seconds a site must have been reachable before nobody may call it dead: silence, probes and slow actions fit in."""


def stored(world: World, operator: str, before: Stored, after: Stored) -> None:
    """At every stored state."""
    old, new = before.control, after.control
    if new.epoch < old.epoch:
        world.fail(f"the epoch fell from {old.epoch} to {new.epoch}")
    if old.epoch == 0 and new.epoch > 0:
        world.note(f"adopted by {operator}")
    _operations(world, operator, old, new)
    _history(world, old, new)
    if new.standby == "joining" and old.standby != "joining":
        world.check_prefix("joining", new.standby_site)
    if after.synced == "True" and before.synced != "True":
        _synced(world, new)


def _operations(world: World, operator: str, old: ControlState, new: ControlState) -> None:
    was, now = old.operation, new.operation
    if now is None:
        return
    if was is not None and (was.epoch, was.target) != (now.epoch, now.target):
        world.fail(f"operation of epoch {was.epoch} was replaced by one of epoch {now.epoch}")
    if now.requested and now.step == "Requested" and (was is None or was.kind != now.kind):
        world.accepted += 1
        if world.accepted > world.requested:
            world.fail(f"{world.accepted} requests were accepted, {world.requested} were made")
    if now.step == "Confirmed" and world.provably_alive(operator, now.source, GRACE):
        world.fail(f"{now.source} was confirmed dead and lives")
    if was is not None and now.step == "Promoting" and was.step not in ("Draining", "Promoting"):
        world.fail(f"Promoting was entered from {was.step}")


def _history(world: World, old: ControlState, new: ControlState) -> None:
    known = {(entry.epoch, entry.steps[0].at if entry.steps else 0) for entry in old.history}
    for entry in new.history:
        if (entry.epoch, entry.steps[0].at if entry.steps else 0) not in known:
            _ended(world, entry)
    completed = [entry.epoch for entry in new.history if entry.result == "Completed"]
    if len(completed) != len(set(completed)):
        world.fail(f"two changes were completed at one epoch: {completed}")
    if new.standby in ("joining", "diverged") and old.standby == "returning":
        last = next((entry for entry in reversed(new.history) if entry.result == "Completed"), None)
        active, standby = world.databases[new.active], world.databases[new.standby_site]
        missing = len(set(standby.content) - set(active.content))
        if last is not None and last.lost_transactions != missing:
            world.fail(f"{last.lost_transactions} transactions are said to be lost, {missing} are")
        if new.standby == "diverged" and not missing:
            world.fail("a prefix was called diverged")


def _ended(world: World, entry: HistoryEntry) -> None:
    world.results[entry.kind, entry.result] = world.results.get((entry.kind, entry.result), 0) + 1


def _synced(world: World, control: ControlState) -> None:
    """True only when it is true.

    A database that came back writable since the last probe is found out by the next, as is one that a restore took.
    """
    active, standby = world.databases[control.active], world.databases[control.standby_site]
    just_opened = world.now - active.opened_at <= 6.0
    if active.access != "read-only" and not just_opened:
        world.fail("ReplicationSynced is True and the primary takes writes")
    just_taken = world.now - standby.taken_at <= 6.0
    if not set(active.content) <= set(standby.content) and not just_opened and not just_taken:
        world.fail("ReplicationSynced is True and the standby lacks transactions")


def promoted(world: World, operator: str, action: Promote) -> None:
    """At the moment a promotion is committed in the target."""
    operation, source = world.stored.control.operation, world.databases[action.source]
    if operation is None or (operation.epoch, operation.step) != (action.epoch, "Promoting"):
        world.fail(f"a promotion at epoch {action.epoch} outside its step")
        return
    target = world.databases[action.target]
    if target.note is not None:
        world.fail(f"{action.target} is promoted with what restore {target.note.name} has put there")
    both = [site for site, db in world.databases.items() if (db.role, db.epoch) == ("primary", action.epoch)]
    if len(both) != 1:
        world.fail(f"two primaries at epoch {action.epoch}")
    lost = set(source.content) - set(target.content)
    if operation.kind == "switchover":
        if source.access != "read-only":
            world.fail("a switchover promotes over a writable primary")
        if lost:
            world.fail(f"a switchover loses {len(lost)} transactions")
    if operation.kind == "failover":
        if world.unmet is not None:
            world.fail(f"an automatic failover in spite of {world.unmet}")
        if world.provably_alive(operator, action.source, GRACE):
            world.fail(f"an automatic failover from {action.source}, which lives")
        if world.lease is None or (world.lease.holder, world.lease.epoch) != (action.target, action.epoch):
            world.fail("an automatic failover without the lease")
    _drained(world, operation, target)
    if source.access == "read-only":
        world.fenced[action.source] = source.restarts
    world.fenced.pop(action.target, None)
    world.note(f"{action.target} is promoted at epoch {action.epoch}, {len(lost)} behind")


def _drained(world: World, operation: Operation, target: Database) -> None:
    """What the archive was seen to hold is applied, and counted once, whatever was killed meanwhile."""
    link = target.inbound
    if not world.shipping or operation.kind == "switchover" or operation.final is not None:
        if operation.drained is not None:
            world.fail("a drain where nothing was to be drained")
        return
    world.drains["problem" if operation.drain_problem else "taken" if operation.drained else "nothing"] += 1
    if operation.drained is None:
        world.fail("promoted without having asked the archive")
    if link is None or operation.drain_problem is not None:
        return
    if link.cursor < world.goals.get(operation.epoch, 0):
        world.fail(f"the standby is at {link.cursor}, the archive was at {world.goals[operation.epoch]}")
    if link.drain_epoch == operation.epoch and link.drained != operation.drained:
        world.fail(f"{operation.drained} transactions are said to be drained, {link.drained} were")


def each_tick(world: World) -> None:
    """What needs no event."""
    for site, database in world.databases.items():
        if database.epoch < world.marks.get(site, 0):
            world.fail(f"the epoch in {site} fell")
        world.marks[site] = database.epoch
