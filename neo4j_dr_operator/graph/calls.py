"""The moments of every call to a database, told to whoever watches: nobody, except in tests of faults.

A call has three: its request is about to be sent, it was sent, its answer was read. They are taken where the bytes
leave the process, so a call that sends nothing of its own (it travels with the next one) has none. Connecting is not a
call: nothing that it sends changes anything.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal

from neo4j_dr_operator.graph import cypher

Moment = Literal["before", "sent", "after"]
Watch = Callable[[str, Moment, Callable[[], None]], None]
"""Is given the call's name, the moment, and what cuts the connection."""

_PACKAGE = __name__.partition(".")[0]
_DOOR = (f"{_PACKAGE}.graph.calls", f"{_PACKAGE}.graph.bolt_sync")
_ENTRIES = ("main", "serve", "run", "<lambda>", "<listcomp>", "<genexpr>")


class Calls:
    """The calls of a process. Without a watch it costs an attribute's look-up a call."""

    def __init__(self) -> None:
        """Nobody watches."""
        self._watch: Watch | None = None
        self._here = threading.local()

    def watch(self, watch: Watch) -> None:
        """From now on, for connections made from now on."""
        self._watch = watch

    @contextlib.contextmanager
    def passing(self, what: str) -> Iterator[None]:
        """Around one call: ``what`` is its query, or the word of a transaction's own messages."""
        if (watch := self._watch) is None:
            yield
            return
        self._here.call, self._here.sent = name(what), None
        try:
            yield
            site, cut = self._here.call, self._here.sent
        finally:
            self._here.call = None
        if cut is not None:
            watch(site, "after", cut)

    def tap(self, connection: Any) -> None:
        """Tell of what is sent over a connection of the driver."""
        if (watch := self._watch) is None:
            return
        send: Callable[[], None] = connection.send_all

        def told() -> None:
            site = getattr(self._here, "call", None)
            if site is None or self._here.sent is not None:  # only the first message of a call is its request
                send()
                return
            self._here.sent = connection.socket.close
            watch(site, "before", connection.socket.close)
            send()
            watch(site, "sent", connection.socket.close)

        connection.send_all = told


CALLS = Calls()
"""Those of this process."""


def name(what: str) -> str:
    """The call's name, the same in every run of the same code: the functions that led to it, each with the line that it
    was at, and the statement's own name."""
    frames = list(_frames(sys._getframe(1)))
    chain = [f"{_module(frame)}.{frame.f_code.co_name}:{frame.f_lineno}" for frame in reversed(frames)]
    statement = what if what.isupper() and what.isalpha() else _named(what, frames)
    return " > ".join([*chain, statement])


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """The package's own, innermost first, without entries and the door itself."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_PACKAGE) and module not in _DOOR and frame.f_code.co_name not in _ENTRIES:
            yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    module: str = frame.f_globals["__name__"]
    return module.rpartition(".")[2]


def _named(query: str, frames: list[FrameType]) -> str:
    """The constant that holds the query, in the statements' module or in one of those that led to the call."""
    for values in (vars(cypher), *(frame.f_globals for frame in frames)):
        for constant, value in values.items():
            if value == query and isinstance(value, str):
                return constant
            if isinstance(value, tuple) and query in value:
                return f"{constant}[{value.index(query)}]"
    return "(made there)"
