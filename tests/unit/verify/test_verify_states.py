"""States of elements: the same exactly when type and bits are."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from neo4j_dr_operator.verify.states import Aspect, aspects, same, text, type_name, unequal
from tests.compare import canonical
from tests.database.values import VALUES

scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),  # a NaN with other bits is another value here, and the same there
    st.text(max_size=5),
    st.sampled_from(["null", "1", "1.0"]),
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, False, math.nan, math.inf, -math.inf]),
    st.binary(max_size=3),
    st.sampled_from(list(VALUES.values())),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3))
properties = st.dictionaries(st.sampled_from(["a", "b", "null"]), values, max_size=3)
nodes = st.tuples(st.lists(st.sampled_from("ABC"), unique=True).map(sorted), properties).map(list)


@given(nodes, nodes)
@example([[], {"a": 0.0}], [[], {"a": -0.0}])
@example([[], {"a": 1}], [[], {"a": 1.0}])
@example([[], {"a": True}], [[], {"a": 1}])
@example([[], {"a": "null"}], [[], {"a": math.nan}])
@example([[], {"a": math.inf}], [[], {"a": math.nan}])
@example([[], {"a": [math.nan]}], [[], {"a": [math.inf]}])
def test_texts_agree_with_the_other_way_of_comparing(one: Any, two: Any) -> None:
    assert same(one, two) == (canonical(one) == canonical(two))
    assert same(one, one)
    assert unequal([one, two, None], [two, two, None]) == ([] if same(one, two) else [0])
    assert unequal([one, None], [None, two]) == [0, 1]
    assert bool(list(aspects("node", one, two))) == (not same(one, two))


def test_one_nan_is_not_another() -> None:
    quiet, loud = (struct.unpack(">d", bytes.fromhex(digits))[0] for digits in ("7ff8000000000000", "7ff8000000000001"))
    assert same([[], {"x": quiet}], [[], {"x": quiet}])
    assert not same([[], {"x": quiet}], [[], {"x": loud}])
    assert not same([[], {"x": [1.5, quiet]}], [[], {"x": [1.5, loud]}])


def test_the_order_of_properties_says_nothing_and_that_of_a_list_does() -> None:
    assert text([[], {"a": 1, "b": 2}]) == text([[], {"b": 2, "a": 1}])
    assert text([[], {"a": [1, 2]}]) != text([[], {"a": [2, 1]}])


def test_aspects_name_what_differs() -> None:
    one = ["TO", 1, 2, {"a": 1, "same": 0.5, "only": "x"}]
    two = ["OF", 1, 3, {"a": 1.0, "same": 0.5, "other": [1]}]
    assert list(aspects("relationship", one, two)) == [
        Aspect("type", "", "TO", "OF"),
        Aspect("ends", "", [1, 2], [1, 3]),
        Aspect("property", "a", 1, 1.0),
        Aspect("property", "only", "x", None),
        Aspect("property", "other", None, [1]),
    ]


def test_every_type_has_its_name() -> None:
    wanted = {
        "yes": "BOOLEAN", "zero": "INTEGER", "minus_zero": "FLOAT", "nan": "FLOAT", "text": "STRING", "bytes": "BYTES",
        "date": "DATE", "local_time": "LOCAL TIME", "zoned_time": "ZONED TIME", "local_datetime": "LOCAL DATETIME",
        "zoned_summer": "ZONED DATETIME", "duration": "DURATION", "wgs84": "POINT", "no_list": "LIST<>",
        "integers": "LIST<INTEGER>", "dates": "LIST<DATE>",
    }  # fmt: skip
    assert {name: type_name(VALUES[name]) for name in wanted} == wanted
    assert type_name(None) == "nothing"
