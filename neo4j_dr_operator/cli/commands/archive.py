"""``archive verify`` and ``archive status``: what an archive can bring back, and whether all of it is in order."""

from __future__ import annotations

from argparse import ArgumentParser

from neo4j_dr_operator.cli.command import Command, Exit, Failure, Session
from neo4j_dr_operator.cli.options import add_output
from neo4j_dr_operator.cli.raw import Document

EXAMPLES = """
kubectl neo4j-dr archive status                            from when to when can be restored, as known now
kubectl neo4j-dr archive verify cross-region-dr            look whether everything is there, and read what is new
kubectl neo4j-dr archive verify cross-region-dr --full     read every byte; the operator does it, in the cluster
kubectl neo4j-dr archive verify cross-region-dr -o json    for programs (form: docs/cli.md)
kubectl neo4j-dr archive verify cross-region-dr >/dev/null && echo intact
"""
ANSWER = 60.0
"""Seconds in which an operator that is there says that it has begun."""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("status", "verify"), help="status: what is known; verify: look again, and wait for it"
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="disaster recovery resource (default: the only one)")
    parser.add_argument("--full", action="store_true", help="read every object, whenever it was read last")
    add_output(parser)


def _run(session: Session) -> Exit:
    from neo4j_dr_operator.cli import archives, asking, document

    options = session.options
    if options.action == "status" and options.full:
        raise Failure("--full goes with verify", Exit.USAGE)
    kube = session.kube()
    namespace, recovery = asking.chosen(session, kube)
    name = str(recovery["metadata"]["name"])
    if (why_not := archives.impossible(recovery)) is not None:
        raise Failure(why_not)
    if options.action == "verify":
        recovery = _verified(session, namespace, name)
    if options.output is None:
        session.streams.show(archives.lines(f"{namespace}/{name}", recovery))
    else:
        made = archives.report(namespace, name, recovery)
        session.streams.write([document.written(made, options.output, streamed=False)])
    return {True: Exit.FINE, False: Exit.UNHEALTHY, None: Exit.UNREADABLE}[archives.intact(recovery)]


def _verified(session: Session, namespace: str, name: str) -> Document:
    """The resource after a check. Raises Failure where there was none."""
    from neo4j_dr_operator.cli import archives, asking
    from neo4j_dr_operator.cli.progress import ProgressLine
    from neo4j_dr_operator.verify.pace import Progress

    kube = session.kube()
    value = asking.ask(kube, namespace, name, archives.ANNOTATION, archives.FULL if session.options.full else "")
    if asking.follow(session, kube, name, lambda body: archives.check(body, value), ANSWER) is None:
        raise Failure(
            f"no operator has begun it within {ANSWER:.0f} s; see 'kubectl neo4j-dr status {name}': archives are "
            "looked through once there is an epoch"
        )
    line = ProgressLine(session.streams)

    def look(body: Document) -> tuple[archives.Check, Document] | None:
        found = archives.check(body, value)
        if found is None:
            raise Failure("somebody else has asked for another check meanwhile")
        line.tell(Progress("reading the archive", found.percent, 100))
        return (found, body) if found.ended else None

    try:
        ended = asking.follow(session, kube, name, look, None)
    finally:
        line.end()
    assert ended is not None
    found, body = ended
    if found.state == "Failed":
        raise Failure(f"it could not be checked: {found.message}")
    return body


COMMAND = Command(
    name="archive",
    about="show from when to when can be restored, and check the archive",
    examples=EXAMPLES,
    configure=_configure,
    run=_run,
)
