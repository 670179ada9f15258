"""A watermark: read back as it was put, and never as another one."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.shipping.watermark import Watermark
from tests.made_archive import identifier

MARK = Watermark(7, "ab" * 32, Position.decode(identifier(2, 90)), 1_700_000_000_090)


@given(st.integers(1, 10**12 - 1), st.integers(1, 2**40), st.integers(0, 2**53))
def test_it_is_read_back(number: int, tx: int, covered: int) -> None:
    mark = Watermark(number, "cd" * 32, Position.decode(identifier(1, tx)), covered)
    assert Watermark.decode(mark.encode()) == mark


def test_it_is_a_line_that_anybody_can_read() -> None:
    data = MARK.encode()
    values = json.loads(data)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    assert list(values) == ["format", "version", "number", "sha256", "position", "covered", "crc32"]
    before, _, _ = data.partition(b',"crc32"')
    assert values["crc32"] == f"{zlib.crc32(before):08x}"


@given(st.data())
def test_no_turned_bit_and_no_cut_is_passed_over(data: st.DataObject) -> None:
    whole = MARK.encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    turned = bytearray(whole)
    turned[at] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in (bytes(turned), whole[:at], whole + whole[:at] if at else whole * 2):
        with pytest.raises(ValueError):
            Watermark.decode(wrong)


@pytest.mark.parametrize(
    "values",
    [
        {"format": "neo4j-dr-watermark", "version": 2},
        {"format": "another", "version": 1},
        {"format": "neo4j-dr-watermark", "version": 1},
        {"format": "neo4j-dr-watermark", "version": 1, "number": None, "sha256": "", "position": "", "covered": 0},
        {"format": "neo4j-dr-watermark", "version": 1, "number": 1, "sha256": "", "position": 5, "covered": 0},
        {},
    ],
)
def test_another_object_with_a_right_checksum_is_refused(values: dict[str, object]) -> None:
    text = json.dumps(values).encode()[:-1]
    with pytest.raises(ValueError):
        Watermark.decode(text + f',"crc32":"{zlib.crc32(text):08x}"}}\n'.encode())
