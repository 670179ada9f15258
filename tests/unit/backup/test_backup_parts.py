"""Chunks that follow from the graph alone, and manifests that no altered byte passes."""

from __future__ import annotations

import base64
import dataclasses
import math
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.backup import chunks, snapshot
from neo4j_dr_operator.backup.chunks import SPAN, Chunk, Cutter
from neo4j_dr_operator.backup.manifest import AmendmentRef, ChunkRef, EncryptionRef, Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.status import JobStatus
from neo4j_dr_operator.replication.report import Problem
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.schema import SchemaRef

POSITION = base64.urlsafe_b64encode(struct.pack(">B16sqqq", 5, bytes(16), 7, 2**63 - 1, 1)).rstrip(b"=").decode()
Row = tuple[int, list[str], dict[str, Any]]

rows = st.lists(
    st.tuples(
        st.integers(0, 3 * SPAN + 7),
        st.lists(st.sampled_from(["A", "B", "ü"]), unique=True, max_size=2),
        st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(-9, 9), st.floats(), st.text(max_size=3))),
    ),
    unique_by=lambda row: row[0],
    max_size=60,
).map(lambda found: sorted(found, key=lambda row: row[0]))


def cut(found: list[Row], bounds: list[int]) -> list[Chunk]:
    """What becomes of the rows when they are read in pages that end at ``bounds``."""
    end = 3 * SPAN + 8
    cutter, made, at = Cutter("nodes", 0), [], 0
    for bound in [*sorted({min(bound, end) for bound in bounds}), end]:
        page = [row for row in found if at <= row[0] < bound]
        made += cutter.add(bound, [list(column) for column in zip(*page, strict=True)])
        at = bound
    return [*made, *cutter.close(end)]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # many rows, on a machine that does other work
@given(rows, st.lists(st.integers(1, 3 * SPAN + 8), max_size=6), st.booleans())
def test_chunks_do_not_depend_on_how_the_graph_was_read(found: list[Row], bounds: list[int], turned: bool) -> None:
    shuffled = [(i, labels[::-1], dict(reversed(properties.items()))) for i, labels, properties in found]
    made = cut(found, bounds)
    assert cut(shuffled if turned else found, []) == made
    back = [chunks.nodes(chunks.unpacked(chunk.packed(), len(chunk.plain))) for chunk in made]
    assert [i for part in back for i in part.ids] == [i for i, _, _ in found]
    for chunk, part in zip(made, back, strict=True):
        assert chunk.first <= part.ids[0] <= part.ids[-1] < chunk.after
        assert chunk.first // SPAN == (chunk.after - 1) // SPAN
        assert chunk.count == len(part.ids)
    read = [(part.names[key], values) for part in back for key, values in zip(part.keys, part.properties, strict=True)]
    assert repr([(labels, sorted(values.items())) for labels, values in read]) == repr(
        [(sorted(labels), sorted(values.items())) for _, labels, values in found]
    )


@given(st.integers(0, 2 * SPAN), st.data())
def test_a_change_costs_the_chunk_it_stands_in(number: int, data: st.DataObject) -> None:
    before = [(i, ["A"], {"a": i}) for i in range(0, 2 * SPAN + 1, 64)]
    after = [(i, labels, {"a": -1} if i == number // 64 * 64 else values) for i, labels, values in before]
    one, two = ({chunk.sha256 for chunk in cut(each, [])} for each in (before, after))
    assert len(one) == 3
    assert len(two - one) == 1


def test_heavy_rows_end_a_chunk_early_and_always_in_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "HEAVY", 1000)
    found: list[Row] = [(i, [], {"a": "x" * 300}) for i in range(10)]
    made = cut(found, [4, 7])
    assert [chunk.count for chunk in made] == [3, 3, 3, 1]
    assert made == cut(found, [1, 2, 3])


def test_relationships_and_values_that_json_lacks() -> None:
    columns: list[list[Any]] = [[7, 9], ["R", "S"], [1, 2], [3, 4], [{"b": math.inf, "a": b"x"}, {}]]
    data = chunks.encoded("relationships", columns)
    back = chunks.relationships(data)
    assert (back.ids, back.starts, back.ends, back.keys, back.names) == ([7, 9], [1, 2], [3, 4], [0, 1], ["R", "S"])
    assert back.properties == [{"a": b"x", "b": math.inf}, {}]
    with pytest.raises(ArchiveBroken):
        chunks.nodes(data)
    with pytest.raises(ValueError, match="serializable"):
        chunks.encoded("nodes", [[1], [[]], [{"a": object()}]])


MANIFEST = Manifest(
    archive="ns/dr",
    epoch=3,
    segment=12,
    site="primary",
    database="a42cc1ff-4d57-46fb-aa27-300dd87bbdfc",
    start=POSITION,
    position=POSITION,
    latest=1_700_000_000_000,
    covered=1_700_000_005_000,
    created=1_700_000_006_000,
    nodes_end=10,
    relationships_end=5,
    schema=(SchemaRef("CONSTRAINT", "ü`", "CREATE CONSTRAINT …"), SchemaRef("INDEX", "l", "…", "NODE")),
    chunks=(ChunkRef("a" * 64, "nodes", 0, 10, 10, 99), ChunkRef("b" * 64, "relationships", 0, 5, 1, 98)),
    amendments=(AmendmentRef("c" * 64, POSITION, POSITION, 1, 2),),
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    data = MANIFEST.encode()
    assert Manifest.decode(data) == MANIFEST
    assert b"encryption" not in data
    sealed = dataclasses.replace(MANIFEST, encryption=EncryptionRef("AES256", None))
    assert Manifest.decode(sealed.encode()) == sealed
    assert SnapshotName.of("any/path/" + MANIFEST.name.key("ns/dr")) == MANIFEST.name
    assert MANIFEST.contents() == {"a" * 64, "b" * 64, "c" * 64}
    assert dataclasses.replace(MANIFEST, segment=13).name > MANIFEST.name


@settings(max_examples=300)
@given(st.data())
def test_no_altered_byte_of_a_manifest_passes(data: st.DataObject) -> None:
    whole = MANIFEST.encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    cut_off = data.draw(st.booleans())
    with pytest.raises(ArchiveBroken):
        Manifest.decode(whole[:at] if cut_off else whole[:at] + bytes([other]) + whole[at + 1 :])


def test_a_job_that_is_finished_has_no_problem_whatever_it_met_on_its_way() -> None:
    """Of several puts at once the last to be refused may be heard of behind the last one that went well."""
    status = JobStatus()
    status.problem = Problem("ObjectStoreUnreachable", "slow down")
    assert status.line()["report"]["error"]["reason"] == "ObjectStoreUnreachable"
    status.become("finished")
    assert status.line()["report"]["error"] is None


@pytest.mark.parametrize(
    ("last", "clock", "here", "covered"),
    [
        (90_000, 100_000, 100_000, 95_000),
        (99_000, 100_000, 100_000, 99_000),
        (3_699_000, 3_700_000, 100_000, 100_000),
        (99_000, 100_000, 3_700_000, 99_000),
    ],
)
def test_a_snapshot_claims_no_time_that_a_fast_source_may_commit_at_once_more(
    last: int, clock: int, here: int, covered: int
) -> None:
    """Its clock is set right later: what is committed then would be missing from a restore to such a time."""
    assert snapshot._covered(last, clock, here) == covered
