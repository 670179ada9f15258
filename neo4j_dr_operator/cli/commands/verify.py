"""``verify``: are primary and standby the same graph? Reads both databases, writes to neither."""

from __future__ import annotations

import argparse
import gc
from argparse import ArgumentParser

from neo4j_dr_operator.cli.command import Command, Exit, Failure, Session
from neo4j_dr_operator.cli.options import add_output

EXAMPLES = """
kubectl neo4j-dr verify cross-region-dr                 compare primary and standby while writes go on
kubectl neo4j-dr verify cross-region-dr --limit 100     name the first 100 differences
kubectl neo4j-dr verify cross-region-dr --values        show values too: they are your data
kubectl neo4j-dr verify cross-region-dr --rate 20000    read at most 20,000 elements a second on each side
kubectl neo4j-dr verify cross-region-dr -o json         for programs (form: docs/verify.md)

from outside of the cluster, with kubectl port-forward to each database:
kubectl neo4j-dr verify cross-region-dr --uri primary-cluster=bolt://localhost:7687 \\
    --uri secondary-cluster=bolt://localhost:7688
"""


def _way(text: str) -> tuple[str, str]:
    cluster, equals, uri = text.partition("=")
    if not (cluster and equals and "://" in uri):
        raise argparse.ArgumentTypeError(f"{text!r} is not CLUSTER=URI")
    return cluster, uri


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="disaster recovery resource")
    parser.add_argument("--standby", metavar="CLUSTER", help="which standby, where there are several")
    parser.add_argument(
        "--uri", metavar="CLUSTER=URI", type=_way, action="append", default=[],
        help="where a cluster's database is reached from here, if not where its spec says; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--limit", metavar="N", type=_positive, default=20, help="end after N differences (default: 20)"
    )
    parser.add_argument("--rate", metavar="N", type=_positive, help="read at most N elements a second on each side")
    parser.add_argument("--values", action="store_true", help="show the values of properties that differ")
    parser.add_argument("--without-schema", action="store_true", help="leave constraints and indexes out")
    add_output(parser)


def _run(session: Session) -> Exit:
    options = session.options
    if options.all_namespaces:
        raise Failure("verify compares one resource: give -n/--namespace", Exit.USAGE)
    # the database driver and numpy take a second to import, which no other command needs
    from neo4j_dr_operator.cli import document, findings, reading
    from neo4j_dr_operator.cli.progress import ProgressLine
    from neo4j_dr_operator.cli.ways import ways
    from neo4j_dr_operator.errors import DatabaseError
    from neo4j_dr_operator.verify.run import Options, verify
    from neo4j_dr_operator.verify.verdict import CannotCompare

    kube = session.kube()
    namespace = session.namespace(kube)
    assert namespace is not None
    ends = ways(kube, namespace, reading.read_one(kube, namespace, options.name), dict(options.uri))
    standby = _standby(options.standby, list(ends))
    gc.set_threshold(100_000, 50, 50)  # collections over pages of elements are pure loss
    progress = ProgressLine(session.streams)
    wanted = Options(limit=options.limit, rate=options.rate, schema=not options.without_schema)
    try:
        verdict = verify(ends, wanted, progress.tell, standby)
    except CannotCompare as error:
        hint = ""
        if isinstance(error.__cause__, DatabaseError):
            hint = "; where that address is not for this machine, forward a port to the database and give --uri"
        raise Failure(f"could not compare: {error.message}{hint}") from error
    finally:
        progress.end()
    if options.output is None:
        session.streams.show(findings.lines(verdict, values=options.values))
    else:
        made = findings.report(verdict, values=options.values)
        session.streams.write([document.written(made, options.output, streamed=False)])
    return Exit.FINE if verdict.equal else Exit.UNHEALTHY


def _standby(asked: str | None, clusters: list[str]) -> str | None:
    if asked is None:
        if len(clusters) > 2:
            raise Failure(f"which standby? Give --standby: there are {', '.join(clusters[1:])}", Exit.USAGE)
        return None
    if asked not in clusters:
        raise Failure(f"--standby names {asked}; the clusters of this resource are {', '.join(clusters)}", Exit.USAGE)
    return asked


COMMAND = Command(
    name="verify",
    about="compare the graphs of primary and standby, while writes go on",
    examples=EXAMPLES,
    configure=_configure,
    run=_run,
)
