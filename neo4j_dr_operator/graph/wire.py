"""Values as they travel, between two databases that understand each other better than the driver understands them.

The driver's own types cannot hold everything that Neo4j can: years run from 1 to 9999 (Neo4j: ±999,999,999), an offset
of a time zone has whole minutes (the seconds are cut off without a word), a zone must be known to this machine's
tables, a duration is normalised. So connections of the data plane leave the structures of PackStream as they come:
what was read is written as it was, bit by bit, and is cheaper than decoding. Source of the tags: the Bolt manual,
"Structure semantics", Bolt 5.0 and later (where zoned times travel in UTC).
"""

from __future__ import annotations

import threading
from typing import Any

from neo4j._codec.packstream import Structure

__all__ = ["KINDS", "TAGS", "Structure", "Traffic", "undecoded"]

KINDS: dict[bytes, str] = {
    b"D": "date",
    b"T": "time",
    b"t": "localtime",
    b"I": "datetime",
    b"i": "datetime",
    b"d": "localdatetime",
    b"E": "duration",
    b"X": "point",
    b"Y": "point",
}
"""What a structure's tag says it is; fields as in :mod:`neo4j_dr_operator.graph.values`, a single one bare there."""
TAGS: dict[str, bytes] = {"date": b"D", "time": b"T", "localtime": b"t", "localdatetime": b"d", "duration": b"E"}
"""The tag of each kind that has only one."""


class _Scope:
    """What a result asks of a connection: how to decode (not at all) and how to encode (as ever)."""

    def __init__(self, encoding: Any) -> None:
        self.hydration_hooks: dict[type, Any] = {}
        self.dehydration_hooks = encoding


class _Handler:
    """In place of a connection's own."""

    def __init__(self, encoding: Any) -> None:
        self._scope = _Scope(encoding)
        self.dehydration_hooks = encoding

    def new_hydration_scope(self) -> _Scope:
        return self._scope


def undecoded(connection: Any) -> None:
    """Make a connection of the driver give structures as they come. Raises AttributeError for another driver's."""
    connection.hydration_handler = _Handler(connection.hydration_handler.dehydration_hooks)


class Traffic:
    """Bytes received over some connections, of all threads: what was read is as large as that."""

    def __init__(self) -> None:
        self.received = 0
        self._lock = threading.Lock()

    def count(self, connection: Any) -> None:
        """From now on, what ``connection`` receives counts."""
        receive = connection.socket.recv_into

        def counted(buffer: Any, size: int) -> int:
            got: int = receive(buffer, size)
            with self._lock:
                self.received += got
            return got

        connection.socket.recv_into = counted
