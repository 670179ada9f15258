"""What the story looks like: chapters, steps with their times, commands and what they answer.

On a terminal the step that runs is one line that is drawn again and again; elsewhere (a pipe, a file, a dumb
terminal) nothing is drawn twice. No colour there, and none when ``NO_COLOR`` is set.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

INDENT = "         "
SLOW_LINE = 5.0
"""Seconds between two lines of a step's progress where it cannot be drawn in place."""
TICK = 0.2
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def clock(seconds: float) -> str:
    """Time since the beginning, ``1:07``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Screen:
    """One story on one stream."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._stream, self._start = stream, time.monotonic()
        self._drawn = stream.isatty() and environment.get("TERM") != "dumb"
        self._colour = self._drawn and not environment.get("NO_COLOR")
        self._fancy = "utf" in (getattr(stream, "encoding", None) or "").lower()
        self._lock = threading.RLock()
        self._title: str | None = None
        self._began = self._said = 0.0
        self._live = ""
        self._end = threading.Event()
        threading.Thread(target=self._tick, daemon=True, name="screen").start()

    def close(self) -> None:
        """Draw nothing any more."""
        self._end.set()
        with self._lock:
            self._wipe()
            self._title = None

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start

    # -- words ------------------------------------------------------------------------------------------------------
    def style(self, text: str, *styles: str) -> str:
        """The text in a style, where styles are shown."""
        if not self._colour or not styles:
            return text
        return f"\x1b[{';'.join(STYLES[style] for style in styles)}m{text}\x1b[0m"

    def plain(self, text: str) -> str:
        """The text with signs that the terminal knows."""
        return text if self._fancy else text.replace("→", "->").encode("ascii", "replace").decode()

    def title(self, text: str, below: str) -> None:
        """The first lines."""
        self._line(f"\n{self.style(text, 'bold')}\n{self.style(below, 'dim')}")

    def chapter(self, number: int, title: str, about: str) -> None:
        """A new chapter and one sentence on it."""
        self._line(f"\n{self.style(f'{number}. {title}', 'bold', 'cyan')}   {self.style(about, 'dim')}")

    def note(self, text: str, *styles: str) -> None:
        """A detail of the step."""
        for line in text.split("\n"):
            self._line(f"{INDENT}{self.style(line, *styles)}".rstrip())

    def command(self, line: str) -> None:
        """A command as it is typed."""
        self._line(f"{INDENT}{self.style('$', 'dim')} {self.style(line, 'yellow')}")

    def answer(self, text: str) -> None:
        """What a command printed."""
        for line in text.splitlines():
            self._line(f"{INDENT}{self.style(f'  {line}', 'dim')}")

    # -- steps ------------------------------------------------------------------------------------------------------
    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step: shown while it runs, then with the time it took; marked when it fails."""
        with self._lock:
            self._title, self._live = title, ""
            self._began = self._said = time.monotonic()
            if self._drawn:
                self._draw()
            else:
                self._line(f"{clock(self.elapsed):>6} . {title}")
        try:
            yield
        except BaseException as error:
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self._finish(word, "x" if not self._fancy else "✗", "red")
            raise
        self._finish("", "ok" if not self._fancy else "✓", "green")

    def _finish(self, word: str, sign: str, colour: str) -> None:
        took = f"{word} after " if word else ""
        with self._lock:
            title, self._title = self._title, None
            seconds = self.style(f"{took}{time.monotonic() - self._began:.1f} s", "dim")
            self._wipe()
            self._line(f"{clock(self.elapsed):>6} {self.style(sign, colour)} {title}  {seconds}")

    def live(self, text: str) -> None:
        """How the step is going: drawn in place, or said now and then."""
        with self._lock:
            self._live = self.plain(text)
            if text and not self._drawn and time.monotonic() - self._said >= SLOW_LINE:
                self._said = time.monotonic()
                self._line(f"{INDENT}{text}")

    # -- drawing ----------------------------------------------------------------------------------------------------
    def _line(self, text: str) -> None:
        with self._lock:
            self._wipe()
            self._stream.write(self.plain(text) + "\n")
            self._draw()
            self._stream.flush()

    def _wipe(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[2K")

    def _draw(self) -> None:
        if self._drawn and self._title is not None:
            width = shutil.get_terminal_size().columns
            took = time.monotonic() - self._began
            text = f"{clock(self.elapsed):>6} . {self._title}  {took:.0f} s  {self._live}"
            self._stream.write("\r\x1b[2K" + text[: width - 1])
            self._stream.flush()

    def _tick(self) -> None:
        while not self._end.wait(TICK):
            with self._lock:
                self._draw()
