"""The program: `neo4j-dr-operator run`, and what goes with it."""

from __future__ import annotations

import argparse
import asyncio
import sys

from neo4j_dr_operator import logs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo4j-dr-operator", description="Cross-region disaster recovery for Neo4j 5.26 on Kubernetes."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the operator until SIGTERM")
    scope = run.add_mutually_exclusive_group()
    scope.add_argument("--namespace", metavar="NS", help="watch this namespace only")
    scope.add_argument("--all-namespaces", action="store_true", help="watch every namespace (the default)")
    run.add_argument("--region", metavar="R", help="act on clusters of this region only (not yet: refused)")
    run.add_argument("--metrics-port", type=int, default=8080, metavar="N", help="port of /metrics, 0 for none")
    run.add_argument(
        "--liveness-port", type=int, default=0, metavar="N", help="port of /healthz and /readyz, 0 for none"
    )
    run.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    commands.add_parser("link", help="internal: the worker of one link, driven by the operator")
    commands.add_parser("ship", help="internal: the log shipper of one archive, driven by the operator")
    commands.add_parser("backup", help="internal: takes one snapshot, driven by the operator")
    commands.add_parser("restore", help="internal: brings one graph back, driven by the operator")
    commands.add_parser("drain", help="internal: brings a standby up to its archive's end, driven by the operator")
    commands.add_parser("survey", help="internal: looks whether an archive gives a point, driven by the operator")
    commands.add_parser("audit", help="internal: looks through one archive, driven by the operator")
    crds = commands.add_parser("crds", help="write the CustomResourceDefinitions, or check them against the models")
    crds.add_argument("rest", nargs=argparse.REMAINDER, metavar="[--check] DIR")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["link"]:
        from neo4j_dr_operator.replication.worker import main as work

        return work()
    if arguments[:1] == ["ship"]:
        from neo4j_dr_operator.shipping.worker import main as ship

        return ship()
    if arguments[:1] == ["backup"]:
        from neo4j_dr_operator.backup.worker import main as back_up

        return back_up()
    if arguments[:1] == ["restore"]:
        from neo4j_dr_operator.restore.worker import main as restore

        return restore()
    if arguments[:1] == ["survey"]:
        from neo4j_dr_operator.restore.look import main as survey

        return survey()
    if arguments[:1] == ["drain"]:
        from neo4j_dr_operator.restore.drain_worker import main as drain

        return drain()
    if arguments[:1] == ["audit"]:
        from neo4j_dr_operator.audit.worker import main as audit

        return audit()
    if arguments[:1] == ["crds"]:
        from neo4j_dr_operator.api.generated import main as write_crds

        return write_crds(arguments[1:])
    options = _parser().parse_args(arguments)
    if options.region:
        sys.stderr.write("--region is not supported yet: run one operator that reaches both sites\n")
        return 2
    logs.configure(options.log_level)
    from neo4j_dr_operator.operator import Options, serve

    started = Options(options.namespace, options.metrics_port, options.liveness_port)
    asyncio.run(serve(started))
    return 0


if __name__ == "__main__":
    sys.exit(main())
