"""The program: reads the command line, runs the command, ends with one line and an exit code when it cannot."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from neo4j_dr_operator.cli.command import PROGRAM, Exit, Failure, Session, Streams
from neo4j_dr_operator.cli.commands import COMMANDS
from neo4j_dr_operator.cli.options import parse, parser_for
from neo4j_dr_operator.errors import DrError, KubernetesError, KubernetesUnreachable, NoKubeconfig

log = logging.getLogger(PROGRAM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    streams = Streams(sys.stdout, sys.stderr)
    try:
        return _run(sys.argv[1:] if arguments is None else arguments, streams)
    except Failure as failure:
        streams.warn(f"error: {failure}")
        return failure.code
    except DrError as error:
        streams.warn(f"error: {sentence(error)}")
        return Exit.UNREADABLE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # whoever read has gone (`| head`): let the interpreter's own last flush go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception:  # the boundary of the program: exit code 1 has a meaning, and it is not this one
        log.exception("a mistake of this program; please report it")
        return Exit.OUR_MISTAKE


def _leave(number: int, _frame: FrameType | None) -> None:
    """End in order: the Kubernetes client keeps the user's key in a file, which it takes away at the end."""
    sys.exit(128 + number)


def _run(arguments: Sequence[str], streams: Streams) -> int:
    parser = parser_for(COMMANDS)
    try:
        options = parse(parser, arguments)
    except SystemExit as ended:  # after --help
        return int(ended.code or 0)
    if options.command is None:
        parser.print_help(streams.out)
        return Exit.FINE
    command = next(command for command in COMMANDS if command.name == options.command)
    return command.run(Session(options, streams))


def sentence(error: DrError) -> str:
    """One sentence on what the API server, or the way to it, said, with the way out."""
    if isinstance(error, NoKubeconfig):
        return f"no usable kubeconfig: {error.message}; set KUBECONFIG, or give --kubeconfig and --context"
    if isinstance(error, KubernetesUnreachable):
        return f"{error.message}; see whether 'kubectl version' gets an answer, or choose another --context"
    if isinstance(error, KubernetesError) and error.status == 401:
        return "the API server does not know you: sign in again, or choose another --context"
    if isinstance(error, KubernetesError) and error.status == 403:
        return f"you may not do this: {error.message}; ask for the right, or choose another --context or --namespace"
    return error.message
