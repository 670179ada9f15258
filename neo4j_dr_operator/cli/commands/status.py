"""``status``: one picture of both sides, for a person in the middle of the night or for a program."""

from __future__ import annotations

from argparse import ArgumentParser

from neo4j_dr_operator.cli.command import Command, Exit, Failure, Session
from neo4j_dr_operator.cli.options import add_output
from neo4j_dr_operator.cli.showing import show, verdict

EXAMPLES = """
kubectl neo4j-dr status                              the only one in full, or one line each
kubectl neo4j-dr status cross-region-dr              both sides, what is wrong, what to do next
kubectl neo4j-dr status cross-region-dr -w           the same, drawn again at every change; Ctrl-C ends it
kubectl neo4j-dr status -A                           one line for each resource of every namespace
kubectl neo4j-dr status cross-region-dr -o json      for programs (form: docs/cli.md)
kubectl neo4j-dr status cross-region-dr >/dev/null && echo healthy
"""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="disaster recovery resource (default: all)")
    parser.add_argument("-w", "--watch", action="store_true", help="show it again at every change, until Ctrl-C")
    add_output(parser)


def _run(session: Session) -> Exit:
    options = session.options
    if options.name is not None and options.all_namespaces:
        raise Failure("NAME and -A/--all-namespaces do not go together: give -n/--namespace", Exit.USAGE)
    if options.watch:
        from neo4j_dr_operator.cli.live import watch  # threads and queues, for those who watch

        return watch(session)
    from neo4j_dr_operator.cli import reading

    kube = session.kube()
    namespace = session.namespace(kube)
    if options.name is not None:
        assert namespace is not None
        snapshots = [reading.read_one(kube, namespace, options.name)]
    else:
        snapshots = reading.read_all(kube, namespace)
    if not snapshots and options.output is None:
        raise Failure(reading.none_there(namespace))
    show(session, snapshots)
    return verdict(snapshots)


COMMAND = Command(
    name="status",
    about="show both sides of a disaster recovery in one picture",
    examples=EXAMPLES,
    configure=_configure,
    run=_run,
)
