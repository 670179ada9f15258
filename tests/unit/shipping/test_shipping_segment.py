"""A segment gives back what was put into it, to the last bit, for ever; anything else is refused."""

from __future__ import annotations

import gzip
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_segments import MILLIS, chunk, head, identifier, node, relationship, segment
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time
from pytz import FixedOffset, timezone

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader
from neo4j_dr_operator.shipping.segment import BLOCK, Segment, SegmentWriter, Start
from tests.compare import canonical
from tests.database.values import VALUES

GOLDEN = Path(__file__).parent / "golden" / "000000000002.seg"
ZONES = ("Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "UTC")

texts = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(width=64)
offsets = st.integers(-1080, 1080).map(FixedOffset)
dates = st.dates().map(Date.from_native)
local_times = st.integers(0, 86_399_999_999_999).map(Time.from_ticks)
local_moments = st.tuples(st.datetimes(), st.integers(0, 999)).map(
    lambda parts: DateTime.from_native(parts[0]).replace(nanosecond=parts[0].microsecond * 1000 + parts[1])
)
zoned = st.builds(
    lambda moment, zone, ns: DateTime.from_native(zone.normalize(moment.astimezone(zone))).replace(nanosecond=ns),
    st.datetimes(
        min_value=datetime(1900, 1, 1),
        max_value=datetime(2037, 1, 1),
        timezones=st.just(timezone("UTC")),
    ),
    st.sampled_from(ZONES).map(timezone),
    st.integers(0, 999_999_999),
)
small = st.integers(-(2**31), 2**31)
durations = st.builds(
    lambda m, d, s, n: Duration(months=m, days=d, seconds=s, nanoseconds=n), small, small, small, st.integers(0, 10**9)
)
points = st.one_of(
    st.tuples(floats, floats).map(CartesianPoint),
    st.tuples(floats, floats, floats).map(CartesianPoint),
    st.tuples(floats, floats).map(WGS84Point),
    st.tuples(floats, floats, floats).map(WGS84Point),
)
scalars: tuple[st.SearchStrategy[Any], ...] = (
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    floats,
    texts,
    st.binary(),
    dates,
    local_times,
    st.builds(lambda time, zone: time.replace(tzinfo=zone), local_times, offsets),
    local_moments,
    st.builds(lambda moment, zone: moment.replace(tzinfo=zone), local_moments, offsets),
    zoned,
    durations,
    points,
)
values = st.one_of(*scalars, *(st.lists(scalar, max_size=3) for scalar in scalars))
properties = st.dictionaries(texts, values, max_size=4)


def bits(value: Any) -> str:
    """Equal exactly when type and value are, NaN by its bits."""
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, CartesianPoint | WGS84Point):
        return f"{type(value).__name__}:{[bits(coordinate) for coordinate in value]}"
    if type(value) is list:
        return f"[{','.join(bits(item) for item in value)}]"
    return canonical(value)


def told(read: Chunk) -> list[tuple[Any, ...]]:
    """The changes of a chunk, comparable."""
    rows = zip(read.txs, read.operations, read.elements, read.names, read.starts, read.ends, read.afters, strict=True)
    return [
        (*row[:6], after and (after.get("labels"), {key: bits(value) for key, value in after["properties"].items()}))
        for row in rows
        for after in [row[6]]
    ]


def changes(made: Segment) -> list[tuple[Any, ...]]:
    """All changes that stand in a segment."""
    return [row for batch in SegmentReader(made.data).batches() for row in told(batch.chunk)]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(properties, st.lists(texts, max_size=2)), min_size=1, max_size=4))
def test_every_value_comes_back_to_the_last_bit(elements: list[tuple[dict[str, Any], list[str]]]) -> None:
    rows = [node(n, "c", n, props, *labels) for n, (props, labels) in enumerate(elements, 1)]
    rows += [relationship(n + 10, "u", n, 1, 1, props) for n, (props, _) in enumerate(elements, 1)]
    taken = chunk(*rows)
    assert changes(segment(taken)) == told(taken)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_every_type(name: str) -> None:
    taken = chunk(node(1, "c", 1, {name: VALUES[name]}, "A"))
    assert changes(segment(taken)) == told(taken)


def test_the_word_null_in_a_text_is_a_text() -> None:
    taken = chunk(node(1, "c", 1, {"a": "null", "b": [":null", "x"], "null": float("nan"), "c": "[null"}, "null"))
    assert changes(segment(taken)) == told(taken)


def test_nan_keeps_its_bits() -> None:
    (odd,) = struct.unpack(">d", bytes.fromhex("7ff0dead0000beef"))
    taken = chunk(node(1, "c", 1, {"a": odd, "b": [odd]}))
    assert changes(segment(taken))[0][6][1] == {"a": "7ff0dead0000beef", "b": "[7ff0dead0000beef]"}


def test_header_trailer_and_times_come_back() -> None:
    first, second = chunk(node(3, "c", 1, {}), node(3, "c", 2, {})), chunk(node(7, "d", 1, {}))
    header = head(1, None, Start("gap", "here"))
    made = segment(first, second, header=header)
    reader = SegmentReader(made.data)
    batches = list(reader.batches())
    assert reader.header == header
    assert reader.trailer == made.trailer
    assert [batch.times for batch in batches] == [[MILLIS + 3], [MILLIS + 7]]
    assert [batch.chunk.cursor for batch in batches] == [identifier(3, 1), identifier(7)]
    trailer = made.trailer
    assert (trailer.transactions, trailer.changes, trailer.first, trailer.last) == (2, 3, MILLIS + 3, MILLIS + 7)


def test_bookkeeping_is_left_out() -> None:
    """Its nodes, its transactions; a user's node that holds the word stays."""
    beat = node(2, "u", 9, {"heartbeat": 1}, "__Neo4jDR", "__Neo4jDRSite")
    user = node(3, "c", 1, {"text": '"__Neo4jDR"', "label": "__Neo4jDR"}, "A")
    made = segment(chunk(node(1, "c", 9, {}, "__Neo4jDR"), beat, user, node(3, "u", 9, {}, "__Neo4jDR")), chunk(beat))
    assert changes(made) == told(chunk(user))
    assert (made.trailer.transactions, made.trailer.changes) == (1, 1)
    assert b"heartbeat" not in gzip.decompress(made.data)
    assert segment(chunk(beat)).trailer.first is None


def test_a_large_transaction_stands_in_several_blocks() -> None:
    rows = [node(1, "c", n, {"n": n}, "A") for n in range(BLOCK * 2 + 7)] + [node(2, "d", 1, {}, "A")]
    taken = chunk(*rows)
    made = segment(taken)
    lines = gzip.decompress(made.data).splitlines()
    assert len(lines) == 2 + 3
    assert max(line.count(b'"labels"') for line in lines) == BLOCK
    (batch,) = SegmentReader(made.data).batches()
    assert told(batch.chunk) == told(taken)
    assert batch.times == [MILLIS + 1, MILLIS + 2]


def test_equal_contents_are_equal_bytes() -> None:
    taken = chunk(node(1, "c", 1, {"a": 1.5}, "A"))
    assert segment(taken).data == segment(taken).data


def test_what_neo4j_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="object"):
        segment(chunk(node(1, "c", 1, {"a": object()})))


@given(st.data())
def test_a_cut_segment_is_never_read(data: st.DataObject) -> None:
    """Wherever it is cut."""
    good = segment(chunk(*[node(n, "c", n, {"a": n, "t": f"text {n}"}, "A") for n in range(1, 50)])).data
    with pytest.raises(ArchiveBroken):
        list(SegmentReader(good[: data.draw(st.integers(0, len(good) - 1))]).batches())


@given(st.data())
def test_a_changed_segment_is_never_read_as_something_else(data: st.DataObject) -> None:
    """Whichever byte of it is changed. Some changes change nothing: time and system in the gzip head, and a match that
    points to the same text elsewhere; that the bytes are others shows in the chain of checksums."""
    good = segment(chunk(*[node(n, "c", n, {"a": n, "t": f"text {n}"}, "A") for n in range(1, 50)])).data
    bad = bytearray(good)
    bad[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = list(SegmentReader(bytes(bad)).batches())
    except ArchiveBroken:
        return
    assert found == list(SegmentReader(good).batches())


def _rewritten(replace: tuple[bytes, bytes]) -> bytes:
    lines = gzip.decompress(segment(chunk(node(1, "c", 1, {"a": 1}, "A"))).data)
    assert replace[0] in lines
    return gzip.compress(lines.replace(*replace))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version":2'),
        (b"neo4j-dr-segment", b"another-format"),
        (b'"a":1', b'"a":2'),
        (b'"transactions":1', b'"transactions":2'),
        (b'"archive":', b'"archives":'),
        (b'{"to":', b'{"too":'),
    ],
)
def test_what_the_format_does_not_allow_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(ArchiveBroken):
        list(SegmentReader(_rewritten((old, new))).batches())


def test_something_behind_the_trailer_is_refused() -> None:
    data = segment(chunk(node(1, "c", 1, {}))).data
    with pytest.raises(ArchiveBroken, match="after"):
        list(SegmentReader(data + data).batches())
    with pytest.raises(ArchiveBroken, match="after its trailer"):
        list(SegmentReader(gzip.compress(gzip.decompress(data) + b"{}\n")).batches())


def golden() -> Segment:
    """What the golden segment was made of: every value, a relationship, an update, a delete."""
    return segment(
        chunk(
            node(1, "c", 0, {name: value for name, value in VALUES.items() if name != "long_text"}, "Person", "Ä"),
            node(1, "c", 1, {}),
            relationship(1, "c", 0, 0, 1, {"since": Date(2024, 2, 29)}),
        ),
        chunk(node(2, "u", 1, {"a": 1}, "Later"), relationship(3, "d", 0, 0, 1, {}), node(3, "d", 1, {}, "Later")),
    )


def test_the_golden_segment_is_read_for_ever() -> None:
    """Bytes that a first version wrote. When this fails, archives that users have cannot be read any more."""
    data = GOLDEN.read_bytes()
    reader, made = SegmentReader(data), golden()
    rows = [row for batch in reader.batches() for row in told(batch.chunk)]
    assert rows == changes(made)
    assert (reader.header, reader.trailer) == (made.header, made.trailer)
    assert gzip.decompress(data) == gzip.decompress(made.data), "what is written today is another format"


def test_nothing_makes_an_empty_segment_but_the_will_to() -> None:
    writer = SegmentWriter(head())
    writer.add(chunk())
    assert (writer.transactions, writer.changes) == (0, 0)
    assert list(SegmentReader(writer.close(Position.decode(identifier(5)), 1).data).batches()) == []
