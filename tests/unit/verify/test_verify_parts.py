"""The pure parts of comparing: marks, states at a transaction, schemas."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.replication.schema import Rule
from neo4j_dr_operator.verify.live import at
from neo4j_dr_operator.verify.marks import Marks
from neo4j_dr_operator.verify.schema import differences
from neo4j_dr_operator.verify.stream import Event

ids = st.lists(st.integers(0, 200_000), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["add", "discard"]), ids)), ids)
def test_marks_are_a_set(steps: list[tuple[str, list[int]]], asked: list[int]) -> None:
    marks, wanted = Marks(), set[int]()
    for step, numbers in steps:
        column = np.array(numbers, np.int64)
        if step == "add":
            marks.add(column)
            wanted.update(numbers)
        else:
            marks.discard(column)
            wanted.difference_update(numbers)
        assert marks.count == len(wanted)
    assert marks.among(np.array(asked, np.int64)).tolist() == [number in wanted for number in asked]
    assert marks.ids().tolist() == marks.take().tolist() == sorted(wanted)
    assert (marks.count, len(marks.ids())) == (0, 0)


def test_the_state_at_a_transaction_is_that_of_the_last_change_until_then() -> None:
    first, one, two = [["A"], {}], [["A"], {"x": 1}], [["A"], {"x": 2}]
    known = [Event(5, one), Event(7, None), Event(9, two)]
    assert [at(known, tx, first) for tx in (4, 5, 6, 7, 8, 9, 10)] == [first, one, one, None, None, two, two]
    assert at([], 3, first) == first


def test_schemas_differ_by_name_and_statement() -> None:
    unique, other = Rule("CONSTRAINT", "u", "CREATE u"), Rule("INDEX", "i", "CREATE i")
    changed = Rule("INDEX", "i", "CREATE another i")
    assert list(differences({"u": unique, "i": other}, {"i": other, "u": unique})) == []
    found = list(differences({"i": other, "u": unique}, {"i": changed}))
    assert [(each.subject, each.which, each.primary, each.standby) for each in found] == [
        ("constraint", "missing", "u", ""),
        ("index", "differs", "i", "i"),
    ]
    assert [(each.which, each.standby) for each in differences({}, {"u": unique})] == [("extra", "u")]
