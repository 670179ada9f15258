"""Only repeated proof of absence is DOWN (P6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.health.verdict import Probe, SiteHealth, Verdict

OK, REFUSED, SILENT = (True, True), (False, True), (False, False)


def after(*outcomes: tuple[bool, bool], failures: int = 3) -> SiteHealth:
    health = SiteHealth()
    for at, (ok, alive) in enumerate(outcomes, start=1):
        health = health.after(Probe(float(at), ok, alive, "evidence"), failures)
    return health


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((), Verdict.UNKNOWN),
        ((OK,), Verdict.UP),
        ((OK, SILENT, SILENT), Verdict.UP),
        ((OK, SILENT, SILENT, SILENT), Verdict.DOWN),
        ((SILENT, SILENT), Verdict.UNKNOWN),
        ((SILENT, SILENT, SILENT), Verdict.DOWN),
        ((OK, REFUSED, REFUSED, REFUSED, REFUSED), Verdict.DEGRADED),
        ((OK, SILENT, SILENT, REFUSED, SILENT, SILENT), Verdict.UNKNOWN),
        ((SILENT, SILENT, SILENT, OK), Verdict.UP),
        ((SILENT, SILENT, SILENT, REFUSED), Verdict.DEGRADED),
    ],
)
def test_verdicts(outcomes: tuple[tuple[bool, bool], ...], verdict: Verdict) -> None:
    assert after(*outcomes).verdict is verdict


@given(st.lists(st.sampled_from([OK, REFUSED, SILENT])), st.integers(1, 5))
def test_down_exactly_after_enough_silence_in_a_row(outcomes: list[tuple[bool, bool]], failures: int) -> None:
    silent = 0
    for outcome in outcomes:
        silent = silent + 1 if outcome == SILENT else 0
    assert (after(*outcomes, failures=failures).verdict is Verdict.DOWN) == (silent >= failures)


def test_since_moves_with_the_verdict_only() -> None:
    assert after(OK, OK, SILENT).since == 1.0
    assert after(OK, SILENT, SILENT, SILENT, SILENT).since == 4.0
