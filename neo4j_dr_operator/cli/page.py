"""A page that is filled from top to bottom: titles in a column of their own, text beside it. Pure."""

from __future__ import annotations

from datetime import datetime

from neo4j_dr_operator.cli.text import Line, Span, Style, clean, pad, span_of_time, width, wrap

TITLES = 12
"""Columns of the titles."""


class Page:
    """Lines of at most `columns` columns, made at the moment `now`."""

    def __init__(self, columns: int, now: datetime) -> None:
        """Empty."""
        self.columns, self._now = columns, now
        self.lines: list[Line] = []
        self._title: Span | None = None

    def section(self, title: str, *, bold: bool = False) -> None:
        """Begin a section: its title stands beside the text that comes next."""
        self._title = Span(pad(title, TITLES), "bold" if bold else "dim")

    def row(self, *spans: Span) -> None:
        """One line as it is, at the left edge. It is wrapped as plain text where it is too long."""
        whole = "".join(clean(span.text) for span in spans)
        if width(whole) <= self.columns:
            self.lines.append(spans)
        else:
            self.lines += [(Span(line, "bold"),) for line in wrap(whole, self.columns)]

    def spans(self, *spans: Span) -> None:
        """One line beside the titles, with its styles; where it is too long, wrapped in the style of its first span."""
        whole = "".join(clean(span.text) for span in spans)
        if width(whole) <= self.columns - TITLES:
            self.lines.append((self._beside(), *spans))
        else:
            self.text(whole, style=spans[0].style, hang=2)

    def text(self, text: str, style: Style = "plain", *, indent: int = TITLES, hang: int = 0) -> None:
        """A text, wrapped; lines after the first stand `hang` columns further in."""
        for number, line in enumerate(wrap(text, self.columns - indent - hang)):
            first = self._beside() if indent == TITLES else Span(" " * indent)
            self.lines.append((first, Span(" " * (hang if number else 0)), Span(line, style)))

    def nested(self, text: str, indent: int, style: Style = "plain") -> None:
        """A text, wrapped, that stands `indent` columns further in on every line."""
        for line in wrap(text, self.columns - TITLES - indent):
            self.lines.append((self._beside(), Span(" " * indent), Span(line, style)))

    def marked(self, mark: Span, text: str, style: Style = "plain") -> None:
        """A text behind a mark, wrapped beside it."""
        indent = width(mark.text)
        for number, line in enumerate(wrap(text, self.columns - TITLES - indent)):
            self.lines.append((self._beside(), Span(" " * indent) if number else mark, Span(line, style)))

    def command(self, line: str) -> None:
        """A line to be typed: never wrapped, so that it can be copied."""
        self.lines.append((self._beside(), Span("$ ", "dim"), Span(line)))

    def _beside(self) -> Span:
        title, self._title = self._title or Span(" " * TITLES), None
        return title

    def since(self, at: datetime | None) -> str:
        """`` for 3m12s``, or nothing when the moment is not known."""
        return "" if at is None else f" for {span_of_time((self._now - at).total_seconds())}"

    def ago(self, at: datetime) -> str:
        """``3m12s ago``."""
        return f"{span_of_time((self._now - at).total_seconds())} ago"
