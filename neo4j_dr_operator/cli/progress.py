"""How far a long command is, on standard error: one line that is written over, or a line now and then."""

from __future__ import annotations

import time

from neo4j_dr_operator.cli.command import Streams
from neo4j_dr_operator.cli.text import bar, clip
from neo4j_dr_operator.verify.pace import Progress

OFTEN, SELDOM = 0.2, 10.0
"""Seconds between two lines, on a terminal and elsewhere."""


class ProgressLine:
    """Writes what it is told, not too often."""

    def __init__(self, streams: Streams) -> None:
        self._streams, self._drawn = streams, streams.err.isatty()
        self._next = time.monotonic() + (0.0 if self._drawn else SELDOM)
        self._written = False

    def tell(self, progress: Progress) -> None:
        """Something was done."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (OFTEN if self._drawn else SELDOM)
        if progress.total:
            text = f"{bar(progress.done / progress.total)} {progress.doing} {progress.done:,} of {progress.total:,}"
        else:
            text = progress.doing
        if self._drawn:
            self._streams.err.write(f"\r\x1b[K{clip(text, self._streams.size[0] - 1)}")
            self._streams.err.flush()
            self._written = True
        else:
            self._streams.warn(text)

    def end(self) -> None:
        """Take the line away."""
        if self._written:
            self._streams.err.write("\r\x1b[K")
            self._streams.err.flush()
            self._written = False
