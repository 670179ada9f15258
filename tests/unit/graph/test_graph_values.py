"""Values as they travel and as JSON: one form for structures and for the types of the driver, and beyond these."""

from __future__ import annotations

import json
import math
import struct
from types import SimpleNamespace
from typing import Any

import pytest
import pytz
from neo4j._codec.hydration.bolt.v2 import HydrationHandler
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from neo4j_dr_operator.graph.values import mistaken, plain, tagged, untagged
from neo4j_dr_operator.graph.wire import Structure, Traffic, undecoded

FIXED = pytz.FixedOffset(-330)
BOTH = [
    (Date(2024, 2, 29), Structure(b"D", 19782)),
    (Time(1, 2, 3, 4, FIXED), Structure(b"T", 3_723_000_000_004, -19_800)),
    (Time(23, 59, 59, 999_999_999), Structure(b"t", 86_399_999_999_999)),
    (DateTime(1969, 12, 31, 23, 59, 59, 999_999_999, FIXED), Structure(b"I", 19_799, 999_999_999, -19_800)),
    (
        pytz.timezone("Europe/Berlin").localize(DateTime(2024, 10, 27, 2, 30), is_dst=True),
        Structure(b"i", 1_729_989_000, 0, "Europe/Berlin"),
    ),
    (DateTime(1970, 1, 1, 0, 0, 1, 7), Structure(b"d", 1, 7)),
    (Duration(months=-14, days=3, seconds=5, nanoseconds=999_999_999), Structure(b"E", -14, 3, 5, 999_999_999)),
    (WGS84Point((13.4, 52.5)), Structure(b"X", 4326, 13.4, 52.5)),
    (CartesianPoint((1e300, -0.0, math.inf)), Structure(b"Y", 9157, 1e300, -0.0, math.inf)),
]
BEYOND = [
    Structure(b"D", 365_241_780_471),
    Structure(b"T", 1, 3_723),
    Structure(b"I", 327_403_382_400, 1, 0),
    Structure(b"I", 0, 0, -3_723),
    Structure(b"i", 3_093_541_106_400, 0, "Europe/Berlin"),
    Structure(b"i", 0, 0, "SystemV/PST8"),
    Structure(b"d", -31_557_014_135_596_800, 0),
]


@pytest.mark.parametrize(("value", "structure"), BOTH, ids=lambda value: str(value)[:40])
def test_a_structure_is_written_as_the_drivers_type_is(value: Any, structure: Structure) -> None:
    assert tagged(structure) == tagged(value)


@pytest.mark.parametrize("structure", BEYOND, ids=str)
def test_what_the_driver_has_no_type_for_comes_back_as_its_structure(structure: Structure) -> None:
    back = untagged(json.loads(json.dumps(tagged(structure))))
    assert (back.tag, back.fields) == (structure.tag, structure.fields)


def test_lists_keep_structures_and_bits() -> None:
    nan = struct.unpack(">d", bytes.fromhex("7ff8000000000123"))[0]
    written = json.loads(json.dumps(plain([nan, 1.0, BEYOND[0]]), default=tagged))
    assert written == [{"float": "7ff8000000000123"}, 1.0, {"date": 365_241_780_471}]
    read = untagged(written)
    assert struct.pack(">d", read[0]).hex() == "7ff8000000000123"
    assert read[2].fields == [365_241_780_471]


def test_what_is_no_property_is_refused() -> None:
    with pytest.raises(TypeError):
        tagged(Structure(b"N", 1, [], {}, "4:x:1"))
    with pytest.raises(ValueError):
        untagged({"vector": [1]})


def test_a_connection_is_told_to_leave_values_alone_and_counted() -> None:
    """By the driver's own parts: another driver that is made in another way fails here, not on somebody's data."""
    socket = SimpleNamespace(recv_into=lambda _, size: size - 1)
    connection = SimpleNamespace(hydration_handler=HydrationHandler(), socket=socket)
    traffic = Traffic()
    undecoded(connection)
    traffic.count(connection)
    scope = connection.hydration_handler.new_hydration_scope()
    assert scope.hydration_hooks == {}
    assert scope.dehydration_hooks.get_transformer(Date(2024, 1, 1)) is not None
    assert connection.socket.recv_into(bytearray(10), 10) == 9
    assert traffic.received == 9


@pytest.mark.parametrize(
    ("value", "is_mistaken"),
    [
        (0.0, True),
        (-0.0, True),
        (math.nan, True),
        (1.5, False),
        (0, False),
        ("0.0", False),
        (Structure(b"i", 1_698_539_400, 0, "Europe/Berlin"), True),
        (untagged({"datetime": [1_698_539_400, 0, "Europe/Berlin"]}), True),
        (Structure(b"d", 1_698_539_400, 0), False),
        (DateTime(2023, 10, 29, 2, 30), False),
        ([1.5, -0.0], True),
        ([1.5, 2.5], False),
        ([Structure(b"i", 1_698_539_400, 0, "Europe/Berlin")], True),
    ],
)
def test_values_that_a_server_takes_for_others(value: Any, is_mistaken: bool) -> None:
    assert mistaken(value) is is_mistaken
