"""``version``: of this program."""

from __future__ import annotations

from argparse import ArgumentParser

import neo4j_dr_operator
from neo4j_dr_operator.cli.command import Command, Exit, Session


def _configure(_parser: ArgumentParser) -> None:
    """No arguments."""


def _run(session: Session) -> Exit:
    session.streams.write([f"neo4j-dr {neo4j_dr_operator.__version__}"])
    return Exit.FINE


COMMAND = Command(
    name="version",
    about="show the version of this program",
    examples="kubectl neo4j-dr version",
    configure=_configure,
    run=_run,
    shared=False,
)
