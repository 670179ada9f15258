"""``kubectl_complete-neo4j_dr``: what kubectl runs when TAB is pressed behind ``kubectl neo4j-dr``.

It is given the words so far, the last of them unfinished, and answers one proposal a line, then a directive of cobra's
(``:4``: propose no files). Nothing is ever said on an error: a shell is waiting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from neo4j_dr_operator.cli.command import Failure, Session, Streams
from neo4j_dr_operator.cli.commands import COMMANDS
from neo4j_dr_operator.cli.options import Parser, parse, parser_for
from neo4j_dr_operator.cli.text import clean
from neo4j_dr_operator.errors import DrError

NO_FILES, FILES = ":4", ":0"
PATIENCE = 2.0
"""Seconds that the API server has to answer."""


def main() -> int:
    """Write the proposals for the words on the command line."""
    words = sys.argv[1:] or [""]
    try:
        found, directive = proposals(words)
    except (Failure, DrError, SystemExit):
        found, directive = [], NO_FILES
    sys.stdout.write("".join(f"{clean(word)}\n" for word in [*found, directive]))
    return 0


def proposals(words: Sequence[str]) -> tuple[list[str], str]:
    """What the last of the words may become, and the directive. Raises Failure, DrError where that cannot be told."""
    *before, last = words
    parser = parser_for(COMMANDS)
    chosen = _command(before)
    part = _parser_of(parser, chosen) if chosen else parser
    action = _awaiting(part, before)
    if action is not None:
        if action.choices:
            return _starting(last, action.choices), NO_FILES
        return [], FILES if "--kubeconfig" in action.option_strings else NO_FILES
    if last.startswith("-"):
        options = [name for action in part._actions for name in action.option_strings if name.startswith("--")]
        return _starting(last, options), NO_FILES
    if chosen is None:
        return _starting(last, [command.name for command in COMMANDS]), NO_FILES
    word = next((action for action in part._actions if not action.option_strings and action.choices), None)
    if word is not None and word.choices is not None and not set(before) & {str(choice) for choice in word.choices}:
        return _starting(last, word.choices), NO_FILES
    if not any(action.dest == "name" for action in part._actions):
        return [], NO_FILES
    return _starting(last, _resources(parser, before)), NO_FILES


def _starting(last: str, words: Iterable[object]) -> list[str]:
    return [str(word) for word in words if str(word).startswith(last)]


def _command(words: Sequence[str]) -> str | None:
    names = [command.name for command in COMMANDS]
    return next((word for word in words if word in names), None)


def _parser_of(parser: Parser, command: str) -> argparse.ArgumentParser:
    subs = next(action for action in parser._actions if action.dest == "command")
    assert isinstance(subs.choices, dict)
    found: argparse.ArgumentParser = subs.choices[command]
    return found


def _awaiting(parser: argparse.ArgumentParser, before: Sequence[str]) -> argparse.Action | None:
    """The option whose value comes next."""
    option = before[-1] if before else ""
    return next((a for a in parser._actions if option in a.option_strings and a.nargs != 0), None)


def _resources(parser: Parser, before: Sequence[str]) -> list[str]:
    """Names of the disaster recovery resources that the words so far speak of; none once one is named."""
    options = parse(parser, before)
    if options.name is not None or options.all_namespaces:
        return []
    options.request_timeout = PATIENCE
    from neo4j_dr_operator.api.base import GROUP, VERSION
    from neo4j_dr_operator.api.kinds import DISASTER_RECOVERY

    session = Session(options, Streams(sys.stdout, sys.stderr))
    kube = session.kube()
    found, _ = kube.list(GROUP, VERSION, DISASTER_RECOVERY.plural, session.namespace(kube))
    return sorted(body["metadata"]["name"] for body in found)


if __name__ == "__main__":
    sys.exit(main())
