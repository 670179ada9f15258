"""One resource as a picture of both sides, and many as a table. Pure: documents and a moment in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from neo4j_dr_operator.cli import advice, sections, summary
from neo4j_dr_operator.cli.facts import Facts, Snapshot, facts_of
from neo4j_dr_operator.cli.page import Page
from neo4j_dr_operator.cli.text import Line, Span, Style, clip, span_of_time, table

NARROW = 40
"""Columns below which nothing is laid out narrower: a terminal may cut, a picture must not fail."""


def picture(snapshot: Snapshot, now: datetime, columns: int) -> list[Line]:
    """The whole picture of one resource in at most `columns` columns (a word of a name may be broken, never lost).

    What is wrong and what to do about it come first, what is well comes last.
    """
    facts = facts_of(snapshot)
    page = Page(max(columns, NARROW), now)
    _header(page, facts)
    if not facts.unseen:
        sections.operation(page, facts)
        sections.sites(page, facts)
        sections.links(page, facts)
        sections.requests(page, facts)
        sections.failover(page, facts)
        sections.archive(page, facts)
        sections.conditions(page, facts)
        sections.not_supported(page, facts)
        sections.history(page, facts)
    return page.lines


def _header(page: Page, facts: Facts) -> None:
    wrong = summary.reasons(facts)
    verdict = Span("NOT HEALTHY", "bad") if wrong else Span("HEALTHY", "good")
    epoch = f"   epoch {facts.epoch}" if facts.epoch is not None else ""
    head = f"{facts.namespace}/{facts.name}"
    page.row(Span(head, "bold"), Span("   "), Span(facts.phase, phase_style(facts)), Span(f"{epoch}   "), verdict)
    if facts.message:
        page.text(facts.message, indent=0)
    page.section("Next", bold=True)
    advised = advice.next_step(facts)
    page.text(advised.sentence, style="bold")
    for command in advised.commands:
        page.command(command)
    if wrong:
        sections.alarms(page, facts)
    if facts.written is not None:
        page.section("Status")
        page.text(
            f"last changed {page.ago(facts.written)}" + (f", of generation {facts.observed}" * bool(facts.observed))
        )


def phase_style(facts: Facts) -> Style:
    """Green only where the other side follows and is ready."""
    if facts.phase == "Replicating":
        return "good"
    bad = ("Degraded", "Diverged", "FailingOver", "Restored", "Undecided", "Unprotected")
    return "bad" if facts.phase in bad else "warn"


def overview(snapshots: Sequence[Snapshot], now: datetime, columns: int, *, namespaces: bool) -> list[Line]:
    """One line for each resource; with `namespaces`, their namespace first. The next step is cut at the edge."""
    names = ["NAMESPACE"] * namespaces + ["NAME", "HEALTH", "PHASE", "EPOCH", "ACTIVE", "LAG", "AGE", "NEXT"]
    rows: list[Sequence[Span]] = [[Span(name, "dim") for name in names]]
    for snapshot in snapshots:
        facts = facts_of(snapshot)
        wrong = summary.reasons(facts)
        lag = next((link.lag_seconds for link in facts.links if link.lag_seconds is not None), None)
        age = (now - facts.created).total_seconds() if facts.created else None
        rows.append(
            [
                *([Span(facts.namespace)] * namespaces),
                Span(facts.name, "bold"),
                Span("not healthy", "bad") if wrong else Span("healthy", "good"),
                Span(facts.phase, phase_style(facts)),
                Span("-" if facts.epoch is None else str(facts.epoch)),
                Span(facts.active_cluster or "-"),
                Span("-" if lag is None else span_of_time(lag)),
                Span("-" if age is None else span_of_time(age)),
                Span(advice.next_step(facts).sentence),
            ]
        )
    return [_cut(line, columns) for line in table(rows)]


def _cut(line: Line, columns: int) -> Line:
    """The line with its last span cut, so that it takes at most `columns`, but leaves that span a few words."""
    taken = sum(len(span.text) for span in line[:-1])
    return (*line[:-1], Span(clip(line[-1].text, max(NARROW, columns - taken)), line[-1].style))
