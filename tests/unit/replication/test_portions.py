"""What is given to the target at once, and what a worker holds at most."""

from __future__ import annotations

import base64
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator import errors, memory
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import portions, room
from neo4j_dr_operator.replication.changes import Chunk

MIB = 1 << 20
SIZES = (1, 100, 1000, 3 * MIB, 9 * MIB, 17 * MIB, 20 * MIB)
TEXTS = {size: "x" * size for size in SIZES}


def identifier(tx: int, seq: int) -> str:
    return base64.urlsafe_b64encode(struct.pack(">B16sqqq", 5, bytes(16), tx, seq, 0)).decode().rstrip("=")


def chunk(transactions: list[list[int]], first: int = 1) -> Chunk:
    """Transactions with one change for each number: the length of the text that it holds."""
    rows = [(tx, size) for tx, sizes in enumerate(transactions, first) for size in sizes]
    ids = [identifier(tx, number) for number, (tx, _) in enumerate(rows)]
    afters = [{"labels": [], "properties": {"t": TEXTS[size]}} for _, size in rows]
    same: list[list[Any]] = [[value] * len(rows) for value in ("c", "4:x:1", [], "", "")]
    made = Chunk(False, ids[-1], Position.decode(ids[-1]), ids, [tx for tx, _ in rows], *same, afters)
    made.size = sum(size + 200 for _, size in rows)
    return made


def told(chunks: list[Chunk]) -> list[str]:
    return [each for part in chunks for each in part.ids]


sizes = st.lists(st.lists(st.sampled_from(SIZES), min_size=1, max_size=3), min_size=1, max_size=6)


@given(sizes, sizes)
def test_transactions_stay_whole_in_order_and_together_while_light(one: list[list[int]], two: list[list[int]]) -> None:
    chunks = [chunk(one), chunk(two, first=100)]
    together = list(portions.transactions(chunks))
    assert told([part for held in together for part in held]) == told(chunks)
    for held in together:
        for part in held:
            assert part.cursor == part.ids[-1]
            assert part.position == Position.decode(part.cursor)
        weight = sum(sum(portions.weight(after) for after in part.afters) for part in held)
        transactions = {tx for part in held for tx in part.txs}
        assert weight <= portions.TRANSACTION_BYTES or len(transactions) == 1
    for held, following in pairwise(together):
        assert held[-1].txs[-1] != following[0].txs[0]
    assert together[-1][-1].more is False


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
    parts = list(portions.split(whole, most))
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
    first, second = portions.split(whole, 2)
    assert first.cursor == whole.ids[1]
    assert second.cursor == whole.cursor
    assert second.position.tx == 9


@given(sizes)
def test_halves_hold_the_same_transactions(transactions: list[list[int]]) -> None:
    whole = chunk(transactions)
    halves = portions.halves([whole])
    if len(transactions) == 1:
        assert halves is None
        return
    assert halves is not None
    left, right = halves
    assert told(left) + told(right) == whole.ids
    assert left[-1].txs[-1] != right[0].txs[0]
    assert left[0].size + right[0].size == whole.size


def test_a_batch_of_chunks_is_parted_between_them() -> None:
    chunks = [chunk([[1], [1]]), chunk([[1]], first=10), chunk([[1]], first=20)]
    assert portions.halves(chunks) == (chunks[:1], chunks[1:])


@given(st.lists(st.sampled_from(SIZES), max_size=30))
def test_statements_hold_every_row_once_and_are_light(rows: list[int]) -> None:
    properties = [{"t": TEXTS[size]} for size in rows]
    parts = list(portions.statements(properties, sum(rows) + 1))
    assert [row for part in parts for row in properties[part]] == properties
    for part in parts:
        held = properties[part]
        assert held
        assert len(held) == 1 or sum(map(portions.weight, held)) <= portions.STATEMENT_BYTES


def test_many_light_rows_make_several_statements() -> None:
    count = 2 * portions.STATEMENT_ROWS + 1
    assert [part.stop - part.start for part in portions.statements([{}] * count, 0)] == [portions.STATEMENT_ROWS] * 3


def test_half_of_the_memory_that_there_is_may_be_taken_by_all_workers_together(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{1 << 30}\n")
    assert memory.share(1, {}, [tmp_path / "none", limit]) == 1 << 29
    assert memory.share(4, {}, [limit]) == 1 << 27
    assert memory.share(100, {}, [limit]) == memory.FLOOR
    limit.write_text("max\n")
    assert memory.share(1, {}, [limit]) > 1 << 28
    assert memory.share(9, {memory.VARIABLE: "1000"}, [limit]) == 1000


def test_what_is_too_large_is_refused_with_the_remedy() -> None:
    room.check(100, 1000, room.needed(100, 1000))
    with pytest.raises(errors.TransactionTooLarge, match="give the operator more memory"):
        room.check(101, 1000, room.needed(100, 1000))
