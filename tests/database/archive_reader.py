"""An archive of transaction logs read by its documentation alone: shares no code with the operator.

What docs/archive-format.md calls a reader: gzip, JSON, and for the values the driver's own functions.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
import zlib
from typing import Any

from neo4j._codec.hydration.bolt.v1.spatial import hydrate_point
from neo4j._codec.hydration.bolt.v1.temporal import hydrate_date, hydrate_duration, hydrate_time
from neo4j._codec.hydration.bolt.v2.temporal import hydrate_datetime

TYPES = {
    "float": lambda bits: struct.unpack(">d", bytes.fromhex(bits))[0],
    "bytes": base64.b64decode,
    "date": hydrate_date,
    "time": lambda parts: hydrate_time(*parts),
    "localtime": hydrate_time,
    "datetime": lambda parts: hydrate_datetime(*parts),
    "localdatetime": lambda parts: hydrate_datetime(*parts),
    "duration": lambda parts: hydrate_duration(*parts),
    "point": lambda parts: hydrate_point(*map(value, parts)),
}


def value(stored: Any) -> Any:
    """A property value."""
    if isinstance(stored, list):
        return [value(item) for item in stored]
    return next(TYPES[kind](content) for kind, content in stored.items()) if isinstance(stored, dict) else stored


def schemas(objects: dict[str, bytes], prefix: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The notes of an epoch's schema in their order: header and rules of each, checked."""
    found = []
    for key in sorted(key for key in objects if key.startswith(prefix)):
        head, *rules, end = map(json.loads, (lines := objects[key].splitlines(keepends=True)))
        assert end == {"end": len(lines) - 1, "sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest()}
        assert (head["format"], head["version"]) == ("neo4j-dr-schema", 1)
        segment, tx, seen = map(int, key.rsplit("/", 1)[1].removesuffix(".json").split("-"))
        assert (head["segment"], head["seen"]) == (segment, seen)
        assert not found or found[-1][0]["tx"] <= tx
        found.append(({**head, "tx": tx}, [line["schema"] for line in rules]))
    return found


class Archive:
    """One epoch: its segments in order, checked, and folded into a graph."""

    def __init__(self, objects: dict[str, bytes], prefix: str) -> None:
        self.headers: list[dict[str, Any]] = []
        self.trailers: list[dict[str, Any]] = []
        self.txs: list[int] = []
        self.nodes: dict[int, tuple[list[str], dict[str, Any]]] = {}
        self.relationships: dict[int, tuple[str, int, int, dict[str, Any]]] = {}
        segments = [objects[key] for key in sorted(objects) if key.startswith(prefix) and key.endswith(".seg")]
        previous = None
        for number, data in enumerate(segments, 1):
            header, *blocks, trailer = map(json.loads, (lines := gzip.decompress(data).splitlines(keepends=True)))
            assert (header["format"], header["version"], header["number"]) == ("neo4j-dr-segment", 1, number)
            assert header["previous"] == previous
            assert header["start"] or header["from"] == self.trailers[-1]["to"]
            assert trailer["crc32"] == f"{zlib.crc32(b''.join(lines[:-1])):08x}"
            before, self.changes = len(self.txs), 0
            for block in blocks:
                self._fold(block)
            assert (len(self.txs) - before, self.changes) == (trailer["transactions"], trailer["changes"])
            self.headers.append(header)
            self.trailers.append(trailer)
            previous = hashlib.sha256(data).hexdigest()

    def _fold(self, block: dict[str, Any]) -> None:
        self.txs += block["txs"]
        ids = [[element.split(":")[2:] for element in block[column].split(" ")] for column in ("starts", "ends")]
        elements = block["elements"].split(" ")
        columns = (block["operations"], elements, block["names"], *ids, block["afters"])
        for operation, element, names, start, end, after in zip(*columns, strict=True):
            self.changes += 1
            kind, _, number = element.split(":")
            held: dict[int, Any] = self.nodes if kind == "4" else self.relationships
            assert (int(number) in held) == (operation != "c"), "each transaction once, in order"
            if operation == "d":
                del held[int(number)]
                continue
            properties = {key: value(stored) for key, stored in after["properties"].items()}
            if kind == "4":
                held[int(number)] = (after["labels"], properties)
            else:
                held[int(number)] = (names, int(start[0]), int(end[0]), properties)

    def query(self, text: str, at: int, page: int) -> list[dict[str, Any]]:
        """The graph's nodes or relationships from id ``at`` on, as tests/compare.py asks a database for them."""
        if "labels(n)" in text:
            rows = [{"id": i, "labels": n[0], "properties": n[1]} for i, n in self.nodes.items() if i >= at]
        else:
            names = ("type", "a", "b", "properties")
            rows = [{"id": i, **dict(zip(names, r, strict=True))} for i, r in self.relationships.items() if i >= at]
        return sorted(rows, key=lambda row: row["id"])[:page]
