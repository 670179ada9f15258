"""``status --watch``: the same picture, again at every change.

On a terminal it is drawn over itself, and once a second, since it shows ages. Elsewhere a new one is appended when a
resource or one of its clusters has changed.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NoReturn

from neo4j_dr_operator.cli.command import Failure, Session
from neo4j_dr_operator.cli.reading import none_there
from neo4j_dr_operator.cli.showing import lines as shown_lines
from neo4j_dr_operator.cli.showing import show
from neo4j_dr_operator.cli.text import Line, Span, clock, paint, wrap
from neo4j_dr_operator.cli.watching import Watching, relevant

TICK = 1.0
"""Seconds between two drawings of an unchanged picture."""
_HOME, _TO_LINE_END, _TO_SCREEN_END, _CLEAR = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


def watch(session: Session) -> NoReturn:
    """Show until Ctrl-C (KeyboardInterrupt). Raises what makes it impossible to go on."""
    kube = session.kube()
    namespace = session.namespace(kube)
    watching = Watching(kube, namespace, session.options.name)
    try:
        _first(session, watching, namespace)
        if session.streams.drawn and session.options.output is None:
            _draw(session, watching, namespace)
        _append(session, watching, namespace)
    finally:
        watching.close()


def _first(session: Session, watching: Watching, namespace: str | None) -> None:
    """Wait for the first sight of both kinds; a resource that is not there is said at once, as without --watch."""
    warned = False
    while not watching.view.complete:
        watching.wait(None)
        if watching.view.lost and not warned:
            session.streams.warn(f"waiting: {_lost(watching)}")
            warned = True
    name = session.options.name
    if name is not None and not watching.view.recoveries:
        raise Failure(f"there is no {name} in namespace {namespace}; without a name, all that are there are shown")


def _lost(watching: Watching) -> str:
    return next(iter(watching.view.lost.values()))


def _draw(session: Session, watching: Watching, namespace: str | None) -> NoReturn:
    streams, since = session.streams, None
    streams.out.write(_CLEAR)
    while True:
        since = (since or time.monotonic()) if watching.view.lost else None
        columns, rows = streams.size
        lines = [*_banner(watching, since, columns), *_lines(session, watching, namespace)]
        if len(lines) > rows - 1:
            hidden = len(lines) - (rows - 2)
            lines = [*lines[: rows - 2], (Span(f"... {hidden} more lines: enlarge the window", "dim"),)]
        body = "".join(f"{line}{_TO_LINE_END}\n" for line in paint(lines, colour=streams.colour))
        streams.out.write(f"{_HOME}{body}{_TO_SCREEN_END}")
        streams.out.flush()
        watching.wait(TICK)


def _banner(watching: Watching, since: float | None, columns: int) -> list[Line]:
    """Above the picture: that it is live, or since when it is not."""
    if since is None:
        return [(Span(f"{clock(datetime.now(UTC))}   live, Ctrl-C ends", "dim"),), ()]
    age = time.monotonic() - since
    text = f"NOT LIVE for {age:.0f} s, shown as last seen, tried again: {_lost(watching)}"
    return [*((Span(line, "bad"),) for line in wrap(text, columns)), ()]


def _lines(session: Session, watching: Watching, namespace: str | None) -> list[Line]:
    snapshots = watching.view.snapshots()
    if snapshots:
        return shown_lines(session, snapshots)
    name = session.options.name
    return [(Span(f"{name} was deleted" if name else none_there(namespace), "warn"),)]


def _append(session: Session, watching: Watching, namespace: str | None) -> NoReturn:
    shown: object = None
    lost = False
    while True:
        snapshots = watching.view.snapshots()
        if relevant(snapshots) != shown:
            if session.options.output is None:
                _separate(session, first=shown is None)
                session.streams.show(_lines(session, watching, namespace))
            elif snapshots or session.options.name is None:
                show(session, snapshots, streamed=True)
            shown = relevant(snapshots)
        if bool(watching.view.lost) != lost:
            lost = not lost
            session.streams.warn(f"not live: {_lost(watching)}" if lost else "live again")
        watching.wait(None)


def _separate(session: Session, *, first: bool) -> None:
    session.streams.write(([] if first else [""]) + [f"--- {clock(datetime.now(UTC))}"])
