"""The chapter in which the standby loses its place: something is committed that no change stream has."""

from __future__ import annotations

import time
from typing import Any

from demo.stage import Stage, StoryError

WRITES_UNSEEN = 2.0
"""Seconds of writes that no change stream has."""


def repair(stage: Stage) -> None:
    """Change capture is off for a moment; the operator says so, and what to type; the standby is mended in place."""
    _interrupt(stage)
    line = _told(stage)
    with stage.screen.step("The standby is repaired in place"):
        began = time.monotonic()
        stage.typed(line)
        stage.await_status("the standby follows again", _mended(stage), 90, stage.message)
        took = time.monotonic() - began
        stage.screen.note(f"an exact copy again after {took:.1f} s; only what differed was written", "bold")
    stage.summary.append(("a lost position", f"told by its cause, repaired in place in {took:.1f} s"))


def _interrupt(stage: Stage) -> None:
    database = stage.sites[str(stage.status["activeSite"])]
    with stage.screen.step("Change capture is off for a moment"):
        before = len(stage.writer.look())
        database.query("CALL lab.cdc.configure({mode: 'OFF'})")
        time.sleep(WRITES_UNSEEN)
        database.query("CALL lab.cdc.configure({mode: 'FULL'})")
        unseen = len(stage.writer.look()) - before
        if not unseen:
            raise StoryError("nothing was written while change capture was off")
        stage.screen.note(f"about {unseen} transactions are acknowledged that no change stream has", "dim")


def _told(stage: Stage) -> str:
    """The line to type, as the condition gives it."""
    with stage.screen.step("The operator says what happened, and what to type"):
        told = stage.await_status("the lost position is told", lambda _: _reason(stage), 30, stage.message)
        words, found, line = told.partition("kubectl patch")
        if not found:
            raise StoryError(f"no line to type: {told}")
        stage.screen.note(f"ReplicationHealthy=False CaptureInterrupted: {words.strip()}", "dim")
    return found + line


def _reason(stage: Stage) -> str | None:
    condition = stage.condition("ReplicationHealthy")
    return str(condition["message"]) if condition.get("reason") == "CaptureInterrupted" else None


def _mended(stage: Stage) -> Any:
    def look(status: dict[str, Any]) -> bool:
        return status.get("phase") == "Replicating" and stage.holds("ReplicationHealthy")

    return look
