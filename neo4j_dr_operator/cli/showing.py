"""Snapshots in the form that was asked for: picture, table or document."""

from __future__ import annotations

from datetime import UTC, datetime

from neo4j_dr_operator.cli import document, summary
from neo4j_dr_operator.cli.command import Exit, Session
from neo4j_dr_operator.cli.facts import Snapshot, facts_of
from neo4j_dr_operator.cli.picture import overview, picture
from neo4j_dr_operator.cli.text import Line


def verdict(snapshots: list[Snapshot]) -> Exit:
    """FINE when every one is well."""
    return Exit.FINE if all(summary.healthy(facts_of(snapshot)) for snapshot in snapshots) else Exit.UNHEALTHY


def show(session: Session, snapshots: list[Snapshot], *, streamed: bool = False) -> None:
    """Write them in the form that was asked for."""
    form = session.options.output
    if form is None:
        session.streams.show(lines(session, snapshots))
        return
    made = document.report(snapshots[0]) if session.options.name is not None else document.reports(snapshots)
    session.streams.write([document.written(made, form, streamed=streamed)])


def lines(session: Session, snapshots: list[Snapshot]) -> list[Line]:
    """The picture of the only one, or a line for each."""
    now, columns = datetime.now(UTC), session.streams.size[0]
    if len(snapshots) == 1 and not session.options.all_namespaces:
        return picture(snapshots[0], now, columns)
    return overview(snapshots, now, columns, namespaces=session.options.all_namespaces)
