"""Made-up transactions, and segments of them."""

from __future__ import annotations

import base64
import struct
import uuid
from typing import Any

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping.segment import Header, Segment, SegmentWriter, Start

DATABASE = "a42cc1ff-4d57-46fb-aa27-300dd87bbdfc"
MILLIS = 1_700_000_000_000

Change = tuple[int, str, str, Any, str, str, Any]
"""(transaction, operation, element, labels or type, start, end, after)."""


def identifier(tx: int, seq: int = 0) -> str:
    """A change identifier of the made-up database; transaction n is committed n ms after ``MILLIS``."""
    raw = struct.pack(">B16sqqq", 5, uuid.UUID(DATABASE).bytes, tx, seq, MILLIS + tx)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def node(tx: int, operation: str, number: int, properties: dict[str, Any], *labels: str) -> Change:
    """A change of a node."""
    after = 0 if operation == "d" else {"labels": list(labels), "properties": properties}
    return tx, operation, f"4:{DATABASE}:{number}", list(labels), "", "", after


def relationship(tx: int, operation: str, number: int, start: int, end: int, properties: dict[str, Any]) -> Change:
    """A change of a relationship."""
    after = 0 if operation == "d" else {"properties": properties}
    return tx, operation, f"5:{DATABASE}:{number}", "KNOWS", f"4:{DATABASE}:{start}", f"4:{DATABASE}:{end}", after


def chunk(*changes: Change) -> Chunk:
    """A chunk of them; each change has its own identifier, as in the stream."""
    rows = [(identifier(change[0], seq), *change) for seq, change in enumerate(changes)]
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(8)]
    cursor = columns[0][-1] if rows else identifier(0)
    return Chunk(False, cursor, Position.decode(cursor), *columns)


def head(number: int = 2, previous: str | None = "0" * 64, start: Start | None = None) -> Header:
    """A header."""
    return Header("ns/dr", 1, "primary", number, DATABASE, identifier(0), previous, start, MILLIS)


def segment(*chunks: Chunk, header: Header | None = None) -> Segment:
    """A segment of them, up to the end of the last one."""
    writer = SegmentWriter(header or head())
    for each in chunks:
        writer.add(each)
    to = chunks[-1].position if chunks else Position.decode(identifier(0))
    return writer.close(to, MILLIS + to.tx)
