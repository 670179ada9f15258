"""How large pages become, and how they are split."""

from __future__ import annotations

import base64
import struct

from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.pace import FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES, QUIET_PAGE, Pace, split


def identifier(tx: int, seq: int) -> str:
    raw = struct.pack(">B16sqqq", 5, bytes(16), tx, seq, 0)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def page(sizes: list[int], *, more: bool = True) -> Chunk:
    """Transactions of so many changes each."""
    txs = [tx for tx, size in enumerate(sizes, 1) for _ in range(size)]
    ids = [identifier(tx, n) for n, tx in enumerate(txs)]
    other = [[str(n) for n in range(len(txs))] for _ in range(2)]
    columns = [[f"{name}{n}" for n in range(len(txs))] for name in ("names", "starts", "ends")]
    made = Chunk(more, ids[-1], Position.decode(ids[-1]), ids, txs, *other, *columns, [0] * len(txs))
    made.size = 7 * len(txs)
    return made


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 50), st.booleans())
def test_parts_are_the_page_in_whole_transactions(sizes: list[int], most: int, more: bool) -> None:
    whole = page(sizes, more=more)
    parts = list(split(whole, most))
    for column in ("ids", "txs", "operations", "elements", "names", "starts", "ends", "afters"):
        assert [value for part in parts for value in getattr(part, column)] == getattr(whole, column)
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        assert part.cursor == part.ids[-1]
        assert part.position == Position.decode(part.cursor)
        assert part.size == 7 * len(part)
        assert len(part) <= most or len(set(part.txs)) == 1
        if following is None:
            assert part.more == more
        else:
            assert part.more
            assert part.txs[-1] != following.txs[0]
            assert len(part) + following.txs.count(following.txs[0]) > most, "another transaction had room"


def test_a_position_that_is_no_change_stays_that_of_the_last_part() -> None:
    whole = page([2, 2])
    whole.cursor = identifier(9, 0)
    whole.position = Position.decode(whole.cursor)
    first, second = split(whole, 2)
    assert first.cursor == whole.ids[1]
    assert second.cursor == whole.cursor
    assert second.position.tx == 9


def test_a_near_source_is_read_by_batches() -> None:
    pace = Pace(5000)
    assert pace.page == FIRST_PAGE
    for _ in range(20):
        pace.read(pace.page, 1_000_000, 0.1, 0.0005)
    assert pace.page == 5000


def test_a_far_source_is_read_by_pages_that_are_worth_a_round_trip() -> None:
    pace = Pace(1000)
    for _ in range(20):
        pace.read(pace.page, pace.page * 200, 0.06 + pace.page / 40_000, 0.06)
    seconds = 0.06 + pace.page / 40_000
    assert 0.06 / seconds <= 0.1
    assert pace.page <= 32_000
    for _ in range(20):
        pace.read(pace.page, pace.page * 20, 0.3, 0.3)
    assert pace.page == LARGEST_PAGE


def test_heavy_changes_make_small_pages() -> None:
    pace = Pace(5000)
    pace.read(100, 10 * PAGE_BYTES, 1.0, 0.06)
    assert pace.page == 10
    pace.read(10, PAGE_BYTES * 9 // 10, 1.0, 0.06)
    assert pace.page == 10, "twice as many would be too heavy"
    for _ in range(10):
        pace.read(pace.page, pace.page * 200, 0.1, None)
    assert pace.page == 5000


def test_what_comes_after_a_pause_is_asked_for_with_care() -> None:
    pace = Pace(20_000)
    for _ in range(10):
        pace.read(pace.page, 1_000, 1.0, None)
    assert pace.page == 20_000
    pace.caught_up(3_000, 300_000)
    assert pace.page == 12_000
    pace.caught_up(0, 0)
    assert pace.page == QUIET_PAGE
    pace.caught_up(32, 2 * PAGE_BYTES)
    assert pace.page == 16
    pace.caught_up(0, 0)
    assert pace.page == 16, "nothing says that they have become lighter"


def test_a_page_that_is_too_much_is_made_smaller_down_to_one() -> None:
    pace = Pace(3)
    pace.failed()
    assert pace.page == 1
    pace.failed()
    assert pace.page == 1
