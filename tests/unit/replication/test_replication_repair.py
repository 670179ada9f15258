from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import DateTime, Duration, Time

from neo4j_dr_operator.graph.element_map import FlatMap
from neo4j_dr_operator.replication import link, seed
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.replication.progress import seeding
from neo4j_dr_operator.replication.repair import identical, mapped_between
from neo4j_dr_operator.replication.scan import RELATIONSHIPS, Page, weight

OTHER_NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0]
VALUES: list[Any] = [
    0, 0.0, -0.0, 1, 1.0, True, "1", b"1", [1], [1.0], [], [True], float("nan"), OTHER_NAN, float("inf"),
    Duration(days=1), Duration(hours=24), Time(1, 2, 3, 4), DateTime(2020, 1, 1), DateTime(2020, 1, 1, 0, 0, 0, 1),
    CartesianPoint((1.0, 2.0)), WGS84Point((1.0, 2.0)), CartesianPoint((0.0, 2.0)), CartesianPoint((-0.0, 2.0)),
]  # fmt: skip


@pytest.mark.parametrize("one", range(len(VALUES)))
def test_only_a_value_itself_is_identical_to_it(one: int) -> None:
    assert [n for n, other in enumerate(VALUES) if identical({"p": VALUES[one]}, {"p": other})] == [one]


def test_maps_are_identical_in_any_order() -> None:
    assert identical({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not identical({"a": 1}, {"a": 1, "b": 2})
    assert not identical({"a": 1, "c": 2}, {"a": 1, "b": 2})


def test_mapped_ids_of_a_range() -> None:
    elements = FlatMap((1 << 10,))
    elements.put(np.array([3, 5, 9], np.int64), np.array([0, 1, 2], np.int64))
    assert mapped_between(elements, 3, 9).tolist() == [3, 5]
    assert mapped_between(elements, 6, 900).tolist() == [9]
    assert mapped_between(elements, 10, 900).tolist() == []


def test_a_page_weighs_what_its_rows_hold() -> None:
    assert weight([{"a": 1, "b": "x" * 100}, {"c": b"12"}]) == 3 * 16 + 102
    assert weight([{"a": ["x" * 50, "y" * 50]}]) == 16 + 2 * 16 + 100


def test_a_heavy_page_is_written_in_parts_that_join_without_a_gap() -> None:
    rows = [{"t": "x" * size} for size in (5, 9 << 20, 3 << 20, 3 << 20, 3 << 20, 7)]
    page = Page(10, 90, [[12, 20, 31, 40, 55, 60], rows], weight(rows))
    parts = list(page.parts())
    assert [(part.first, part.after, part.columns[0]) for part in parts] == [
        (10, 31, [12, 20]),
        (31, 60, [31, 40, 55]),
        (60, 90, [60]),
    ]
    assert [row for part in parts for row in part.columns[1]] == rows
    light = Page(0, 5, [[1], [{"a": 1}]], 16)
    assert list(light.parts()) == [light]


def scanned(monkeypatch: pytest.MonkeyPatch, page: Page, mapped: list[int], most: int) -> list[Page]:
    """What is written, a transaction each, of the one page that a source with few relationships gives."""
    written: list[Page] = []
    elements = FlatMap((1 << 10,))
    elements.put(np.array(mapped, np.int64), np.arange(len(mapped), dtype=np.int64))
    monkeypatch.setattr(seed, "Pages", lambda *_: [page])
    anything: Any = None
    scan = seed._Scan(anything, anything, most, lambda: True)
    assert scan._pass(RELATIONSHIPS, "5:x:", range(page.first, page.after), elements, written.append)
    return written


def test_no_transaction_of_a_repair_deletes_more_than_a_page_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source with few relationships gives one page over all ids, under which the copy may have any number."""
    rows = [{"a": n} for n in range(3)]
    page = Page(0, 900, [[5, 40, 800], rows], weight(rows))
    mapped = list(range(10, 35))
    parts = scanned(monkeypatch, page, mapped, 10)
    assert [(part.first, part.after, part.columns[0]) for part in parts] == [
        (0, 20, [5]),
        (20, 30, []),
        (30, 900, [40, 800]),
    ]
    assert [row for part in parts for row in part.columns[1]] == rows
    assert sum(part.weight for part in parts) == page.weight
    known = [sum(part.first <= each < part.after for each in mapped) for part in parts]
    assert known == [10, 10, 5]


def test_an_empty_target_gets_few_relationships_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(0, 1_000_000, [[5, 999_999], [{}, {}]])
    assert len(scanned(monkeypatch, page, [], 10)) == 1


def test_progress_is_told_in_numbers() -> None:
    state = LinkState("l", 1, link.SEEDING, "", 0, "a", scan_nodes=50, scan_nodes_end=100, scan_rels_end=100)
    assert seeding(state, 10.4, 3.2) == {
        "nodes": 50, "nodesEnd": 100, "rels": 0, "relsEnd": 100, "phase": "nodes", "percent": 25, "rate": 10,
        "estimatedSecondsLeft": 14, "elapsedSeconds": 3, "again": False,
    }  # fmt: skip
    late = replace(state, scan_nodes=100, scan_rels=100)
    assert (late_view := seeding(late, None, 0.0)) is not None
    assert (late_view["phase"], late_view["percent"], late_view["estimatedSecondsLeft"]) == ("relationships", 99, None)
    done = seeding(replace(late, phase=link.STREAMING, reseed="x"), 5.0, 9.0)
    assert done is not None
    assert (done["percent"], done["rate"], done["again"]) == (100, None, True)
    swept = seeding(replace(state, reseed="x"), 1.0, 0.0)
    assert swept is not None
    assert swept["phase"] == "sweeping"
    assert seeding(replace(state, scan_nodes_end=0, scan_rels_end=0), 1.0, 0.0) is None
    assert seeding(None, 1.0, 0.0) is None
