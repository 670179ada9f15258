"""The stand-in for change capture: positions, the errors a bad one gets, retention, the switch."""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Callable

import neo4j
import pytest
from lab_support import Identifier, decode, position, since

from lab import Neo4j

INVALID = "Neo.ClientError.ChangeDataCapture.InvalidIdentifier"
FUTURE = "Neo.TransientError.ChangeDataCapture.FutureIdentifier"
PRUNED = "Neo.DatabaseError.ChangeDataCapture.ScanFailure"
DISABLED = "Neo.DatabaseError.ChangeDataCapture.Disabled"


@pytest.fixture
def database(databases: tuple[Neo4j, Neo4j]) -> Neo4j:
    """One empty database."""
    return databases[1]


def encode(identifier: Identifier) -> str:
    """Text of an identifier."""
    data = struct.pack(">b16sqqq", identifier.version, identifier.database.bytes, *identifier[2:])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def refusal(database: Neo4j, start: str) -> str:
    """Code of the error that reading from a position gets."""
    with pytest.raises(neo4j.exceptions.Neo4jError) as error:
        since(database, start)
    return str(error.value.code)


def pairs(database: Neo4j, count: int) -> str:
    """Write transactions of two nodes each; the position before them."""
    start = position(database)
    for i in range(count):
        database.query("CREATE (:M {i: $i}) CREATE (:M {i: $i})", i=i)
    return start


def test_reading_goes_on_exclusively_and_never_inside_a_transaction(database: Neo4j) -> None:
    """From an identifier: what comes after it; from inside a transaction the rest of that transaction is skipped."""
    rows = since(database, pairs(database, 10))
    ids = [row["id"] for row in rows]
    assert [row["id"] for row in since(database, ids[9])] == ids[10:]
    assert [row["id"] for row in since(database, ids[8])] == ids[10:]
    assert since(database, ids[-1]) == []
    assert database.query("CALL db.cdc.query()") == []
    order = [(row["txId"], row["seq"]) for row in since(database, earliest(database))]
    assert order == sorted(order)
    assert len(order) == 20


BAD: dict[str, tuple[Callable[[Identifier], str], str]] = {
    "no identifier": (lambda i: "hello", INVALID),
    "not base64": (lambda i: "!!", INVALID),
    "another database": (lambda i: encode(i._replace(database=uuid.UUID(int=7))), INVALID),
    "the future": (lambda i: encode(i._replace(tx=i.tx + 10_000)), FUTURE),
    "before capture began": (lambda i: encode(i._replace(tx=1)), INVALID),
    "another commit time": (lambda i: encode(i._replace(commit_millis=i.commit_millis + 1)), INVALID),
    "a sequence too high": (lambda i: encode(i._replace(seq=99)), INVALID),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_position_is_refused_with_the_documented_code(database: Neo4j, case: str) -> None:
    """Neo4j's own codes; the future is transient, all else is not."""
    spoil, code = BAD[case]
    good = decode(since(database, pairs(database, 2))[0]["id"])
    assert refusal(database, spoil(good)) == code


def test_the_system_database_has_no_change_capture(database: Neo4j) -> None:
    """As on a real server."""
    with pytest.raises(neo4j.exceptions.Neo4jError):
        database.query("CALL db.cdc.current()", "system")


def test_retention_prunes_and_survives_a_restart(database: Neo4j) -> None:
    """What was pruned is refused; the earliest position is the one before the oldest kept; a restart keeps both."""
    old = since(database, pairs(database, 10))[0]["id"]
    database.query("CALL lab.cdc.configure({keepTx: 5})")
    assert refusal(database, old) == PRUNED
    assert kept(database) == 5
    database.query("CREATE (:M)")
    assert kept(database) == 5
    start = position(database)
    database.stop()
    database.start()
    assert since(database, start) == []
    assert kept(database) == 5


def test_switched_off_and_on_again_all_old_positions_are_invalid(database: Neo4j) -> None:
    """Off: disabled. On again: recording starts anew, and what came before is refused."""
    start = position(database)
    database.query("CALL lab.cdc.configure({mode: 'OFF'})")
    assert refusal(database, start) == DISABLED
    database.query("CREATE (:Unseen)")
    database.query("CALL lab.cdc.configure({mode: 'FULL'})")
    assert refusal(database, start) == INVALID
    database.query("CREATE (:Seen)")
    assert [row["event"]["labels"] for row in since(database, earliest(database))] == [["Seen"]]


def earliest(database: Neo4j) -> str:
    """The oldest position that can be read from."""
    return str(database.query("CALL db.cdc.earliest()")[0]["id"])


def kept(database: Neo4j) -> int:
    """Number of transactions that can be read."""
    return len({row["txId"] for row in since(database, earliest(database))})
