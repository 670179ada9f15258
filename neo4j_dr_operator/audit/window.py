"""The recoverable window: which points in time an archive can give, and why not the others (pure).

This is what :mod:`neo4j_dr_operator.restore.survey` would find for every single point, told for all of them at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from neo4j_dr_operator.audit.facts import Copy, Mark, Piece
from neo4j_dr_operator.restore.point import moment

Bad = Mapping[int, str]
"""Numbers of segments that cannot be used, and why: the kind of the finding."""


@dataclass(frozen=True)
class Chapter:
    """One epoch. ``tail``: number of its last segment as far as known; ``copies``: those that can be used,
    in their order."""

    epoch: int
    pieces: Mapping[int, Piece] = field(default_factory=dict)
    bad: Bad = field(default_factory=dict)
    copies: Sequence[Copy] = ()
    mark: Mark | None = None
    tail: int = 0

    @property
    def begins(self) -> int | None:
        """When it began, by the first segment or snapshot that can be read."""
        if self.pieces:
            return self.pieces[min(self.pieces)].begins
        return self.copies[0].begins if self.copies else None


@dataclass(frozen=True)
class Span:
    """Points from ``first`` to ``last`` (ms since 1970, both included). ``why``: what comes behind it, for people.

    ``open``: it goes on with the archive: what is shipped next belongs to it.
    """

    first: int
    last: int
    epoch: int
    why: str
    open: bool = False


@dataclass(frozen=True)
class Gap:
    """No point between ``last`` (the last one before it) and ``first`` (the first one after it) can be restored."""

    last: int
    first: int
    reason: str


@dataclass(frozen=True)
class Window:
    """Every point that can be restored lies in one of the spans, and every point of a span can be.

    ``pending``: the newest snapshot gives none yet, but will as soon as a little more is archived.
    """

    spans: tuple[Span, ...] = ()
    pending: bool = False

    @property
    def earliest(self) -> int | None:
        """The first point."""
        return self.spans[0].first if self.spans else None

    @property
    def latest(self) -> int | None:
        """The last point."""
        return self.spans[-1].last if self.spans else None

    @property
    def open(self) -> bool:
        """Whether the last point moves on with what is shipped."""
        return bool(self.spans) and self.spans[-1].open

    @property
    def gaps(self) -> list[Gap]:
        """What lies between the spans."""
        found = []
        for left, right in zip(self.spans, self.spans[1:], strict=False):
            reason = left.why
            if left.epoch != right.epoch:
                reason = f"EpochBoundary: epoch {right.epoch} can be restored from its first whole snapshot on"
            found.append(Gap(left.last, right.first, reason))
        return found

    def holds(self, millis: int) -> bool:
        """Whether a point can be restored."""
        return any(span.first <= millis <= span.last for span in self.spans)


def window(chapters: Sequence[Chapter]) -> Window:
    """The window of an archive from its epochs, in rising order."""
    spans: list[Span] = []
    until: float = math.inf
    for chapter in reversed(chapters):
        first = chapter is chapters[0]
        begins = chapter.begins
        if begins is None and chapter.bad and not first:
            break  # nobody knows which points lie before it
        if begins is None and not first:
            continue
        since = -math.inf if first or begins is None else begins
        spans += _owned(chapter, since, until)
        until = min(until, since)
    return Window(tuple(_joined(sorted(spans, key=lambda span: (span.first, span.last)))), _pending(chapters))


def _pending(chapters: Sequence[Chapter]) -> bool:
    if not chapters or not chapters[-1].copies or not chapters[-1].tail:
        return False  # where nothing is shipped, nothing more will come
    newest = chapters[-1].copies[-1]
    last, _, whole = _reach(chapters[-1], newest, math.inf)
    return whole and last < newest.latest


def _owned(chapter: Chapter, since: float, until: float) -> list[Span]:
    """The spans of one epoch, whose points lie from ``since`` on and before ``until``.

    A point belongs to the newest snapshot that lies before it.
    """
    found = []
    newer: float = until
    for copy in reversed(chapter.copies):
        if copy.latest < newer:
            last, why, whole = _reach(chapter, copy, newer)
            ends = min(last, newer - 1)
            begins = max(copy.latest, since)
            if begins <= ends:
                open_ = whole and newer == math.inf
                found.append(Span(int(begins), int(ends), chapter.epoch, why, open_))
            newer = copy.latest
    return found


def _reach(chapter: Chapter, copy: Copy, enough: float) -> tuple[int, str, bool]:
    """The last point that a snapshot and the segments behind it give, what stops them there, and whether it is the end
    of the archive. No further than ``enough``."""
    tx, covered = copy.name.tx, copy.covered
    before: Piece | None = None
    for number in range(copy.name.segment + 1, chapter.tail + 1):
        if covered >= enough:
            return covered, "", False
        piece = chapter.pieces.get(number)
        if piece is None:
            return covered, f"{chapter.bad.get(number, 'Missing')}: segment {number} of epoch {chapter.epoch}", False
        if before is not None and not piece.follows(before):
            sentence = f"segment {number} of epoch {chapter.epoch} does not follow the one before"
            return covered, f"Altered: {sentence}", False
        if piece.database != copy.database or piece.begin[0] > tx or piece.regressed:
            sentence = f"behind segment {number - 1} of epoch {chapter.epoch} the database's log did not go back so far"
            return covered, f"Gap: {sentence}", False
        before, tx, covered = piece, max(tx, piece.end[0]), max(covered, piece.covered)
    last, mark = chapter.pieces.get(chapter.tail), chapter.mark
    if mark is not None and last is not None and (mark.number, mark.sha256) == (last.number, last.sha256):
        covered = max(covered, mark.covered)
    return covered, f"NotArchived: nothing is known of what was committed after {moment(covered)}", True


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans that touch each other as one."""
    made: list[Span] = []
    for span in spans:
        if made and span.first <= made[-1].last + 1:
            left = made.pop()
            ending = span if span.last >= left.last else left
            made.append(Span(left.first, ending.last, ending.epoch, ending.why, left.open or span.open))
        else:
            made.append(span)
    return made
