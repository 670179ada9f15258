"""`status.backup`, the condition `BackupHealthy` and what is told of snapshots. Pure; times in seconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.archives.keeping import Sight, Wishes
from neo4j_dr_operator.failover.kept import Answer, Job, Keeping, Outcome
from neo4j_dr_operator.reporting.claim import Claim
from neo4j_dr_operator.reporting.report import timestamp
from neo4j_dr_operator.reporting.telling import News

KIND = "BackupHealthy"
OVERDUE = 600.0
"""Seconds after its time from which a snapshot that does not get on is overdue."""


@dataclass(frozen=True)
class Seen:
    """What is told of backups: what is remembered, asked for and seen, and the worker's last `report`.

    `problem`: why a place cannot be used or looked into, as reason and sentence; `base_problem`: the same of the log
    archive. `restoring`: the restore that reads an archive, from which nothing is deleted meanwhile.
    """

    keeping: Keeping = field(default_factory=Keeping)
    wishes: Wishes = field(default_factory=Wishes)
    sight: Sight = field(default_factory=lambda: Sight(0.0, ""))
    report: Mapping[str, Any] = field(default_factory=dict)
    problem: tuple[str, str] | None = None
    base_problem: tuple[str, str] | None = None
    restoring: str = ""


def backup_healthy(seen: Seen) -> Claim:
    """Whether every snapshot that was due is there. While one is taken the last verdict stays."""
    keeping, wishes = seen.keeping, seen.wishes
    base = _base_failed(seen)
    if not wishes.enabled:
        return base or Claim(KIND, None, "NotConfigured", "spec.backup.enabled is false")
    if seen.problem is not None:
        return Claim(KIND, False, *seen.problem)
    if keeping.trouble is not None:
        return Claim(KIND, False, keeping.trouble.reason, keeping.trouble.message)
    if base is not None:
        return base
    overdue = _overdue(seen)
    if overdue is not None:
        return Claim(KIND, False, "Overdue", overdue)
    if seen.sight.known == 0:
        return Claim(KIND, None, "Pending", "nothing has been adopted yet")
    if keeping.newest(wishes.backups or "") is None and not seen.sight.snapshots(wishes.backups):
        return Claim(KIND, None, "Pending", "there is no snapshot yet")
    return Claim(KIND, True, "Completed", f"every snapshot that was due is in {wishes.backups}")


def _base_failed(seen: Seen) -> Claim | None:
    trouble, logs = seen.keeping.base_trouble, seen.wishes.logs
    if logs is None:
        return None
    found = (trouble.reason, trouble.message) if trouble is not None else seen.base_problem
    if found is None:
        return None
    return Claim(KIND, False, found[0], f"the log archive in {logs} gets no snapshot to start from: {found[1]}")


def _overdue(seen: Seen) -> str | None:
    wishes, job, wall = seen.wishes, seen.keeping.job, seen.sight.wall
    due = wishes.schedule.latest(seen.keeping.since, wall) if wishes.schedule is not None else None
    if due is None or wall - due < OVERDUE:
        return None
    error = seen.report.get("error")
    if job is not None and not error:
        return None
    why = f"waits: {error.get('message')}" if job is not None and error else "has not begun"
    return f"the snapshot that was due at {timestamp(due)} {why}"


def document(seen: Seen) -> dict[str, Any] | None:
    """`status.backup`; None takes it away where nothing is to be told."""
    keeping, wishes, sight = seen.keeping, seen.wishes, seen.sight
    where = wishes.wanted
    if where is None and not keeping.answers:
        return None
    good, held = keeping.newest(where or ""), sight.snapshots(where)
    following = wishes.schedule.after(sight.wall) if wishes.enabled and wishes.schedule is not None else None
    completed = good.ended if good is not None else max((name.created / 1000 for name in held or ()), default=None)
    claim = backup_healthy(seen)
    return {
        "destination": where,
        "lastSnapshot": good.snapshot if good is not None else None,
        "lastCompletedAt": _time(completed),
        "lastDurationSeconds": round(good.ended - good.began, 1) if good is not None else None,
        "lastBytes": good.bytes if good is not None else None,
        "lastBytesDeduplicated": good.saved if good is not None else None,
        "nextAt": _time(following),
        "snapshots": len(held) if held is not None else None,
        "running": _running(keeping.job, seen.report),
        "requests": [_request(answer) for answer in keeping.answers],
        "message": claim.message if claim.status == "False" else _remark(seen, good),
    }


def _time(wall: float | None) -> str | None:
    return None if wall is None else timestamp(wall)


def _remark(seen: Seen, good: Outcome | None) -> str | None:
    """Why nothing is deleted now, or was after the snapshot that is there."""
    if seen.restoring and seen.wishes.enabled:
        return f"nothing is deleted while restore {seen.restoring} reads, or may read, the archive"
    if good is None or not good.message:
        return None
    return f"nothing more was deleted after the last snapshot: {good.message}"


def _running(job: Job | None, report: Mapping[str, Any]) -> dict[str, Any] | None:
    if job is None:
        return None
    error = report.get("error") or {}
    return {
        "kind": job.kind,
        "why": job.why or None,
        "startedAt": timestamp(job.at),
        "state": report.get("state"),
        "percent": report.get("percent"),
        "estimatedSecondsLeft": report.get("estimatedSecondsLeft"),
        "bytes": report.get("bytes"),
        "bytesDeduplicated": report.get("saved"),
        "message": error.get("message"),
    }


def _request(answer: Answer) -> dict[str, Any]:
    return {
        "request": answer.request,
        "state": answer.state,
        "at": timestamp(answer.at),
        "snapshot": answer.snapshot,
        "message": answer.message or None,
    }


def steady(backup: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`status.backup` without what each report changes; a share counts in tenths."""
    if backup is None:
        return None
    kept = dict(backup)
    running = kept.get("running")
    if running:
        percent = running.get("percent") or 0
        kept["running"] = {
            **{name: running.get(name) for name in ("kind", "why", "startedAt", "state", "message")},
            "tenths": percent // 10,
        }
    return kept


def news(before: Keeping, after: Keeping) -> list[News]:
    """The events between two stored memories: one at each end of a snapshot, one for each request that is refused."""
    told = []
    if after.last is not None and (before.last is None or before.last.number != after.last.number):
        told.append(_ended(after.last))
    for answer in after.answers:
        if answer.state == "Refused" and before.answer(answer.request) is None:
            told.append(News(f"Backup-{answer.request}", "Warning", "BackupRefused", answer.message))
    return told


def _ended(last: Outcome) -> News:
    key = f"Backup-{last.number}"
    if not last.good:
        return News(key, "Warning", "BackupFailed", f"{last.kind}: {last.reason}: {last.message}")
    seconds = last.ended - last.began
    sentence = f"{last.kind}: {last.snapshot} in {last.where}, {last.bytes} bytes in {seconds:.1f} s"
    return News(key, "Normal", "BackupCompleted", sentence)
