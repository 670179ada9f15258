"""What a resource says of its archives: the recoverable window, what is wrong, the check asked for by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.cli import raw
from neo4j_dr_operator.cli.document import API_VERSION
from neo4j_dr_operator.cli.raw import Document
from neo4j_dr_operator.cli.text import Line, Span, clock, count, size

ANNOTATION = "neo4j.neo4j.com/archive-verify-requested-at"
FULL = " full"
"""Behind the time in the annotation where every byte is to be read."""
HARMLESS = "Foreign"


@dataclass(frozen=True)
class Check:
    """What became of a check that was asked for: Running, Completed or Failed."""

    state: str
    percent: int = 0
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state != "Running"


def impossible(recovery: Document) -> str | None:
    """Why nothing can be checked, None when it can."""
    spec = raw.part(recovery, "spec")
    logs = raw.part(spec, "replication", "logShipping")
    if raw.flag(logs, "enabled") is True and raw.part(logs, "destination"):
        return None
    if raw.part(spec, "backup", "destination"):
        return None
    return "there is no archive; enable log shipping, or give spec.backup.destination"


def check(recovery: Document, request: str) -> Check | None:
    """What became of the request of that value, None while no operator has answered."""
    told = raw.part(recovery, "status", "recovery", "verify")
    if raw.text(told, "request") != request:
        return None
    state, percent = raw.text(told, "state") or "Running", raw.whole(told, "percent") or 0
    return Check(state, percent, raw.text(told, "message") or "")


def damaged(recovery: Document) -> bool:
    """Whether anything was found that recovery suffers from, or has suffered from."""
    return any(raw.text(finding, "kind") != HARMLESS for finding in _findings(recovery))


def intact(recovery: Document) -> bool | None:
    """Whether all that was found is in order; None where nobody has looked, or there was nothing to look at."""
    if damaged(recovery):
        return False
    return True if raw.text(recovery, "status", "recovery", "checkedAt") else None


def report(namespace: str, name: str, recovery: Document) -> dict[str, Any]:
    """For programs: kind ArchiveReport, with ``status.recovery`` as it is."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ArchiveReport",
        "namespace": namespace,
        "name": name,
        "intact": intact(recovery),
        "recovery": dict(raw.part(recovery, "status", "recovery")),
    }


def lines(name: str, recovery: Document) -> list[Line]:
    """For a terminal."""
    told = raw.part(recovery, "status", "recovery")
    if intact(recovery) is None:
        why = raw.text(told, "verify", "message") or "it has not been looked at yet"
        return [(Span("NOT CHECKED", "warn"), Span(f"   the archive of {name}: {why}"))]
    word = Span("DAMAGED", "bad") if damaged(recovery) else Span("INTACT", "good")
    made: list[Line] = [(word, Span(f"   the archive of {name}"))]
    made += [(Span(f"{title:<12}", "dim"), Span(text)) for title, text in _facts(told)]
    for gap in raw.items(told, "gaps"):
        span = f"{_moment(gap, 'from')} to {_moment(gap, 'to')}"
        made += [(Span(f"{'Gap':<12}", "warn"), Span(span)), (Span(f"{'':<12}"), Span(raw.text(gap, "reason") or ""))]
    for finding in _findings(recovery):
        made += [(), *_shown(finding)]
    found, named = raw.whole(told, "findingsTotal") or 0, len(_findings(recovery))
    if found > named:
        made += [(), (Span(f"and {count(found - named, 'finding')} more", "warn"),)]
    return made


def _facts(told: Document) -> Iterable[tuple[str, str]]:
    yield "Where", raw.text(told, "location") or "unknown"
    if raw.text(told, "earliest"):
        yield "Restorable", f"{_moment(told, 'earliest')} to {_moment(told, 'latest')}"
    else:
        yield "Restorable", "nothing"
    objects, taken = raw.whole(told, "objects") or 0, raw.number(told, "bytes") or 0
    yield "Holds", f"{count(objects, 'object')}, {size(taken)} of them read"
    yield "Looked at", f"{_moment(told, 'checkedAt')}; every object since {_moment(told, 'oldestUncheckedAt')}"


def _shown(finding: Document) -> Iterable[Line]:
    kind = raw.text(finding, "kind") or "Unknown"
    contained = raw.flag(finding, "contained") is True
    style = Span(kind.upper(), "dim" if kind == HARMLESS else "warn" if contained else "bad")
    yield style, Span(f"   {raw.text(finding, 'name')}")
    yield (Span(f"   {raw.text(finding, 'message')}"),)
    since = f"   found {_moment(finding, 'foundAt')}"
    after = "; the newest snapshot does without it" if contained and kind != HARMLESS else ""
    yield (Span(since + after, "dim"),)


def _findings(recovery: Document) -> list[Document]:
    return raw.items(recovery, "status", "recovery", "findings")


def _moment(document: Document, key: str) -> str:
    at = raw.instant(document, key)
    return clock(at) if at is not None else "unknown"
