"""What an auditor says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from neo4j_dr_operator.audit.facts import Finding
from neo4j_dr_operator.audit.findings import damaged
from neo4j_dr_operator.audit.window import Window
from neo4j_dr_operator.backup.status import JobStatus

SHOWN = 20
"""Findings, and gaps, that a report names; the others are counted."""


@dataclass
class AuditStatus(JobStatus):
    """``done`` and ``total`` count objects to read. ``window``: None until the round is over, and where nothing could
    be read. ``oldest``: since when an object was not looked at, seconds since 1970; ``objects``, ``bytes``: of the
    archive; ``read``: bytes read in this round; ``requests``: sent in it, by kind; ``epoch``: the newest one,
    ``segment``: its last one, ``gap``: its last one behind a gap; ``request``: the last one that was carried out;
    ``rules``: whether the store told which rules of the bucket delete."""

    at: int | None = None
    window: Window | None = None
    epoch: int = 0
    segment: int = 0
    gap: int | None = None
    rules: bool = True
    findings: Sequence[Finding] = ()
    objects: int = 0
    bytes: int = 0
    oldest: int | None = None
    read: int = 0
    request: str = ""
    requests: Counter[str] = field(default_factory=Counter)

    def more(self) -> dict[str, Any]:
        """See :class:`JobStatus`. Points in time are ms since 1970, everything else is in seconds."""
        counts = Counter(finding.kind for finding in self.findings)
        return {
            "at": self.at,
            "window": _shown(self.window),
            "epoch": self.epoch,
            "segment": self.segment,
            "gap": self.gap,
            "rules": self.rules,
            "findings": [asdict(finding) for finding in self.findings[:SHOWN]],
            "counts": dict(counts),
            "damaged": damaged(self.findings),
            "objects": self.objects,
            "bytes": self.bytes,
            "oldest": self.oldest,
            "checked": self.done,
            "bytesRead": self.read,
            "request": self.request,
            "requests": dict(self.requests),
        }


def _shown(window: Window | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "earliest": window.earliest,
        "latest": window.latest,
        "open": window.open,
        "pending": window.pending,
        "gaps": [asdict(gap) for gap in window.gaps[-SHOWN:]],
    }
