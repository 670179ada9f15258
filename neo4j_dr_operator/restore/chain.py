"""The segments between a snapshot and a point: each there, unchanged and in its place, before anything is written.

See docs/archive-format.md, "What a reader does".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.vault import ObjectAltered, ObjectMissing, unusable
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.refusals import Nearest, PointAfterEnd, PointInGap
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Tail
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader
from neo4j_dr_operator.shipping.segment import Header, Trailer

Fetch = Callable[[str], bytes | None]
"""The bytes of an object by its name, None when there is none."""


@dataclass(frozen=True)
class Link:
    """A segment that is to be replayed: its name, the SHA-256 of its bytes, and how many changes it has."""

    name: str
    sha256: str
    changes: int


def links(
    manifest: Manifest, point: Point, tail: Tail | None, fetch: Fetch, checked: Callable[[int], None]
) -> list[Link]:
    """The segments to replay over the snapshot, in their order; ``checked`` is told the number of each one.

    ``tail``: the end of the epoch's chain, None without one. Raises :class:`PointInGap`, :class:`PointAfterEnd`,
    :class:`ArchiveBroken`, which names the object.
    """
    if point.snapshot is not None:
        return []
    walk = _Walk(manifest, fetch)
    if tail is not None:
        for number in range(manifest.segment + 1, tail.number + 1):
            there = point.reached(walk.tx, walk.covered)
            if there and point.millis is None:
                return walk.links
            try:  # a time is covered by a segment behind which others of the same millisecond may stand: one more
                whole = walk.step(number)
            except DrError as error:
                if there and unusable(error):
                    return walk.links
                raise
            if whole is None:
                _in_gap(point, walk)
                break
            checked(number)
            if there or walk.beyond(point):
                return walk.links
    seen, covered = walk.tx, walk.covered
    if tail is not None and walk.whole:
        seen, covered = max(seen, tail.seen.tx), max(covered, tail.covered)
    everything = point.millis is None and point.tx is None
    if everything or point.reached(max(seen, manifest.tx), max(covered, manifest.covered)):
        return walk.links
    known = Nearest(max(covered, manifest.covered), max(seen, manifest.tx), manifest.epoch)
    raise PointAfterEnd(f"the archive does not know yet what was committed up to {point}", before=known)


def reach(manifest: Manifest, tail: Tail | None, fetch: Fetch) -> Nearest:
    """The last point that the snapshot and the segments behind it give: up to a gap, a damaged one, or the end."""
    walk = _Walk(manifest, fetch)
    try:
        for number in range(manifest.segment + 1, (tail.number if tail else 0) + 1):
            if walk.step(number) is None:
                break
    except ArchiveBroken:
        walk.whole = False
    if tail is not None and walk.whole:
        return Nearest(max(tail.covered, walk.covered), max(tail.seen.tx, walk.tx), manifest.epoch)
    return walk.end


def _in_gap(point: Point, walk: _Walk) -> None:
    """The chain goes on behind a gap. Raises :class:`PointInGap` unless the point lies before it."""
    if point.reached(walk.tx, walk.covered):
        return
    raise PointInGap(
        f"after transaction {walk.tx} the archive has a gap, and {point} does not lie before it", before=walk.end
    )


class _Walk:
    """From segment to segment. ``tx`` and ``covered``: up to where everything is there."""

    def __init__(self, manifest: Manifest, fetch: Fetch) -> None:
        self._manifest, self._fetch = manifest, fetch
        self.links: list[Link] = []
        self.tx, self.covered = manifest.tx, manifest.covered
        self.whole = True
        self._last: tuple[str, Trailer] | None = None

    @property
    def end(self) -> Nearest:
        """The last point that is there."""
        return Nearest(self.covered, self.tx, self._manifest.epoch)

    def step(self, number: int) -> Header | None:
        """Look at one more segment; None when what stands before it is not whole."""
        name = names.segment(self._manifest.archive, self._manifest.epoch, number)
        data = self._fetch(name)
        if data is None:
            raise ObjectMissing(f"{name} is not there, and segments behind it are")
        try:
            reader = SegmentReader(data)
            header, trailer = reader.header, reader.trailer
            begin, end = Position.decode(header.position), Position.decode(trailer.position)
        except (ArchiveBroken, ValueError) as error:
            raise ObjectAltered(f"{name}: {error}") from error
        self._belongs(name, number, header)
        sha256 = hashlib.sha256(data).hexdigest()
        if header.database != self._manifest.database or begin.tx > self.tx or regressed(header):
            self.whole = False
            return None
        self._last = sha256, trailer
        self.links.append(Link(name, sha256, trailer.changes))
        self.tx, self.covered = max(self.tx, end.tx), max(self.covered, trailer.covered)
        return header

    def _belongs(self, name: str, number: int, header: Header) -> None:
        manifest = self._manifest
        if (header.archive, header.epoch, header.number) != (manifest.archive, manifest.epoch, number):
            raise ObjectAltered(f"{name} holds segment {header.number} of epoch {header.epoch} of {header.archive}")
        if self._last is not None:
            sha256, before = self._last
            if header.previous != sha256 or (header.start is None and header.position != before.position):
                before_it = names.segment(manifest.archive, manifest.epoch, number - 1)
                raise ObjectAltered(f"{name} does not follow {before_it}: one of both was altered")

    def beyond(self, point: Point) -> bool:
        """Whether a transaction behind the point was seen."""
        assert self._last is not None
        last = self._last[1].last
        return point.millis is not None and last is not None and last > point.millis


def regressed(header: Header) -> bool:
    """Whether the segment stands behind a gap into an earlier state: other transactions of the same numbers."""
    start = header.start
    if start is None or start.lost is None:
        return False
    return Position.decode(start.lost).tx > Position.decode(header.position).tx
