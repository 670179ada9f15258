"""What an archive holds beyond a position: the segments behind it, each confirmed by the next one (no I/O of its own).

See docs/archive-format.md. A position belongs to one database and one history of it; anything else is refused, because
the same transaction number may stand there for another transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from neo4j_dr_operator.backup.vault import ObjectAltered, ObjectMissing
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.restore.reading import Segments, ahead
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Tail
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader
from neo4j_dr_operator.shipping.segment import Header

RISING_MILLIS = 10_000
"""Commit times nearly rise: no transaction is committed later than one behind it by more than this."""
Fetch = Callable[[str], bytes | None]
"""The bytes of an object by its name, None when there is none."""


class PositionNotInArchive(DrError):
    """No segment of the epoch holds the position: what follows it is not known to be there without a hole."""

    reason = "PositionNotInArchive"


class ArchiveGap(DrError):
    """Between the position and the archive's end stands something that the archive lacks."""

    reason = "ArchiveGap"


@dataclass(frozen=True)
class _Piece:
    """One segment, as it stands in S3, with what its header says. ``begin``: position before it."""

    number: int
    name: str
    data: bytes
    sha256: str
    header: Header
    begin: Position


class Beyond:
    """One epoch of an archive, seen from ``cursor``. Every method raises ArchiveBroken and what ``fetch`` raises."""

    def __init__(self, archive: str, epoch: int, tail: Tail, cursor: Position, fetch: Fetch) -> None:
        """``tail``: the epoch's end, as it was read; nothing behind it is looked at."""
        self._archive, self._epoch, self._tail, self._cursor, self._fetch = archive, epoch, tail, cursor, fetch

    def first(self) -> int:
        """The number of the segment in which the position lies: steps that double from the end, then halving ones.

        Raises :class:`PositionNotInArchive`.
        """
        number = self._search(self._tail.number, gone=False)
        if number > 1 and self._piece(number) is None:  # a hole perhaps, before which the position may still lie
            number = self._search(number - 1, gone=True)
        piece = self._piece(number)
        if piece is None or not self._before(piece):
            raise PositionNotInArchive(
                f"no segment of epoch {self._epoch} holds transaction {self._cursor.tx}, where the standby is"
            )
        self._of_this_history(piece)
        return number

    def _search(self, last: int, *, gone: bool) -> int:
        """The highest number up to ``last`` that does not begin behind the position, else 1.

        ``gone``: what to say of one that is not there. The oldest are deleted first, so at first it counts as one that
        does not; one that cannot be read counts as behind, because what stands before it can still be taken.
        """
        low, high, step = last, last + 1, 1
        while low > 1 and self._behind(low, gone):
            low, high, step = max(1, low - step), low, step * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._behind(middle, gone) else (middle, high)
        return low

    def segments(self, first: int) -> Segments:
        """Names and bytes from segment ``first`` to the end, each whole, and the one before the next.

        A segment is given when the next one has its checksum. Raises :class:`ArchiveGap` before a segment that does not
        go on where the last one ended, :class:`ObjectMissing`, :class:`ObjectAltered`.
        """
        held: _Piece | None = None
        for number, piece in ahead(range(first, self._tail.number + 1), self._whole):
            if held is not None:
                if isinstance(piece, _Piece) and piece.header.previous != held.sha256:
                    raise ObjectAltered(f"{piece.name} does not follow {held.name}: one of both was altered")
                yield held.name, held.data
            if not isinstance(piece, _Piece):
                raise piece
            if number > first and piece.header.start is not None:
                raise ArchiveGap(f"{piece.name} begins behind a gap: what was committed in it is in no archive")
            held = piece
        if held is not None:
            if held.sha256 != self._tail.sha256:
                raise ObjectAltered(f"{held.name} is another one than a moment ago")
            yield held.name, held.data

    def _whole(self, number: int) -> _Piece | DrError:
        """The segment, read to its end and compared with its checksums; or what is wrong with it."""
        try:
            piece = self._piece(number)
            if piece is None:
                name = names.segment(self._archive, self._epoch, number)
                return ObjectMissing(f"{name} is not there, and segments behind it are")
            SegmentReader(piece.data).trailer  # noqa: B018
        except ObjectAltered as error:
            return error
        except ArchiveBroken as error:
            return ObjectAltered(f"segment {number} of epoch {self._epoch}: {error.message}")
        return piece

    def _piece(self, number: int) -> _Piece | None:
        name = names.segment(self._archive, self._epoch, number)
        data = self._fetch(name)
        if data is None:
            return None
        try:
            header = SegmentReader(data).header
            begin = Position.decode(header.position)
        except (ArchiveBroken, ValueError) as error:
            raise ObjectAltered(f"{name}: {error}") from error
        if (header.archive, header.epoch, header.number) != (self._archive, self._epoch, number):
            raise ObjectAltered(f"{name} holds segment {header.number} of epoch {header.epoch} of {header.archive}")
        return _Piece(number, name, data, hashlib.sha256(data).hexdigest(), header, begin)

    def _behind(self, number: int, gone: bool) -> bool:
        """Whether the segment begins behind the position."""
        try:
            piece = self._piece(number)
        except ObjectAltered:
            return True
        return gone if piece is None else not self._before(piece)

    def _before(self, piece: _Piece) -> bool:
        return piece.header.database == self._cursor.database and piece.begin.tx <= self._cursor.tx

    def _of_this_history(self, piece: _Piece) -> None:
        """After a database was taken back to an earlier state, its transactions have the same numbers again."""
        cursor = self._cursor
        other = PositionNotInArchive(f"{piece.name} has another history than the standby at transaction {cursor.tx}")
        lost = piece.header.start and piece.header.start.lost
        if lost and Position.decode(lost).tx > max(cursor.tx, piece.begin.tx):
            raise other
        if not cursor.commit_millis:
            return
        latest = cursor.commit_millis + RISING_MILLIS
        for at in self._until_cursor(piece):
            if at.commit_millis > latest:
                raise other

    def _until_cursor(self, piece: _Piece) -> Iterator[Position]:
        """Where the segment begins, and after each of its transactions up to the cursor's."""
        yield piece.begin
        for batch in SegmentReader(piece.data).batches():
            for text in dict.fromkeys(batch.chunk.ids):
                at = Position.decode(text)
                if at.tx > self._cursor.tx:
                    return
                yield at
