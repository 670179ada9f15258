"""Hooks for tests: a process kills itself with SIGKILL, stops, makes a mistake, or loses a connection, where asked to.

``NEO4J_DR_FAULT`` is read once at start: ``begin:N`` inside the open transaction after the N-th BEGIN and compare,
``commit:N`` inside it right before the N-th COMMIT is sent, ``committed:N`` right after the N-th is acknowledged,
``page:N`` inside the transaction of the N-th seeded page, ``checkpoint:N`` inside the N-th of the small transactions
that compact the map, ``random:SEED`` one of these chosen by the seed. A line on
standard error says which, and whether a transaction was open, so that a test can count. Several, parted by blanks, are
told of each; with ``stop@`` before it a point stops the process (SIGSTOP) until the test lets it go on (SIGCONT),
with ``raise@`` it raises :class:`Provoked`. Without a number the first pass is meant. ``NEO4J_DR_FAULT_STEP`` is the
same for the operator itself, whose points are the steps of an operation, each when it has just been stored.

``NEO4J_DR_CALLS`` strikes at the calls to databases instead, wherever the code makes one: see :class:`Strikes`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

VARIABLE = "NEO4J_DR_FAULT"
CALLS_VARIABLE = "NEO4J_DR_CALLS"
POINTS = ("begin", "commit", "committed", "page", "checkpoint")
_OPEN = ("begin", "commit", "page", "checkpoint")
_REACH = 25
MOMENTS = ("before", "sent", "after")
NEAR = 3
PATIENCE = 6
"""Moments of a call after which the one that was chosen for it is not waited for any more."""


class Provoked(Exception):
    """A mistake of ours, as no code expects it."""


class Faults:
    """Counts the passes of each point and strikes at the chosen ones. Without a choice it does nothing."""

    def __init__(self, choices: str | None = None, points: Sequence[str] = POINTS) -> None:
        """``choices`` as in the variable, among ``points``. Raises :class:`ValueError` for one that makes no sense."""
        self._verbs: dict[tuple[str, int], str] = {}
        self._passes: Counter[str] = Counter()
        for choice in (choices or "").split():
            verb, _, where = choice.rpartition("@")
            point, _, number = where.partition(":")
            if verb not in ("", "stop", "raise"):
                raise ValueError(f"unknown verb {verb!r} of a fault")
            if point == "random":
                chooser = random.Random(int(number))
                at = chooser.choice(points), chooser.randint(1, _REACH)
            elif point in points:
                at = point, int(number or 1)
            else:
                raise ValueError(f"unknown fault point {point!r}")
            self._verbs[at] = verb

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, points: Sequence[str] = POINTS) -> Faults:
        """What the variable asks for."""
        return cls(environment.get(VARIABLE), points)

    def at(self, point: str) -> None:
        """``point`` is passed. Raises :class:`Provoked` where that was asked for."""
        self._passes[point] += 1
        verb = self._verbs.get((point, self._passes[point]))
        if verb is not None:
            where = "open transaction" if point in _OPEN else "no transaction"
            sys.stderr.write(f"fault {point}:{self._passes[point]} {where}\n")
            sys.stderr.flush()
            if verb == "raise":
                raise Provoked(f"at {point}")
            os.kill(os.getpid(), signal.SIGSTOP if verb else signal.SIGKILL)


class Strikes:
    """What a worker does at its calls to databases, so that a test can go through every one of them.

    ``NEO4J_DR_CALLS`` holds orders ``VERB:FILE``, parted by blanks. The file has the points (moment and call, a line)
    that are done with; every new one is added to it. ``record`` adds them and does nothing else; ``kill`` ends the
    process with SIGKILL at the first new point that it passes; ``cut`` closes the connection at every new point where
    the answer is not read yet. ``kill@SEED`` strikes each call at one of its moments only, which the seed chooses, or
    at the first one where it may not come to another; calls count as one when the last :data:`NEAR` functions on the
    way to them are the same.
    """

    def __init__(self, orders: Sequence[str]) -> None:
        """Reads the files. Raises :class:`ValueError` for an order that makes no sense."""
        self._files: dict[str, Path] = {}
        self._done: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._seed: str | None = None
        self._passes: Counter[str] = Counter()
        for order in orders:
            verb, _, file = order.partition(":")
            verb, chosen, seed = verb.partition("@")
            if chosen and verb == "kill":
                self._seed = seed
            if verb not in ("record", "kill", "cut") or not file:
                raise ValueError(f"unknown order {order!r}")
            self._files[verb] = Path(file)
            self._done[verb] = set(Path(file).read_text().splitlines()) if Path(file).exists() else set()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Strikes | None:
        """What the variable asks for, None for nothing."""
        orders = environment.get(CALLS_VARIABLE, "").split()
        return cls(orders) if orders else None

    def pass_by(self, site: str, moment: str, cut: Callable[[], None]) -> None:
        """A call is at one of its moments."""
        if self._seed is not None:
            site = " > ".join(site.split(" > ")[-NEAR - 1 :])
        with self._lock:
            self._new("record", f"{moment}\t{site}")
            if self._chosen(site, moment) and self._new("kill", f"{moment}\t{site}"):
                sys.stderr.write(f"killed {moment} {site}\n")
                sys.stderr.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            if self._cuts(site, moment) and self._new("cut", f"{moment}\t{site}"):
                sys.stderr.write(f"cut {moment} {site}\n")
                cut()

    def _chosen(self, site: str, moment: str) -> bool:
        """Whether the call may be struck at this moment; at any, where it goes by without the one chosen."""
        if self._seed is None:
            return True
        if any(f"{each}\t{site}" in self._done.get("kill", ()) for each in MOMENTS):
            return False
        if self._fleeting(site, moment):
            return True
        self._passes[site] += 1
        number = zlib.crc32(f"{self._seed} {site}".encode()) % len(MOMENTS)
        return moment == MOMENTS[number] or self._passes[site] > PATIENCE

    def _fleeting(self, site: str, moment: str) -> bool:
        """Whether the call may never come to a later moment: most rollbacks are the end of an error, which need not
        happen again, and a connection that is cut here ends what was under way."""
        return site.endswith(" > ROLLBACK") or self._cuts(site, moment)

    def _cuts(self, site: str, moment: str) -> bool:
        return moment != "after" and "cut" in self._files and f"{moment}\t{site}" not in self._done["cut"]

    def _new(self, verb: str, point: str) -> bool:
        if verb not in self._files or point in self._done[verb]:
            return False
        self._done[verb].add(point)
        with self._files[verb].open("a") as file:
            file.write(point + "\n")
        return True
