"""Words, numbers and lines for a terminal. Pure.

A line is a row of spans, each a text with the *name* of a style. Only `paint` makes escape sequences, and it
neutralises whatever control characters a text brings along: messages come from databases and from other people.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Style = Literal["plain", "bold", "dim", "good", "warn", "bad"]

_SEQUENCES: dict[Style, str] = {"bold": "1", "dim": "2", "good": "32", "warn": "33", "bad": "1;31"}


@dataclass(frozen=True)
class Span:
    """A piece of a line, in one style. `text` may hold anything; it is made harmless when it is painted."""

    text: str
    style: Style = "plain"


Line = tuple[Span, ...]


def clean(text: str) -> str:
    """The text with every character that a terminal would obey, or hide, written out (``\\x1b``, ``\\u202e``)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def width(text: str) -> int:
    """Columns that a cleaned text takes on a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) != 0 for char in text)


def pad(text: str, columns: int) -> str:
    """The cleaned text, filled with blanks to so many columns."""
    shown = clean(text)
    return shown + " " * (columns - width(shown))


def clip(text: str, columns: int) -> str:
    """The cleaned text, cut to so many columns with ``...`` at its end where it is longer."""
    shown = clean(text)
    if width(shown) <= columns:
        return shown
    while shown and width(shown) > max(0, columns - 3):
        shown = shown[:-1]
    return (shown + "...")[: max(0, columns)]


def wrap(text: str, columns: int) -> list[str]:
    """The cleaned text in lines of at most so many columns, broken at blanks, and inside a word that is longer."""
    lines, line = [], ""
    for word in clean(text).split(" "):
        if not word:
            continue
        if line and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while width(line) > columns > 0:
            cut = _fitting(line, columns)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line or not lines else lines


def _fitting(text: str, columns: int) -> int:
    """How many characters of the text fit; at least one."""
    taken = 0
    for index, char in enumerate(text):
        taken += width(char)
        if taken > columns:
            return max(1, index)
    return len(text)


def paint(lines: Iterable[Line], *, colour: bool) -> list[str]:
    """The lines as text; with `colour`, in the sequences that every terminal since the VT220 knows."""
    return ["".join(_painted(span, colour) for span in line).rstrip() for line in lines]


def _painted(span: Span, colour: bool) -> str:
    text = clean(span.text)
    if not colour or span.style == "plain" or not text.strip():
        return text
    return f"\x1b[{_SEQUENCES[span.style]}m{text}\x1b[0m"


def table(rows: Sequence[Sequence[Span]], gap: int = 2) -> list[Line]:
    """Rows with their columns aligned."""
    columns = [max(width(clean(row[i].text)) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        (*(Span(pad(span.text, columns[i] + gap), span.style) for i, span in enumerate(row[:-1])), row[-1])
        for row in rows
    ]


def span_of_time(seconds: float) -> str:
    """A span of time in at most two units: ``0.4 s``, ``12 s``, ``3m12s``, ``5h07m``, ``12d04h``. Never negative."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for big, small, name, lesser in ((60, 1, "m", "s"), (3600, 60, "h", "m"), (86400, 3600, "d", "h")):
        if whole < big * (60 if name == "m" else 24) or name == "d":
            return f"{whole // big}{name}{whole % big // small:02d}{lesser}"
    raise AssertionError("the last unit takes everything")


def clock(at: datetime) -> str:
    """A moment in UTC, to the second, as Kubernetes writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: float, one: str, many: str | None = None) -> str:
    """``1 transaction``, ``12,000 transactions``."""
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"


def size(number: float) -> str:
    """Bytes in binary units: ``512 B``, ``1.5 KiB``, ``2.0 GiB``."""
    if number < 1024:
        return f"{number:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        number /= 1024
        if number < 1024:
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} TiB"


def bar(part: float, columns: int = 20) -> str:
    """A share between 0 and 1 as ``[#####...............]``; full only when it is 1."""
    filled = columns if part >= 1 else int(max(0.0, part) * columns)
    return f"[{'#' * filled}{'.' * (columns - filled)}]"
