"""What several of the lab's tests need: waiting with a deadline, and reading the change stream."""

from __future__ import annotations

import base64
import struct
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from lab import Neo4j


def eventually(holds: Callable[[], bool], within: float, what: str) -> None:
    """Ask until it holds; AssertionError after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)


class Identifier(NamedTuple):
    """A change identifier, layout 5, taken apart."""

    version: int
    database: uuid.UUID
    tx: int
    seq: int
    commit_millis: int


def decode(text: str) -> Identifier:
    """Version, database id, transaction, sequence and commit time of an identifier."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    version, database, tx, seq, millis = struct.unpack(">b16sqqq", data)
    return Identifier(version, uuid.UUID(bytes=database), tx, seq, millis)


def position(database: Neo4j) -> str:
    """The newest position."""
    return str(database.query("CALL db.cdc.current()")[0]["id"])


def since(database: Neo4j, start: str) -> list[dict[str, Any]]:
    """All changes after a position."""
    return database.query("CALL db.cdc.query($p)", p=start)
