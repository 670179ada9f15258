from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.errors import UnsupportedIds
from neo4j_dr_operator.graph import columns
from neo4j_dr_operator.graph.element_map import SLICE, ElementMap, FlatMap, MapChange

SMALL = (1 << 20,)
IDS = st.integers(0, 3 * SLICE)
COLUMN = st.one_of(
    st.lists(st.integers(0, 2**62), max_size=50),
    st.integers(0, 2**40).flatmap(lambda first: st.lists(st.integers(first, first + 300), max_size=50)),
    st.tuples(st.integers(0, 2**40), st.integers(-5, 5), st.integers(0, 50)).map(
        lambda t: [t[0] + 10**3 + t[1] * i for i in range(t[2])]
    ),
)


def array(values: list[int]) -> columns.Ids:
    return np.array(values, np.int64)


@given(COLUMN, COLUMN)
def test_columns_come_back(one: list[int], two: list[int]) -> None:
    data = columns.pack(array(one)) + columns.pack(array(two))
    first, at = columns.unpack(data)
    second, end = columns.unpack(data, at)
    assert (first.tolist(), second.tolist(), end) == (one, two, len(data))


def test_a_run_of_created_ids_costs_a_head_only() -> None:
    assert len(columns.pack(np.arange(10**6, 10**6 + 5000, dtype=np.int64))) == 21


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x05" + b"\x01" * 20, b"\x00\x05\x00\x00\x00" + b"\x00" * 16])
def test_a_cut_or_unknown_column_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        columns.unpack(data)


@given(st.lists(st.one_of(st.just(0), st.integers(1, 300), st.integers(1, 70_000), st.integers(1, 2**40)), min_size=1))
def test_slices_come_back(slots: list[int]) -> None:
    assert columns.unpack_slice(columns.pack_slice(array(slots))).tolist() == slots


CHANGES = st.lists(
    st.tuples(st.dictionaries(IDS, st.integers(0, 2**20 - 1), max_size=20), st.lists(IDS, max_size=5, unique=True)),
    max_size=8,
)


@given(CHANGES, st.integers(0, 8))
def test_a_replayed_or_compacted_map_is_the_map(changes: list[tuple[dict[int, int], list[int]]], after: int) -> None:
    model: dict[int, int] = {}
    live, replayed, loaded = ElementMap(SMALL), ElementMap(SMALL), ElementMap(SMALL)
    records = []
    for number, (puts, drops) in enumerate(changes):
        if number == after:  # a checkpoint: slices now, records from here on
            for base, data in list(live.nodes.slices()):
                loaded.nodes.load_slice(base, data)
        change = MapChange()
        live.nodes.drop(array(drops))
        change.node_drops.append(array(drops))
        sources, targets = array(list(puts)), array(list(puts.values()))
        live.nodes.put(sources, targets)
        change.node_puts.append((sources, targets))
        live.keep()
        records.append(change.encode())
        model = {**{key: value for key, value in model.items() if key not in drops}, **puts}
    for number, record in enumerate(records):
        replayed.replay(record)
        if number >= after:
            loaded.replay(record)
    wanted = sorted(model.items())
    for one in (live, replayed, *([loaded] if after < len(changes) else [])):
        assert list(zip(*(column.tolist() for column in one.nodes.pairs()), strict=True)) == wanted
        assert one.nodes.count() == len(model)


@given(st.dictionaries(IDS, IDS, max_size=30), st.dictionaries(IDS, IDS, max_size=30), st.lists(IDS, max_size=10))
def test_undo_brings_back_what_was_kept(first: dict[int, int], second: dict[int, int], drops: list[int]) -> None:
    flat = FlatMap(SMALL)
    flat.put(array(list(first)), array(list(first.values())))
    flat.keep()
    flat.drop(array(drops))
    flat.put(array(list(second)), array(list(second.values())))
    flat.drop(array(list(second)[:3]))
    flat.undo()
    sources, targets = flat.pairs()
    assert dict(zip(sources.tolist(), targets.tolist(), strict=True)) == first


@given(st.lists(st.tuples(IDS, IDS), unique_by=(lambda pair: pair[0], lambda pair: pair[1]), max_size=50))
def test_inverting_twice_is_nothing(pairs: list[tuple[int, int]]) -> None:
    elements = ElementMap(SMALL)
    elements.relationships.put(array([a for a, _ in pairs]), array([b for _, b in pairs]))
    there = elements.inverted(SMALL)
    back = there.inverted(SMALL)
    assert there.relationships.find([b for _, b in pairs]).tolist() == [a for a, _ in pairs]
    assert [column.tolist() for column in back.relationships.pairs()] == [
        column.tolist() for column in elements.relationships.pairs()
    ]
    assert sorted(elements.relationships.sources_of([b for _, b in pairs[:5]]).tolist()) == sorted(
        a for a, _ in pairs[:5]
    )


def test_ids_beyond_the_map_are_refused() -> None:
    flat = FlatMap((1 << 10,))
    calls = (
        lambda: flat.find([1 << 10]),
        lambda: flat.find([-1]),
        lambda: flat.put(array([1 << 40]), array([1])),
        lambda: flat.put(array([1]), array([1 << 60])),
    )
    for call in calls:
        with pytest.raises(UnsupportedIds):
            call()


def test_a_smaller_reservation_is_taken_where_the_large_one_is_refused() -> None:
    flat = FlatMap((1 << 62, 1 << 12))
    flat.put(array([4095]), array([7]))
    assert flat.find([4095, 0]).tolist() == [7, -1]


def test_records_of_another_version_are_refused() -> None:
    with pytest.raises(ValueError):
        ElementMap(SMALL).replay(b"\x02" + b"\x00" * 200)
    with pytest.raises(ValueError):
        ElementMap(SMALL).replay(b"")
