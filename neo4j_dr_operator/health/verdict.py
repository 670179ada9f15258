"""From single probes to a verdict: only repeated proof of absence is DOWN (P6). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    """What one observer may say of a database.

    DEGRADED: it is alive but refuses us (wrong password, wrong certificate, an error of its own): never a reason to
    fail over. UNKNOWN: too little was seen.
    """

    UP = "UP"
    DOWN = "DOWN"
    DEGRADED = "DEGRADED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Probe:
    """One probe's outcome. `alive`: something that speaks Bolt answered, be it with an error; `reason` names that."""

    at: float
    ok: bool
    alive: bool
    evidence: str
    reason: str = ""


@dataclass(frozen=True)
class SiteHealth:
    """The verdict on one site with its evidence; `since` and `at` are wall seconds, `failures` counts in a row.

    `reason`: what the last probe failed with, empty when it did not.
    """

    verdict: Verdict = Verdict.UNKNOWN
    evidence: str = "not probed yet"
    since: float = 0.0
    failures: int = 0
    at: float = 0.0
    reason: str = ""

    def after(self, probe: Probe, consecutive_failures: int) -> SiteHealth:
        """The verdict after one more probe.

        DOWN needs `consecutive_failures` probes in a row with no sign of life (the guide's `healthCheck`); until then
        the verdict stays what it was, with the count in the evidence.
        """
        failures = 0 if probe.alive else self.failures + 1
        if probe.ok:
            verdict, evidence = Verdict.UP, probe.evidence
        elif probe.alive:
            verdict, evidence = Verdict.DEGRADED, probe.evidence
        elif failures >= consecutive_failures:
            verdict, evidence = (
                Verdict.DOWN,
                f"at least {consecutive_failures} probes in a row failed: {probe.evidence}",
            )
        else:
            verdict = self.verdict if self.verdict is not Verdict.DEGRADED else Verdict.UNKNOWN
            evidence = f"{failures} of {consecutive_failures} failed probes: {probe.evidence}"
        since = self.since if verdict is self.verdict and self.since else probe.at
        seen = replace(self, verdict=verdict, evidence=evidence, since=since, failures=failures, at=probe.at)
        return replace(seen, reason=probe.reason)
