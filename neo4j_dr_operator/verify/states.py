"""What an element is, as a value that can be compared to the last bit (pure).

A node's state is ``[labels, properties]`` with its labels in order, that of a relationship ``[type, start, end,
properties]``; None stands for no element. Two states are the same when their texts are: a text tells an integer from a
float, 0.0 from -0.0 and one NaN from another (:mod:`neo4j_dr_operator.graph.values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from neo4j_dr_operator.graph.values import plain, tagged

Kind = Literal["node", "relationship"]
KINDS: tuple[Kind, ...] = ("node", "relationship")
State = list[Any]
What = Literal["labels", "type", "ends", "property"]

_OPTIONS = orjson.OPT_SORT_KEYS
_TYPES = {
    "bytes": "BYTES", "date": "DATE", "time": "ZONED TIME", "localtime": "LOCAL TIME", "datetime": "ZONED DATETIME",
    "localdatetime": "LOCAL DATETIME", "duration": "DURATION", "point": "POINT", "float": "FLOAT",
}  # fmt: skip
_PLAIN = {bool: "BOOLEAN", int: "INTEGER", str: "STRING"}


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing in which the two sides of an element differ. ``name``: of the property, else empty; None: not there."""

    what: What
    name: str
    primary: Any
    standby: Any


def text(states: object) -> bytes:
    """The one text of a state, or of a list of states. Raises TypeError for what no database can hold."""
    written = orjson.dumps(states, default=tagged, option=_OPTIONS)
    if b"null" in written:  # no value is null: it is NaN, or infinite, or no element, or only a word in a text
        written = orjson.dumps(_exact(states), default=tagged, option=_OPTIONS)
    return written


def _exact(value: Any) -> Any:
    if type(value) is dict:
        return {key: _exact(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_exact(inner) for inner in value]
    return plain(value)


def same(one: State | None, two: State | None) -> bool:
    """Whether both are one state."""
    return one is two or text(one) == text(two)


def unequal(ones: Sequence[State | None], twos: Sequence[State | None]) -> list[int]:
    """Places at which two columns of states differ; quick where none does."""
    if text(ones) == text(twos):
        return []
    return [at for at, (one, two) in enumerate(zip(ones, twos, strict=True)) if not same(one, two)]


def aspects(kind: Kind, primary: State, standby: State) -> Iterator[Aspect]:
    """What differs between two states of one element, labels or type first, then properties by name."""
    if kind == "node":
        if primary[0] != standby[0]:
            yield Aspect("labels", "", primary[0], standby[0])
    else:
        if primary[0] != standby[0]:
            yield Aspect("type", "", primary[0], standby[0])
        if primary[1:3] != standby[1:3]:
            yield Aspect("ends", "", primary[1:3], standby[1:3])
    one, two = primary[-1], standby[-1]
    for name in sorted(one.keys() | two.keys()):
        if name not in one or name not in two or text(one[name]) != text(two[name]):
            yield Aspect("property", name, one.get(name), two.get(name))


def type_name(value: Any) -> str:
    """The Cypher type of a property value, ``LIST<...>`` for a list; ``nothing`` for None."""
    if value is None:
        return "nothing"
    if type(value) is list:
        return f"LIST<{', '.join(dict.fromkeys(map(type_name, value)))}>"
    return _PLAIN.get(type(value)) or _TYPES[next(iter(tagged(value)))]
