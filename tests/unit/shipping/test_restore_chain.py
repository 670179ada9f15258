"""Which point lies where, and which segments lead there: with made-up segments, whole, altered, and with gaps."""

from __future__ import annotations

import base64
import struct
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_archive import Archive
from made_segments import DATABASE, MILLIS, identifier

from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.vault import ObjectAltered, ObjectMissing
from neo4j_dr_operator.errors import ConfigInvalid, ObjectStoreError, ObjectStoreUnreachable
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.refusals import S3AccessDenied
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.restore import reading
from neo4j_dr_operator.restore.chain import Link, links, reach
from neo4j_dr_operator.restore.point import Point, millis, moment
from neo4j_dr_operator.restore.refusals import Nearest, PointAfterEnd, PointInGap
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Tail
from neo4j_dr_operator.shipping.segment import Header, Segment, SegmentWriter


def manifest(tx: int, number: int = 0) -> Manifest:
    """A snapshot at a transaction, begun when segment ``number`` was the last one."""
    at = identifier(tx)
    return Manifest(
        archive="ns/dr",
        epoch=1,
        segment=number,
        site="primary",
        database=DATABASE,
        start=at,
        position=at,
        latest=MILLIS + tx,
        covered=MILLIS + tx,
        created=0,
        nodes_end=0,
        relationships_end=0,
        schema=(),
        chunks=(),
        amendments=(),
    )


class Restorable(Archive):
    """An archive as a restore goes through it."""

    def links(self, base: Manifest, point: Point) -> list[Link]:
        """What is to be replayed."""
        return links(base, point, self.tail, self.objects.get, lambda number: None)

    def replayed(self, base: Manifest, point: Point) -> list[int]:
        """The transactions that are replayed, as a restore takes them."""
        segments = reading.segments(self.links(base, point), self.objects.get)
        with reading.Replay(segments, base.tx, point).running() as replay:
            return [tx for part in replay for tx in part.txs]


points = st.one_of(
    st.builds(lambda n: Point(millis=MILLIS + n), st.integers(0, 24)),
    st.builds(lambda n: Point(tx=n), st.integers(0, 24)),
)


@given(st.integers(1, 6), st.integers(0, 14), points)
def test_a_point_gives_exactly_what_lies_before_it_or_is_refused(count: int, base: int, point: Point) -> None:
    """Transaction n is committed n ms after the beginning, so times and numbers are one."""
    archive = Restorable(count)
    base = min(base, archive.tx)
    wanted = point.tx if point.tx is not None else (point.millis or 0) - MILLIS
    start = manifest(base)
    if wanted < base:
        assert not point.holds(start)
        return
    assert point.holds(start)
    if wanted > archive.tx + 5:
        with pytest.raises(PointAfterEnd):
            archive.links(start, point)
        return
    assert archive.replayed(start, point) == list(range(base + 1, min(wanted, archive.tx) + 1))


def test_a_gap_is_not_crossed_and_both_its_sides_are_reached() -> None:
    archive = Restorable(5, gap=3)  # transactions 1..6, 50 lost, 57..
    before = manifest(2)
    assert archive.replayed(before, Point(tx=6)) == [3, 4, 5, 6]
    for point in (Point(tx=7), Point(tx=58), Point(millis=MILLIS + 7), Point(millis=MILLIS + 58), Point()):
        with pytest.raises(
            PointInGap, match=r"nearest before: .*, transaction 6 of epoch 1; nearest after: none"
        ) as error:
            archive.links(before, point)
        after = Nearest(MILLIS + 56, 56, 1)
        assert str(error.value.followed_by(after)).endswith(f"transaction 6 of epoch 1; nearest after: {after}")
    assert reach(before, archive.tail, archive.objects.get) == Nearest(MILLIS + 6, 6, 1)
    behind = manifest(56)
    assert reach(behind, archive.tail, archive.objects.get) == Nearest(archive.tail.covered, archive.tail.seen.tx, 1)
    assert archive.replayed(behind, Point(tx=58)) == [57, 58]
    assert archive.replayed(manifest(57), Point(tx=58)) == [58]


def test_a_gap_into_an_earlier_state_is_not_taken_for_a_continuation() -> None:
    archive = Restorable(5, gap=3, lost=-4)
    with pytest.raises(PointInGap):
        archive.links(manifest(6), Point(tx=8))


def test_every_object_on_the_way_is_looked_at() -> None:
    base, point = manifest(0), Point(tx=9)
    archive = Restorable(5)
    assert [link.changes for link in archive.links(base, point)] == [0, 3, 3, 3]
    assert archive.replayed(manifest(4, number=2), point) == [5, 6, 7, 8, 9]
    name = names.segment("ns/dr", 1, 3)
    whole = archive.objects[name]
    for at in range(0, len(whole), 7):
        archive.objects[name] = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
        with pytest.raises(ObjectAltered, match=name):
            archive.links(base, point)
    archive.objects[name] = Archive(5, gap=3).objects[names.segment("ns/dr", 1, 2)]
    with pytest.raises(ObjectAltered, match=name):
        archive.links(base, point)
    del archive.objects[name]
    with pytest.raises(ObjectMissing, match=name):
        archive.links(base, point)


def segment(number: int, txs: list[tuple[int, int]], covered: int, before: Segment | None) -> Segment:
    """Transactions, each with the milliseconds at which it was committed; that of `covered` is a heartbeat's."""
    begin = before.trailer.position if before is not None else identifier(0)
    header = Header(
        "ns/dr", 1, "primary", number, DATABASE, begin, before.sha256 if before is not None else None, None, 0
    )
    writer = SegmentWriter(header)
    for tx, at in txs:
        position = timed(tx, at)
        after = {"labels": ["A"], "properties": {}}
        element = f"4:{DATABASE}:{tx}"
        writer.add(
            Chunk(False, position.text, position, [position.text], [tx], ["c"], [element], [["A"]], [""], [""], [after])
        )
    return writer.close(timed(txs[-1][0], txs[-1][1]), MILLIS + covered)


def timed(tx: int, at: int) -> Position:
    raw = struct.pack(">B16sqqq", 5, uuid.UUID(DATABASE).bytes, tx, 0, MILLIS + at)
    return Position.decode(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def same_millisecond() -> tuple[dict[str, bytes], Tail]:
    """Transaction 2 is committed in the millisecond that segment 1 ends with, and shipped with segment 2."""
    first = segment(1, [(1, 3)], 5, None)
    second = segment(2, [(2, 5), (3, 6)], 6, first)
    third = segment(3, [(4, 7)], 7, second)
    objects = {names.segment("ns/dr", 1, each.header.number): each.data for each in (first, second, third)}
    end = timed(4, 7)
    return objects, Tail(3, third.sha256, end, end, MILLIS + 7)


def test_what_was_committed_in_the_millisecond_of_the_point_belongs_to_it_whatever_segment_it_is_in() -> None:
    objects, tail = same_millisecond()
    point = Point(millis=MILLIS + 5)
    found = links(manifest(0), point, tail, objects.get, lambda number: None)
    assert [names.number(link.name) for link in found] == [1, 2]
    with reading.Replay(reading.segments(found, objects.get), 0, point).running() as replay:
        assert [tx for part in replay for tx in part.txs] == [1, 2]
    assert len(links(manifest(0), Point(tx=1), tail, objects.get, lambda number: None)) == 1
    base = replace(manifest(1, number=1), latest=MILLIS + 3, covered=MILLIS + 5)
    assert [names.number(link.name) for link in links(base, point, tail, objects.get, lambda number: None)] == [2]


@pytest.mark.parametrize("damage", [None, b"x", S3AccessDenied("no"), ObjectStoreUnreachable("no answer")])
def test_the_one_segment_more_is_no_condition_of_a_point_that_is_covered(
    damage: bytes | ObjectStoreError | None,
) -> None:
    objects, tail = same_millisecond()
    second = names.segment("ns/dr", 1, 2)

    def fetch(name: str) -> bytes | None:
        if name == second and isinstance(damage, ObjectStoreError):
            raise damage
        return damage if name == second and not isinstance(damage, ObjectStoreError) else objects.get(name)

    def asked() -> list[Link]:
        return links(manifest(0), Point(millis=MILLIS + 5), tail, fetch, lambda number: None)

    if isinstance(damage, ObjectStoreUnreachable):
        with pytest.raises(ObjectStoreUnreachable):
            asked()
    else:
        assert [names.number(link.name) for link in asked()] == [1]


def test_a_snapshot_alone_covers_what_it_says() -> None:
    base = manifest(4)
    assert links(base, Point(tx=4), None, {}.get, lambda number: None) == []
    assert links(base, Point(), None, {}.get, lambda number: None) == []
    with pytest.raises(PointAfterEnd, match="transaction 4"):
        links(base, Point(tx=5), None, {}.get, lambda number: None)


def test_times_of_any_offset() -> None:
    for text in ("2025-01-15T10:30:00Z", "2025-01-15T16:00:00+05:30", "2025-01-15t10:30:00.000999z"):
        assert moment(millis(text)) == "2025-01-15T10:30:00.000Z"
    for wrong in ("2025-01-15", "2025-01-15T10:30:00", "now", "", "2025-13-01T00:00:00Z"):
        with pytest.raises(ConfigInvalid):
            millis(wrong)
    assert Point.parse({"transaction": 7, "epoch": 2}) == Point(tx=7, epoch=2)
    assert Point.parse({"position": identifier(9)}) == Point(tx=9, database=DATABASE)
    for raw in ({}, {"time": "2025-01-15T10:30:00Z", "transaction": 1}, {"position": "x"}):
        with pytest.raises(ConfigInvalid):
            Point.parse(raw)
