"""The stand-in for change capture: what its events say about values, operations and order."""

from __future__ import annotations

import math
import struct
from typing import Any

import neo4j
import pytest
import pytz  # type: ignore[import-untyped]
from lab_support import decode, position, since
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from lab import Neo4j

BERLIN = pytz.timezone("Europe/Berlin")
VALUES: dict[str, Any] = {
    "true": True,
    "false": False,
    "zero": 0,
    "int_max": 2**63 - 1,
    "int_min": -(2**63),
    "beyond_double": 2**53 + 1,
    "float": 1.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus_inf": float("-inf"),
    "minus_zero": -0.0,
    "denormal": 5e-324,
    "text": "text",
    "empty_text": "",
    "unicode": "Ünïcödé 漢字 🎉 \u0000 end",
    "long_text": "x" * 100_000,
    "bytes": bytes(range(256)),
    "empty_bytes": b"",
    "date": Date(2024, 2, 29),
    "date_year_one": Date(1, 1, 1),
    "local_time": Time(23, 59, 59, 999_999_999),
    "zoned_time": Time(12, 0, 0, 1, tzinfo=pytz.FixedOffset(-330)),
    "local_datetime": DateTime(2024, 1, 2, 3, 4, 5, 123_456_789),
    "offset_datetime": DateTime(2024, 1, 2, 3, 4, 5, 123_456_789, tzinfo=pytz.FixedOffset(345)),
    "repeated_hour": BERLIN.localize(DateTime(2024, 10, 27, 2, 30, 0, 1), is_dst=False),
    "duration": Duration(months=14, days=-3, seconds=7, nanoseconds=8),
    "negative_duration": Duration(seconds=-1, nanoseconds=-5),
    "cartesian": CartesianPoint((1.5, -2.5)),
    "cartesian_3d": CartesianPoint((1.0, 2.0, 3.0)),
    "wgs84": WGS84Point((12.5, 55.5)),
    "wgs84_3d": WGS84Point((12.5, 55.5, 100.0)),
    "ints": [1, 2, -(2**63)],
    "floats": [1.0, float("nan"), float("inf")],
    "texts": ["a", "", "ü"],
    "booleans": [True, False],
    "empty_list": [],
    "dates": [Date(2024, 1, 1)],
    "points": [WGS84Point((1.0, 2.0))],
    "durations": [Duration(days=1)],
    "datetimes": [DateTime(2024, 1, 2, 3, 4, 5, 6, tzinfo=pytz.utc)],
}


ORDER = ["nc", "rc", "nu", "ru", "rd", "nd"]
"""Node and relationship creates, updates, relationship deletes, node deletes."""


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit: type, sign of zero, not-a-number."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack(">d", one) == struct.pack(">d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


@pytest.fixture
def database(databases: tuple[Neo4j, Neo4j]) -> Neo4j:
    """One empty database."""
    return databases[0]


def test_every_property_type_arrives_to_the_last_bit(database: Neo4j) -> None:
    """Sent, stored and in the event: the same, on nodes and relationships; the event can be written back."""
    start = position(database)
    database.query("CREATE (a:Types)-[r:T]->(:B) SET a = $p, r = $p", p=VALUES)
    rows = since(database, start)
    stored = database.query("MATCH (a:Types) RETURN a{.*} AS p")[0]["p"]
    node, relationship = (rows[i]["event"]["state"]["after"]["properties"] for i in (0, 2))
    for name, value in VALUES.items():
        assert same(stored[name], value), name
        assert same(node[name], value), name
        assert same(relationship[name], value), name
    assert node.keys() == relationship.keys() == VALUES.keys()
    database.query("CREATE (c:Copy) SET c = $p", p=node)
    assert same(database.query("MATCH (c:Copy) RETURN c{.*} AS p")[0]["p"], stored)


def test_the_shape_of_rows_and_identifiers(database: Neo4j) -> None:
    """Columns, keys of an event and of its metadata, layout 5 of an identifier, the sequence of ``current``."""
    start = position(database)
    database.query("CREATE (:A)-[:R]->(:B)")
    rows = since(database, start)
    assert list(rows[0]) == ["id", "txId", "seq", "metadata", "event"]
    assert set(rows[0]["event"]) == {"elementId", "eventType", "operation", "labels", "keys", "state"}
    assert set(rows[2]["event"]) == {"elementId", "eventType", "operation", "type", "start", "end", "keys", "state"}
    assert set(rows[0]["metadata"]) == {
        *("executingUser", "authenticatedUser", "connectionType", "connectionClient", "connectionServer"),
        *("databaseName", "captureMode", "serverId", "txStartTime", "txCommitTime", "txMetadata"),
    }
    identifier = decode(rows[0]["id"])
    assert (identifier.version, identifier.tx, identifier.seq) == (5, rows[0]["txId"], 0)
    assert str(identifier.database) in rows[0]["event"]["elementId"]
    assert decode(position(database)).seq == 2**63 - 1


def test_updates_and_deletes_show_both_sides(database: Neo4j) -> None:
    """Labels and properties before and after; a delete shows the committed state; what never was is not shown."""
    start = position(database)
    database.query("CREATE (:U {id: 1, k: 'old', gone: true})")
    database.query("MATCH (n:U) SET n.k = 'new', n.add = 1, n:V REMOVE n.gone, n:U")
    database.query("MATCH (n:V) SET n.k = n.k")  # changes nothing: no event
    database.query("MATCH (n:V) SET n.add = 5 DETACH DELETE n")
    database.query("CREATE (n:Ghost) DELETE n")
    old = {"labels": ["U"], "properties": {"id": 1, "k": "old", "gone": True}}
    new = {"labels": ["V"], "properties": {"id": 1, "k": "new", "add": 1}}
    events = [row["event"] for row in since(database, start)]
    seen = [(e["operation"], e["state"]["before"], e["state"]["after"]) for e in events]
    assert seen == [("c", None, old), ("u", old, new), ("d", new, None)]


def test_the_order_inside_a_transaction(database: Neo4j) -> None:
    """Creates, updates, relationship deletes, node deletes; one transaction id, sequence from 0; metadata carried."""
    database.query("CREATE (:X {n: 1})-[:R {n: 1}]->(:X {n: 2}), (:X {n: 3})-[:R {n: 3}]->(:X {n: 4})")
    start = position(database)
    with (
        database.driver() as driver,
        driver.session(database="neo4j") as session,
        session.begin_transaction(metadata={"app": "m", "n": 7}) as tx,
    ):
        for text in (
            "MATCH (a:X {n: 1}) DETACH DELETE a",
            "MATCH (a:X {n: 2}) SET a.u = 1",
            "MATCH (:X {n: 3})-[r]->() SET r.u = 1",
            "MATCH (b:X {n: 2}) CREATE (b)-[:R {n: 9}]->(:Y {n: 5})",
        ):
            tx.run(text).consume()
        tx.commit()
    rows = since(database, start)
    assert [row["event"]["eventType"] + row["event"]["operation"] for row in rows] == [
        "nc",
        "rc",
        "nu",
        "ru",
        "rd",
        "nd",
    ]
    assert len({row["txId"] for row in rows}) == 1
    assert [row["seq"] for row in rows] == list(range(6))
    assert rows[0]["metadata"]["txMetadata"] == {"app": "m", "n": 7}


def test_a_unique_value_used_again_arrives_as_create_then_delete(database: Neo4j) -> None:
    """The order that breaks a uniqueness constraint when events are applied one by one."""
    database.query("CREATE CONSTRAINT FOR (n:K) REQUIRE n.id IS UNIQUE")
    database.query("CREATE (:K {id: 1})")
    start = position(database)
    database.query("MATCH (n:K {id: 1}) DELETE n CREATE (:K {id: 1, again: true})")
    assert [row["event"]["operation"] for row in since(database, start)] == ["c", "d"]


def test_element_ids_are_used_again(database: Neo4j) -> None:
    """After a delete and a restart a new node gets the deleted one's element id: consumers must forget on delete."""
    gone = database.query("CREATE (n:G) RETURN elementId(n) AS id")[0]["id"]
    database.query("MATCH (n) DELETE n")
    database.stop()
    database.start()
    ids = database.query("UNWIND range(1, 2000) AS i CREATE (n:G) RETURN collect(elementId(n)) AS ids")[0]["ids"]
    assert gone in ids


def test_read_only_at_run_time(database: Neo4j) -> None:
    """Refused with its own code, shown by SHOW DATABASES, change capture still served; an open one fails at commit."""
    switch = "CALL dbms.setConfigValue('server.databases.read_only', $v)"
    with database.driver() as driver, driver.session(database="neo4j") as session:
        tx = session.begin_transaction()
        tx.run("CREATE (:Late)").consume()
        database.query(switch, "system", v="neo4j")
        with pytest.raises(neo4j.exceptions.Neo4jError) as late:
            tx.commit()
        assert late.value.code == "Neo.DatabaseError.Database.Unknown"
    with pytest.raises(neo4j.exceptions.Neo4jError) as refused:
        database.query("CREATE (:RO)")
    assert refused.value.code == "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase"
    access = database.query("SHOW DATABASES YIELD name, access WHERE name = 'neo4j' RETURN access", "system")
    assert access == [{"access": "read-only"}]
    assert since(database, position(database)) == []
    database.query(switch, "system", v="")
    database.query("CREATE (:RW)")
