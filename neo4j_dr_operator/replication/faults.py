"""A hook for tests: the worker kills itself with SIGKILL at a chosen point of its protocol.

``NEO4J_DR_FAULT`` is read once at start: ``begin:N`` inside the open transaction after the N-th BEGIN and compare,
``commit:N`` inside it right before the N-th COMMIT is sent, ``committed:N`` right after the N-th is acknowledged,
``page:N`` inside the transaction of the N-th seeded page, ``checkpoint:N`` inside the N-th of the small transactions
that compact the map, ``random:SEED`` one of these chosen by the seed. A line on
standard error says which, and whether a transaction was open, so that a test can count.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

VARIABLE = "NEO4J_DR_FAULT"
POINTS = ("begin", "commit", "committed", "page", "checkpoint")
_OPEN = ("begin", "commit", "page", "checkpoint")
_REACH = 25


class Faults:
    """Counts the passes of each point and strikes at the chosen one. Without a choice it does nothing."""

    def __init__(self, choice: str | None = None, points: Sequence[str] = POINTS) -> None:
        """``choice`` as in the variable, among ``points``. Raises :class:`ValueError` for one that makes no sense."""
        self._point, self._at = "", 0
        self._passes: Counter[str] = Counter()
        if choice:
            point, _, number = choice.partition(":")
            if point == "random":
                chooser = random.Random(int(number))
                self._point, self._at = (
                    chooser.choice(points),
                    chooser.randint(1, _REACH),
                )
            elif point in points:
                self._point, self._at = point, int(number)
            else:
                raise ValueError(f"unknown fault point {point!r}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, points: Sequence[str] = POINTS) -> Faults:
        """What the variable asks for."""
        return cls(environment.get(VARIABLE), points)

    def at(self, point: str) -> None:
        """The protocol passes ``point``."""
        if point != self._point:
            return
        self._passes[point] += 1
        if self._passes[point] == self._at:
            where = "open transaction" if point in _OPEN else "no transaction"
            sys.stderr.write(f"fault {point}:{self._at} {where}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
