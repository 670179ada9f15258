"""What a command is, and what it is given. Commands are joined in `commands/__init__.py`, one module each."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TextIO

from neo4j_dr_operator.cli.text import Line, clean, paint

if TYPE_CHECKING:
    from neo4j_dr_operator.kube.user import UserKube

PROGRAM = "kubectl neo4j-dr"
UNSEEN_COLUMNS = 120
"""Width of what goes into a pipe or a file, unless COLUMNS says otherwise."""


class Exit(IntEnum):
    """Exit codes, the same for every command (docs/cli.md)."""

    FINE = 0
    UNHEALTHY = 1
    USAGE = 2
    UNREADABLE = 3
    OUR_MISTAKE = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Failure(Exception):
    """A command cannot go on: one sentence for people that names the way out, and the exit code."""

    def __init__(self, sentence: str, code: Exit = Exit.UNREADABLE) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Streams:
    """Where a command writes, and what it may know of the terminal."""

    out: TextIO
    err: TextIO
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def drawn(self) -> bool:
        """Whether what was written can be written over: a terminal that is not a dumb one."""
        return self.out.isatty() and self.environment.get("TERM") not in (None, "", "dumb")

    @property
    def colour(self) -> bool:
        """Whether colours are shown: on such a terminal, unless NO_COLOR is set to anything (no-color.org)."""
        return self.drawn and not self.environment.get("NO_COLOR")

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines that are to be filled at most."""
        if self.out.isatty():
            found = shutil.get_terminal_size()
            return found.columns, found.lines
        columns = self.environment.get("COLUMNS", "")
        return (int(columns) if columns.isdecimal() and int(columns) else UNSEEN_COLUMNS), 1_000_000

    def show(self, lines: Iterable[Line]) -> None:
        """Write lines as they are."""
        self.write(paint(lines, colour=self.colour))

    def write(self, lines: Iterable[str]) -> None:
        """Write finished text, at once; what the encoding of the stream lacks becomes an escape."""
        encoding = self.out.encoding or "utf-8"
        text = "".join(f"{line}\n" for line in lines)
        self.out.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self.out.flush()

    def warn(self, sentence: str) -> None:
        """One line on standard error."""
        self.err.write(f"{clean(sentence)}\n")
        self.err.flush()


@dataclass(frozen=True)
class Session:
    """One run of a command: its options, its streams, and the API server once it is asked for."""

    options: Namespace
    streams: Streams

    def kube(self) -> UserKube:
        """The API server with the rights of whoever runs this. Raises NoKubeconfig."""
        # the client takes half a second to import, which --help and completion of words need not wait for
        from neo4j_dr_operator.kube.user import UserKube

        return UserKube(self.options.kubeconfig, self.options.context, self.options.request_timeout)

    def namespace(self, kube: UserKube) -> str | None:
        """The namespace asked for, None for all of them."""
        if self.options.all_namespaces:
            return None
        return self.options.namespace or kube.namespace


@dataclass(frozen=True)
class Command:
    """One command. `configure` adds its arguments, beside the shared ones; `run` returns the exit code.

    `run` raises Failure or a DrError for what a person is to be told; `main` turns both into one line.
    """

    name: str
    about: str
    examples: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[Session], Exit]
    shared: bool = True
    """Whether it takes the shared options (namespace, context and so on)."""
