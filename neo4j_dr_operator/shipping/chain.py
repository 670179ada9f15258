"""The chain of one epoch in S3: where it ends, and the next link of it. The shipper keeps no position anywhere else.

The next segment's name follows from the last one's number and puts create only, so that of two shippers one is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Bucket, Encryption, Held, Receipt
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.ownership import Owner, foreign
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader
from neo4j_dr_operator.shipping.schema import SchemaName, SchemaNote
from neo4j_dr_operator.shipping.schema import folder as schema_folder
from neo4j_dr_operator.shipping.segment import Segment
from neo4j_dr_operator.shipping.watermark import Watermark

MARKER_FORMAT, VERSION = "neo4j-dr-archive", 1
MARKER = orjson.dumps({"format": MARKER_FORMAT, "version": VERSION}) + b"\n"
PAGE = 1000
PROBE = b"The store is asked to encrypt this object, and its answer is looked at before a segment is put.\n"


class SegmentConflict(errors.Stale):
    """Another shipper has put this number: go on from what is there."""

    reason = "SegmentConflict"


class NotEncrypted(errors.ObjectStoreError):
    """The store took an object and its answer does not say that it is encrypted as was asked."""

    reason = "NotEncrypted"


@dataclass(frozen=True)
class Tail:
    """The end of a chain.

    ``position`` is where segment ``number`` ends and the next one has to begin. Up to ``seen`` there is nothing to ship
    beyond it. ``covered``: ms since 1970 on the source's clock, as in a trailer.
    """

    number: int
    sha256: str
    position: Position
    seen: Position
    covered: int


def newest(after: int, page: Callable[[int, int], tuple[list[int], bool]]) -> int:
    """The highest number that is there, at least ``after``, which is (0: nothing is known to be).

    ``page(n, limit)``: up to ``limit`` numbers above ``n``, rising, and whether there are more. Numbers have no holes:
    one page where few are new, else doubling steps and halving ones, of one number each.
    """
    numbers, more = page(after, PAGE)
    low = numbers[-1] if numbers else after
    if not more:
        return low
    step = PAGE
    while found := page(low + step, 1)[0]:
        low, step = found[0], step * 2
    high = low + step
    while low < high:
        middle = (low + high) // 2
        found = page(middle, 1)[0]
        low, high = (found[0], high) if found else (low, middle)
    return low


def epochs(bucket: Bucket, archive: str) -> list[int]:
    """The epochs of which something is there."""
    return [int(folder) for folder in bucket.folders(f"{archive}/") if folder.isdigit()]


class Chain:
    """One epoch of one archive. Every method raises ObjectStoreError or ArchiveBroken unless it says more."""

    def __init__(self, bucket: Bucket, archive: str, epoch: int, encryption: Encryption | None) -> None:
        self._bucket, self._archive, self.epoch, self._encryption = bucket, archive, epoch, encryption

    def probe(self) -> None:
        """See whether the store encrypts what it is asked to. Raises :class:`NotEncrypted`."""
        if self._encryption is not None:
            self._encrypted(self._bucket.put(names.probe(self._archive), PROBE, create=False))

    def mark_format(self) -> None:
        """Say which version of the format the archive has, once; ArchiveBroken when it has another one."""
        name = names.marker(self._archive)
        text = MARKER
        held = self._bucket.get(name)
        if held is None:
            try:
                self._bucket.put(name, text, create=True)
                return
            except errors.PreconditionFailed as error:
                held = self._there(name, error)
        if held.body != text:
            raise ArchiveBroken(f"{name} is not of version {VERSION} of the format")

    def owner(self) -> Owner | None:
        """Whose the archive is; None before anybody's. Raises ArchiveBroken."""
        held = self._bucket.get(names.owner(self._archive))
        return Owner.decode(held.body) if held is not None else None

    def claim(self, resource: str, database: str) -> None:
        """See that the archive is this resource's, or become its owner where it has none; what is new is noted.

        Raises :class:`ArchiveForeign`, nothing written.
        """
        name = names.owner(self._archive)
        owner = self.owner()
        if owner is None:
            try:
                self._bucket.put(name, Owner((resource,), (database,)).encode(), create=True)
                return
            except errors.PreconditionFailed as error:
                owner = Owner.decode(self._there(name, error).body)
        if not owner.admits(resource, database):
            raise foreign(self._archive, self._bucket.address.key(name), owner, resource, database)
        if not owner.knows(resource, database):
            self._bucket.put(name, owner.joined(resource, database).encode(), create=False)

    def tail(self) -> Tail | None:
        """Where the chain ends, None when the epoch has no segment."""
        mark = self._watermark()
        number = self.number(mark.number if mark else 0)
        if number == 0:
            return None
        held = self._bucket.get(names.segment(self._archive, self.epoch, number))
        if held is None:
            raise ArchiveBroken(f"segment {number} of epoch {self.epoch} is gone")
        return self._tail(held.body, mark)

    def before(self) -> tuple[Chain, Tail] | None:
        """The newest earlier epoch that has a segment, and where it ends; None without any."""
        for epoch in sorted(epochs(self._bucket, self._archive), reverse=True):
            chain = Chain(self._bucket, self._archive, epoch, self._encryption)
            if epoch < self.epoch and (tail := chain.tail()) is not None:
                return chain, tail
        return None

    def number(self, known: int = 0) -> int:
        """The number of the last segment, at least ``known``; 0 without any. It is not looked into."""
        return newest(known, self._page)

    def remains(self) -> tuple[Tail, bool] | None:
        """Where a chain goes on whose end is damaged; None where none of its segments can be read.

        The tail has the number and the SHA-256 of the last segment that is there, and the end of the last one that can
        be read. Whether they are the same: then what stood behind is gone, and can be shipped again.
        """
        last: tuple[int, str] | None = None
        for number in range(self.number(), 0, -1):
            held = self._bucket.get(names.segment(self._archive, self.epoch, number))
            if held is None:
                continue
            last = last or (number, hashlib.sha256(held.body).hexdigest())
            try:
                tail = self._tail(held.body, None)
            except ArchiveBroken:
                continue
            return replace(tail, number=last[0], sha256=last[1]), number == last[0]
        return None

    def put(self, segment: Segment) -> None:
        """Add a segment. A lost answer is decided by what is there.

        Raises :class:`SegmentConflict` when it is another shipper's, :class:`NotEncrypted` *after* it was stored.
        """
        name = names.segment(self._archive, self.epoch, segment.header.number)
        try:
            receipt = self._bucket.put(name, segment.data, create=True, sha256=bytes.fromhex(segment.sha256))
        except errors.PreconditionFailed as error:
            held = self._there(name, error)
            if held.body != segment.data:
                raise SegmentConflict(f"another shipper has put segment {segment.header.number}") from error
            receipt = held.receipt
        self._encrypted(receipt)

    def _there(self, name: str, refused: errors.PreconditionFailed) -> Held:
        """What is in the way of a put. Raises ObjectStoreUnreachable for nothing: two puts met, both were refused."""
        held = self._bucket.get(name)
        if held is None:
            raise errors.ObjectStoreUnreachable(refused.message, code=refused.code) from refused
        return held

    def put_watermark(self, tail: Tail) -> None:
        """Say how far the archive holds everything though nothing was shipped. Raises NotEncrypted."""
        mark = Watermark(tail.number, tail.sha256, tail.seen, tail.covered)
        name = names.watermark(self._archive, self.epoch)
        self._encrypted(self._bucket.put(name, mark.encode(), create=False))

    def schema(self) -> SchemaNote | None:
        """The newest note of the epoch's schema; None without one that can be read, so that it is noted anew."""
        folder = schema_folder(self._archive, self.epoch)
        last, more = folder, True
        while more:
            found, more = self._bucket.list(folder, last, PAGE)
            last = found[-1] if found else last
        name = SchemaName.of(last)
        held = self._bucket.get(last) if name is not None else None
        if name is None or held is None:
            return None
        try:
            return SchemaNote.decode(held.body, name, self._archive)
        except ArchiveBroken:
            return None

    def put_schema(self, note: SchemaNote) -> None:
        """Note the schema. Raises NotEncrypted *after* it was stored."""
        name = note.name.key(self._archive)
        try:
            receipt = self._bucket.put(name, note.encode(), create=True)
        except errors.PreconditionFailed as error:  # one look of one source at one moment: it says the same
            receipt = self._there(name, error).receipt
        self._encrypted(receipt)

    def _encrypted(self, receipt: Receipt) -> None:
        wrong = self._encryption.denied_by(receipt) if self._encryption else None
        if wrong is not None:
            raise NotEncrypted(f"the store does not encrypt: {wrong}")

    def _page(self, after: int, limit: int) -> tuple[list[int], bool]:
        folder = names.folder(self._archive, self.epoch)
        found, more = self._bucket.list(folder, names.segment(self._archive, self.epoch, after), limit)
        return [number for name in found if (number := names.number(name)) is not None], more

    def _watermark(self) -> Watermark | None:
        """The epoch's; None when there is none of use."""
        held = self._bucket.get(names.watermark(self._archive, self.epoch))
        if held is None:
            return None
        try:
            return Watermark.decode(held.body)
        except ValueError:
            return None  # it only spares work: the segments tell the same

    def _tail(self, data: bytes, mark: Watermark | None) -> Tail:
        reader = SegmentReader(data)
        header, trailer = reader.header, reader.trailer
        if (header.archive, header.epoch) != (self._archive, self.epoch):
            raise ArchiveBroken(f"segment {header.number} belongs to epoch {header.epoch} of {header.archive}")
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            position = Position.decode(trailer.position)
        except ValueError as error:
            raise ArchiveBroken(f"segment {header.number} ends at no position") from error
        tail = Tail(header.number, sha256, position, position, trailer.covered)
        if mark is not None and (mark.number, mark.sha256) == (header.number, sha256):
            return replace(tail, seen=mark.position, covered=max(mark.covered, trailer.covered))
        return tail
