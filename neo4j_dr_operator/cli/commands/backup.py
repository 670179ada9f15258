"""``backup now``: ask the operator for a snapshot, and follow it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from neo4j_dr_operator.cli.command import Command, Exit, Failure, Session
from neo4j_dr_operator.cli.raw import Document

if TYPE_CHECKING:
    from neo4j_dr_operator.cli.backups import Answer
    from neo4j_dr_operator.kube.user import UserKube

EXAMPLES = """
kubectl neo4j-dr backup now                           of the only resource of the namespace
kubectl neo4j-dr backup now cross-region-dr           ask for it, and say whether it was begun
kubectl neo4j-dr backup now cross-region-dr --wait    until it is complete; exit code 1 when it failed or was refused

the same without this program:
kubectl annotate n4dr cross-region-dr --overwrite neo4j.neo4j.com/backup-requested-at="$(date -u +%FT%TZ)"
"""
ANSWER = 30.0
"""Seconds in which an operator that is there says what it does."""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("now",), help="now: take a snapshot at once")
    parser.add_argument("name", metavar="NAME", nargs="?", help="disaster recovery resource (default: the only one)")
    parser.add_argument("--wait", action="store_true", help="follow it until it is complete")


def _run(session: Session) -> Exit:
    from neo4j_dr_operator.cli import asking, backups
    from neo4j_dr_operator.cli.progress import ProgressLine
    from neo4j_dr_operator.verify.pace import Progress

    kube, streams = session.kube(), session.streams
    namespace, recovery = asking.chosen(session, kube)
    name = str(recovery["metadata"]["name"])
    why_not = backups.impossible(recovery)
    if why_not is not None:
        raise Failure(f"no snapshot was asked for: {why_not}", Exit.UNHEALTHY)
    value = asking.ask(kube, namespace, name, backups.ANNOTATION)
    answer = _begun(session, kube, name, value)
    if session.options.wait and not answer.ended:
        line = ProgressLine(streams)

        def look(body: Document) -> Answer | None:
            percent, doing = backups.progress(body)
            line.tell(Progress(doing, percent, 100))
            found = backups.answer(body, value)
            return found if found is not None and found.ended else None

        try:
            answer = asking.follow(session, kube, name, look, None) or answer
        finally:
            line.end()
    if answer.state in ("Refused", "Failed"):
        raise Failure(f"the snapshot {backups.PAST[answer.state]}: {answer.message}", Exit.UNHEALTHY)
    streams.write([backups.sentence(namespace, name, answer)])
    return Exit.FINE


def _begun(session: Session, kube: UserKube, name: str, request: str) -> Answer:
    """The operator's first answer. With ``--wait`` a base that is being taken is waited for. Raises Failure."""
    from neo4j_dr_operator.cli import asking, backups

    before = {"base": False}

    def look(body: Document) -> Answer | None:
        before["base"] = backups.waits_for_base(body)
        return backups.answer(body, request)

    while (answer := asking.follow(session, kube, name, look, ANSWER)) is None:
        if before["base"] and session.options.wait:
            continue
        after = "the snapshot of the log archive's own is complete" if before["base"] else "the active site answers"
        raise Failure(
            f"asked for, but no operator has begun it within {ANSWER:.0f} s; see 'kubectl neo4j-dr status {name}': it "
            f"is begun as soon as {after}"
        )
    return answer


COMMAND = Command(
    name="backup",
    about="take a snapshot at once",
    examples=EXAMPLES,
    configure=_configure,
    run=_run,
)
