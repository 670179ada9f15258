"""What a resource says of snapshots asked for by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from neo4j_dr_operator.cli import raw
from neo4j_dr_operator.cli.raw import Document

ANNOTATION = "neo4j.neo4j.com/backup-requested-at"
PAST = {"Refused": "was refused", "Failed": "failed"}


@dataclass(frozen=True)
class Answer:
    """What became of one request: Running, Completed, Failed or Refused."""

    state: str
    snapshot: str = ""
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state != "Running"


def impossible(recovery: Document) -> str | None:
    """Why a snapshot cannot be asked for now, None when it can."""
    spec, running = raw.part(recovery, "spec"), raw.part(recovery, "status", "backup", "running")
    logs = raw.part(spec, "replication", "logShipping")
    shipped = raw.flag(logs, "enabled") is True and raw.part(logs, "destination")
    if not raw.part(spec, "backup", "destination") and not shipped:
        return "there is no place for it; give spec.backup.destination, or enable log shipping"
    if running and not waits_for_base(recovery):
        since = raw.text(running, "startedAt") or "some time ago"
        return f"one ({raw.text(running, 'kind')}) is being taken since {since}, and only one is at a time"
    return None


def waits_for_base(recovery: Document) -> bool:
    """Whether the log archive's own snapshot is being taken: a request follows it."""
    return raw.text(recovery, "status", "backup", "running", "kind") == "base"


def answer(recovery: Document, request: str) -> Answer | None:
    """What became of the request of that value, None while no operator has answered."""
    for each in raw.items(raw.part(recovery, "status", "backup"), "requests"):
        if raw.text(each, "request") == request:
            state, snapshot = raw.text(each, "state") or "Running", raw.text(each, "snapshot") or ""
            return Answer(state, snapshot, raw.text(each, "message") or "")
    return None


def progress(recovery: Document) -> tuple[int, str]:
    """Per cent, and what is done."""
    running = raw.part(recovery, "status", "backup", "running")
    waits = raw.text(running, "message")
    doing = f"waits: {waits}" if waits else raw.text(running, "state") or "beginning"
    return raw.whole(running, "percent") or 0, doing


def sentence(namespace: str, name: str, answer: Answer) -> str:
    """The last line of a request that was not refused."""
    if answer.state == "Completed":
        return f"{namespace}/{name}: snapshot {answer.snapshot} is complete"
    return f"{namespace}/{name}: a snapshot has been begun; 'kubectl neo4j-dr status {name}' shows it"
