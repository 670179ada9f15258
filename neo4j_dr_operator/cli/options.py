"""The command line: shared options, commands, help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from neo4j_dr_operator.cli.command import PROGRAM, Command, Exit, Failure

_DEFAULTS: dict[str, object] = {
    "namespace": None,
    "all_namespaces": False,
    "context": None,
    "kubeconfig": None,
    "request_timeout": 10.0,
}
"""Of the shared options, which may stand before the command or after it."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise Failure with the way out."""
        raise Failure(f"{message} (see: {self.prog} --help)", Exit.USAGE)


def _seconds(text: str) -> float:
    """Seconds as a number or in kubectl's way, ``10s``."""
    value = float(text.removesuffix("s"))
    if not 0 < value <= 3600:
        raise ValueError(text)
    return value


def _add_shared(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("shared options, as of kubectl")
    # no defaults here: what stands before the command must not be overwritten by what does not stand after it
    where = group.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", metavar="NS", default=argparse.SUPPRESS, help="namespace of the resources")
    where.add_argument(
        "-A", "--all-namespaces", action="store_true", default=argparse.SUPPRESS, help="resources of every namespace"
    )
    group.add_argument("--context", metavar="NAME", default=argparse.SUPPRESS, help="context of the kubeconfig")
    group.add_argument("--kubeconfig", metavar="FILE", default=argparse.SUPPRESS, help="kubeconfig to use")
    group.add_argument(
        "--request-timeout", metavar="SECONDS", type=_seconds, default=argparse.SUPPRESS,
        help="how long one request to the API server may take (default: 10)",
    )  # fmt: skip


def add_output(parser: argparse.ArgumentParser) -> None:
    """``-o json|yaml``, for the commands that have a document to write."""
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="write a document instead, for programs")


def parser_for(commands: Sequence[Command]) -> Parser:
    """The parser of the whole program."""
    parser = Parser(
        prog=PROGRAM,
        description="Disaster recovery of Neo4j clusters, seen and steered from a terminal.",
        epilog=f"'{PROGRAM} COMMAND --help' shows what a command takes, with examples.",
    )
    _add_shared(parser)
    chosen = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for command in commands:
        sub = chosen.add_parser(
            command.name,
            help=command.about,
            description=command.about[0].upper() + command.about[1:] + ".",
            epilog=f"examples:\n{_indented(command.examples)}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(sub)
        if command.shared:
            _add_shared(sub)
    return parser


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


def parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """The options with their defaults. Raises Failure for a wrong command line, SystemExit after ``--help``."""
    options = parser.parse_args(list(arguments), argparse.Namespace(**_DEFAULTS))
    if options.namespace is not None and options.all_namespaces:
        parser.error("argument -n/--namespace: not allowed with argument -A/--all-namespaces")
    return options
