"""What an archive holds beyond a position: found, confirmed, and refused where it is of another history."""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_archive import PER_SEGMENT, Archive
from made_segments import DATABASE, MILLIS, chunk, identifier, node, segment

from neo4j_dr_operator.backup.vault import ObjectAltered, ObjectMissing
from neo4j_dr_operator.errors import ConfigInvalid, DrError, ObjectStoreError, ObjectStoreUnreachable, TargetAltered
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.restore import drain
from neo4j_dr_operator.restore.beyond import ArchiveGap, Beyond, PositionNotInArchive
from neo4j_dr_operator.restore.drain import Drain, DrainStatus
from neo4j_dr_operator.restore.drain_config import DrainConfig
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.reading import Replay
from neo4j_dr_operator.restore.sink import Sink
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.reading import SegmentReader

CONFIG = DrainConfig(
    "primary>secondary",
    2,
    "ns/dr",
    1,
    S3Address("b", "/p", access_key="k", secret_key="s"),
    Endpoint("bolt://h", "u", "p"),
)


def at(tx: int, *, database: str = DATABASE, millis: int | None = None, seq: int = 0) -> Position:
    """A position of a standby."""
    raw = struct.pack(">B16sqqq", 5, uuid.UUID(database).bytes, tx, seq, MILLIS + tx if millis is None else millis)
    return Position.decode(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


class Drained:
    """A drain of a made-up archive: which transactions it takes, and how it ends. ``asked``: objects that were read."""

    def __init__(self, archive: Archive, cursor: Position) -> None:
        self.asked: list[str] = []
        self.txs: list[int] = []
        self.error: DrError | None = None
        self._objects = archive.objects
        beyond = Beyond("ns/dr", 1, archive.tail, cursor, self._get)
        self.first = 0
        try:
            self.first = beyond.first()
            bound = Point(tx=archive.tail.position.tx)
            with Replay(beyond.segments(self.first), cursor.tx, bound).running() as replay:
                for part in replay:
                    self.txs += part.txs
        except DrError as error:
            self.error = error

    def _get(self, name: str) -> bytes | None:
        self.asked.append(name)
        return self._objects.get(name)


def flipped(archive: Archive, number: int, place: float = 0.5) -> None:
    """Alter one byte of a segment."""
    name = names.segment("ns/dr", 1, number)
    data = archive.objects[name]
    index = int(len(data) * place)
    archive.objects[name] = data[:index] + bytes([data[index] ^ 255]) + data[index + 1 :]


@settings(deadline=None)  # up to 40 segments, on a machine that does other work
@given(st.integers(1, 40), st.integers(0, 130))
def test_exactly_what_follows_the_position_is_taken(count: int, cursor: int) -> None:
    archive = Archive(count)
    drained = Drained(archive, at(cursor))
    assert drained.error is None
    assert drained.txs == list(range(cursor + 1, archive.tx + 1))
    behind = count - drained.first
    assert len(drained.asked) <= 2 * behind.bit_length() + 3 + behind + 1, "found by halves"


@given(st.integers(2, 12), st.integers(0, 36), st.data())
def test_with_one_segment_altered_or_gone_a_prefix_is_taken_and_the_rest_refused(
    count: int, cursor: int, data: st.DataObject
) -> None:
    archive = Archive(count)
    cursor = min(cursor, archive.tx)
    bad = data.draw(st.integers(2, count - 1)) if count > 2 else 2
    if data.draw(st.booleans()) and bad < count:
        del archive.objects[names.segment("ns/dr", 1, bad)]
    else:
        flipped(archive, bad, data.draw(st.floats(0, 0.99)))
    drained = Drained(archive, at(cursor))
    whole = list(range(cursor + 1, archive.tx + 1))
    if cursor >= (bad - 1) * PER_SEGMENT:
        assert drained.txs in (whole, []), "the broken one was not needed"
        return
    assert drained.txs == [tx for tx in whole if tx <= (bad - 2) * PER_SEGMENT], "nothing of it and nothing behind it"
    assert isinstance(drained.error, (ObjectAltered, ObjectMissing))


def test_a_segment_that_its_successor_does_not_know_is_not_taken() -> None:
    """Whole in itself, and not the one that was written there."""
    archive, name = Archive(5), names.segment("ns/dr", 1, 3)
    forged = chunk(node(4, "c", 4, {"tx": 4, "forged": True}, "A"), node(5, "c", 5, {}, "A"), node(6, "c", 6, {}, "A"))
    archive.objects[name] = segment(forged, header=SegmentReader(archive.objects[name]).header).data
    drained = Drained(archive, at(2))
    assert isinstance(drained.error, ObjectAltered)
    assert drained.txs == [3]


def test_what_lies_behind_a_gap_is_not_taken() -> None:
    archive = Archive(6, gap=3)  # transactions 1..6, 50 lost, 57..
    drained = Drained(archive, at(2))
    assert (drained.txs, type(drained.error)) == ([3, 4, 5, 6], ArchiveGap)
    inside = Drained(archive, at(20))
    assert (inside.txs, type(inside.error)) == ([], ArchiveGap)
    behind = Drained(archive, at(58))
    assert (behind.txs, behind.error) == (list(range(59, archive.tx + 1)), None)


def test_a_position_of_another_history_is_refused() -> None:
    """The primary was taken back to transaction 2, and numbers have gone on from there."""
    archive = Archive(6, gap=3, lost=-4)
    late = {"millis": MILLIS - 60_000}
    for cursor in (at(5, **late), at(4, **late), at(9, **late)):  # type: ignore[arg-type]
        drained = Drained(archive, cursor)
        assert drained.txs == []
        assert isinstance(drained.error, (PositionNotInArchive, ArchiveGap))


@pytest.mark.parametrize("cursor", [at(7, database=str(uuid.UUID(int=7))), at(-1)])
def test_a_position_that_no_segment_holds_is_refused(cursor: Position) -> None:
    drained = Drained(Archive(5), cursor)
    assert (drained.txs, type(drained.error)) == ([], PositionNotInArchive)


def test_an_archive_whose_beginning_was_deleted() -> None:
    archive = Archive(9)
    for number in (1, 2, 3, 4):
        del archive.objects[names.segment("ns/dr", 1, number)]
    assert Drained(archive, at(12)).txs == list(range(13, archive.tx + 1))
    refused = Drained(archive, at(4))
    assert (refused.txs, type(refused.error)) == ([], PositionNotInArchive)


def test_a_position_after_a_heartbeat_lies_between_two_transactions() -> None:
    """The stream's own positions stand at a transaction's end, and often at one that is in no segment."""
    ended = at(5, seq=0x7FFF_FFFF_FFFF_FFFF)
    assert Drained(Archive(5), ended).txs == list(range(6, 13))
    assert identifier(5) != ended.text


def test_a_drain_is_told_what_it_needs_and_keys_are_no_part_of_its_name() -> None:
    assert DrainConfig.parse(CONFIG.line()) == CONFIG
    assert "'s'" not in repr(CONFIG)
    assert CONFIG.name == "drain of ns/dr into primary>secondary"


@pytest.mark.parametrize(
    "change",
    [
        {"archiveEpoch": 2},
        {"archive": "dr"},
        {"batchSize": 0},
        {"timeout": 0},
        {"epoch": "x"},
        {"link": None, "source": 1},
    ],
)
def test_a_drain_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid):
        DrainConfig.parse(orjson.dumps({**orjson.loads(CONFIG.line()), **change}))


class Seconds:
    """Monotonic seconds that pass while somebody waits, one at a time; a patience as jobs have it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[DrError] = []

    def monotonic(self) -> float:
        return self.now

    def trouble(self, error: DrError) -> None:
        self.told.append(error)
        self.now += 1.0


def asked(monkeypatch: pytest.MonkeyPatch, answers: Callable[[float], bytes]) -> tuple[Seconds, bytes]:
    """What a drain gets out of a store that answers by the time."""
    seconds = Seconds()
    monkeypatch.setattr(drain, "time", seconds)
    job = Drain(CONFIG, DrainStatus(), seconds, Faults())  # type: ignore[arg-type]
    return seconds, job._asked(lambda: answers(seconds.now))


def test_a_silent_store_is_asked_for_a_while_and_a_refusal_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(until: float) -> Callable[[float], bytes]:
        def answer(now: float) -> bytes:
            if now < until:
                raise ObjectStoreUnreachable("silent", code="")
            return b"it"

        return answer

    def refusing(_: float) -> bytes:
        raise ObjectStoreError("no", code="AccessDenied")

    seconds, got = asked(monkeypatch, silent(14.0))
    assert (got, len(seconds.told)) == (b"it", 14)
    with pytest.raises(ObjectStoreUnreachable):
        asked(monkeypatch, silent(1e9))
    with pytest.raises(ObjectStoreError, match="no"):
        asked(monkeypatch, refusing)


class Applied(Sink):
    """A sink that notes what would be applied together, and fails where it is told to."""

    def __init__(self, broken: int | None = None) -> None:
        self.done: list[list[int]] = []
        self._broken = broken

    def apply(self, some: Sequence[Chunk], *, drained: bool = False) -> None:
        assert drained
        txs = [tx for each in some for tx in each.txs]
        if self._broken in txs:
            raise TargetAltered("somebody else wrote to it")
        self.done.append(txs)


def test_a_chunk_that_is_more_than_a_batch_is_divided_between_its_transactions() -> None:
    changes = [node(tx, "c", number, {}, "A") for number, tx in enumerate((1, 1, 2, 3, 3, 3, 4))]
    sink = Applied()
    sink.replay([chunk(*changes), chunk(node(5, "c", 9, {}, "A"))], 2, drained=True)
    assert sink.done == [[1, 1], [2], [3, 3, 3], [4, 5]]


def test_what_came_before_an_error_is_applied_once_and_what_the_target_refuses_is_not_tried_again() -> None:
    def coming() -> Iterator[Chunk]:
        for tx in range(1, 6):
            yield chunk(node(tx, "c", tx, {}, "A"))
        raise ObjectAltered("altered")

    sink = Applied()
    with pytest.raises(ObjectAltered):
        sink.replay(coming(), 2, drained=True)
    assert sink.done == [[1, 2], [3, 4], [5]]
    refused = Applied(broken=3)
    with pytest.raises(TargetAltered):
        refused.replay(coming(), 2, drained=True)
    assert refused.done == [[1, 2]]
