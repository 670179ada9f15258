"""How a step of an operation ends: in the next one, in the history, in what the request is told. Pure."""

from __future__ import annotations

from neo4j_dr_operator.failover.actions import Decision
from neo4j_dr_operator.failover.state import ControlState, HistoryEntry, Operation, Step
from neo4j_dr_operator.failover.view import Now


def enter(state: ControlState, operation: Operation, step: Step, now: Now, why: str) -> Decision:
    """The next step, stored before anything is done about it."""
    return Decision(state.model_copy(update={"operation": operation.enter(step, now.wall)}), why)


def give_up(state: ControlState, op: Operation, result: str, reason: str) -> Decision:
    """End an operation before its promotion.

    From Fencing on its epoch may be in the witness and in the link, and an action of it may still land: it is spent,
    and the site that stays active goes on at the next one, which outranks all of that.
    """
    spent = op.step in ("Fencing", "Draining", "Promoting")
    ended = state.model_copy(update={"operation": None})
    if spent:
        ended = ended.model_copy(update={"epoch": op.epoch + 1, "synced": None})
    if result != "Cancelled" or op.step != "Detected":
        ended = ended.model_copy(update={"history": ended.remember(entry(op, result, reason, ended))})
    ended = close_request(ended, op, f"{result}: {reason}")
    return Decision(ended, f"{result}: {reason}", notes=(f"{result}: {reason}",))


def entry(op: Operation, result: str, reason: str, state: ControlState) -> HistoryEntry:
    """The operation as the history keeps it, with the epoch of ``state``."""
    return HistoryEntry.model_validate(
        {
            "epoch": state.epoch,
            "kind": op.kind,
            "source": op.source,
            "target": op.target,
            "result": result,
            "reason": reason,
            "steps": op.steps,
            "evidence": op.evidence,
            "fenced_by": op.fenced_by,
            "applied_position": op.applied,
            "drained": op.drained,
            "drain_problem": op.drain_problem,
        }
    )


def close_request(state: ControlState, op: Operation, result: str) -> ControlState:
    """The state in which the request that began the operation, if one did, has its result."""
    if not op.requested:
        return state
    last = {**state.handled.last, "result": result, "epoch": state.epoch}
    return state.model_copy(update={"handled": state.handled.model_copy(update={"last": last})})


def count_losses(state: ControlState, transactions: int, seconds: float) -> ControlState:
    """The state in which the newest completed change of the active site knows what it cost (P5)."""
    history = list(state.history)
    for index in range(len(history) - 1, -1, -1):
        if history[index].result == "Completed" and history[index].target == state.active:
            update = {"lost_transactions": transactions, "lost_seconds": seconds}
            history[index] = history[index].model_copy(update=update)
            break
    return state.model_copy(update={"history": history})
