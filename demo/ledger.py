"""The writer's own log: what it was about to do, and what it was told became of it. JSON lines, appended only.

``{"n", "site", "at", "ops"}`` is written before a transaction is sent, ``{"n", "site", "at", "outcome"}`` when its
fate is known: ``acknowledged`` (commit returned), ``refused`` (certainly not committed; the number is tried again) or
``doubtful`` (the connection broke while commit was under way; the number is not used again). ``at`` is seconds since
1970. A number without an outcome is doubtful: the writer was ended.

An operation is a list, its name first (``uid`` names an element and is unique in the whole graph):

- ``node, uid, labels, properties``
- ``rel, uid, type, from uid, to uid, properties``: nothing when an end is missing
- ``set, uid, properties (null removes), labels added, labels removed``: nothing when the node is missing
- ``setrel, uid, from uid, properties``: likewise
- ``delete, uid``: the node and its relationships
- ``deleterel, uid, from uid``
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

Outcome = Literal["acknowledged", "refused", "doubtful"]


@dataclass
class Entry:
    """One numbered transaction. ``outcome`` None: not known, the writer was ended or is at it."""

    n: int
    site: str
    began: float
    ops: list[list[Any]] = field(default_factory=list)
    outcome: Outcome | None = None
    ended: float = 0.0


def read(path: Path) -> list[Entry]:
    """Every number once, with its last attempt, in order. A half-written last line is passed over."""
    entries: dict[int, Entry] = {}
    for text in path.read_bytes().split(b"\n")[:-1]:
        line = json.loads(text)
        if "ops" in line:
            entries[line["n"]] = Entry(line["n"], line["site"], line["at"], line["ops"])
        else:
            entries[line["n"]].outcome, entries[line["n"]].ended = line["outcome"], line["at"]
    return [entries[n] for n in sorted(entries)]


def acknowledged(entries: Iterable[Entry]) -> list[Entry]:
    """Those whose commit returned."""
    return [entry for entry in entries if entry.outcome == "acknowledged"]


def pack(value: Any) -> Any:
    """A property value as JSON that loses nothing. Raises TypeError for a type the demo does not write."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return {"float": value.hex()}
        case bytes():
            return {"bytes": value.hex()}
        case list():
            return [pack(item) for item in value]
        case Date() | Time() | DateTime() | Duration():
            return {type(value).__name__.lower(): value.iso_format()}
        case WGS84Point() | CartesianPoint():
            return {"point": [value.srid, *(float(part).hex() for part in value)]}
        case _:
            raise TypeError(f"no form for {type(value).__name__}")


def unpack(packed: Any) -> Any:
    """The value that was packed. Raises ValueError for a form that is not known."""
    if isinstance(packed, list):
        return [unpack(item) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    match kind:
        case "float":
            return float.fromhex(value)
        case "bytes":
            return bytes.fromhex(value)
        case "date":
            return Date.from_iso_format(value)
        case "time":
            return Time.from_iso_format(value)
        case "datetime":
            return DateTime.from_iso_format(value)
        case "duration":
            return Duration.from_iso_format(value)
        case "point":
            make = {4326: WGS84Point, 4979: WGS84Point, 7203: CartesianPoint, 9157: CartesianPoint}[value[0]]
            return make([float.fromhex(part) for part in value[1:]])
        case _:
            raise ValueError(f"no such form: {kind}")


def unpack_all(properties: dict[str, Any]) -> dict[str, Any]:
    """Every property unpacked."""
    return {key: unpack(value) for key, value in properties.items()}
