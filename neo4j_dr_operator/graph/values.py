"""Property values of Neo4j as JSON, exact to the last bit and to the type. Source: ``docs/archive-format.md``.

Booleans, strings, lists, 64-bit integers and finite floats are their JSON selves; a float always has a ``.`` or an
exponent, an integer never. Everything else is an object with one key, its type: no property value of Neo4j is a map, so
nothing can be mistaken for one, and none is null. What the data plane reads are structures as they travel
(:mod:`neo4j_dr_operator.graph.wire`), which hold all of Neo4j's range; what an archive gives back are the driver's own
types, or, where the driver has none (the year 12,000, an offset with seconds, a zone of tomorrow), that structure.

============= ============================================================ ===================
key           value                                                        Neo4j's type
============= ============================================================ ===================
float         the 16 hex digits of its IEEE 754 bits, big-endian           FLOAT: NaN, infinite
bytes         base64, padded                                               ByteArray
date          days since 1970-01-01                                        DATE
time          [nanoseconds since midnight, offset in seconds]              ZONED TIME
localtime     nanoseconds since midnight                                   LOCAL TIME
datetime      [seconds since 1970 in UTC, nanoseconds, offset or zone]     ZONED DATETIME
localdatetime [seconds since 1970 as if in UTC, nanoseconds]               LOCAL DATETIME
duration      [months, days, seconds, nanoseconds]                         DURATION
point         [SRID, x, y] or [SRID, x, y, z]                              POINT
============= ============================================================ ===================
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytz  # type: ignore[import-untyped]  # the driver's own time zones; no stubs among the tools
from neo4j.spatial import CartesianPoint, Point, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from neo4j_dr_operator.graph.wire import KINDS, TAGS, Structure

_BITS = struct.Struct(">d")
_POINTS: dict[int, type[Point]] = {4326: WGS84Point, 4979: WGS84Point, 7203: CartesianPoint, 9157: CartesianPoint}
_EPOCH = Date(1970, 1, 1).to_ordinal()
_DAY = 86_400
_NANO = 1_000_000_000
_ZONED = b"i"


def tagged(value: Any) -> dict[str, Any]:
    """The object that stands for a value JSON has no form for. Raises TypeError for what is no property value."""
    match value:
        case Structure() if value.tag in KINDS:
            return {KINDS[value.tag]: _fields(value)}
        case float():
            return {"float": _BITS.pack(value).hex()}
        case bytes() | bytearray():
            return {"bytes": base64.b64encode(value).decode()}
        case Date():
            return {"date": value.to_ordinal() - _EPOCH}
        case DateTime():
            return _tagged_datetime(value)
        case Time():
            return {"localtime": value.ticks} if value.tzinfo is None else {"time": [value.ticks, _offset(value)]}
        case Duration():
            return {"duration": [value.months, value.days, value.seconds, value.nanoseconds]}
        case Point():
            return {"point": [value.srid, *(plain(coordinate) for coordinate in value)]}
    raise TypeError(f"no property value of Neo4j: {type(value).__name__}")


def mistaken(value: Any) -> bool:
    """Whether there is another value that the server takes for this one, so that it passes over ``SET``.

    Also of one in a list. As 5.26 compares them: -0.0 and 0.0, one NaN and another, and the two moments that a clock in
    a named zone shows alike, in the hour that is there twice (``DateTimeValue.equals``).
    """
    kind = value.__class__
    if kind is float:
        return bool(value == 0.0 or value != value)
    if kind is Structure:
        return bool(value.tag == _ZONED)
    if kind is DateTime:
        return value.tzinfo is not None
    return kind is list and any(map(mistaken, value))


def plain(value: Any) -> Any:
    """``value`` with the floats replaced that JSON cannot write, also inside a list; anything else as it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return tagged(value)
    if type(value) is list:
        return [plain(item) for item in value]
    return value


def untagged(value: Any) -> Any:
    """The property value that :func:`tagged`, :func:`plain` or JSON itself wrote. Raises ValueError for another."""
    if type(value) is list:
        return [untagged(item) for item in value]
    if type(value) is not dict:
        return value
    try:
        ((kind, content),) = value.items()
        try:
            return _READERS[kind](content)
        except (ValueError, OverflowError, pytz.UnknownTimeZoneError):
            if kind not in _TEMPORAL:
                raise
            return _structure(kind, content)
    except (KeyError, TypeError, OverflowError, struct.error) as error:
        raise ValueError("a value of a type that this version does not know") from error


def _fields(value: Structure) -> Any:
    fields = [plain(field) for field in value.fields]
    return fields[0] if len(fields) == 1 else fields


def _structure(kind: str, content: Any) -> Structure:
    """The structure of a temporal value that the driver's types cannot hold."""
    fields = content if type(content) is list else [content]
    tag = TAGS.get(kind) or (_ZONED if type(fields[-1]) is str else b"I")
    return Structure(tag, *fields)


def _offset(value: Time | DateTime) -> int:
    offset = value.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _tagged_datetime(value: DateTime) -> dict[str, Any]:
    seconds = (value.to_ordinal() - _EPOCH) * _DAY + value.hour * 3600 + value.minute * 60 + value.second
    zone = value.tzinfo
    if zone is None:
        return {"localdatetime": [seconds, value.nanosecond]}
    offset = _offset(value)
    name = getattr(zone, "zone", None) or getattr(zone, "key", None)
    return {"datetime": [seconds - offset, value.nanosecond, name or offset]}


def _local(seconds: int, nanoseconds: int) -> DateTime:
    days, rest = divmod(seconds, _DAY)
    date = Date.from_ordinal(_EPOCH + days)
    return DateTime(date.year, date.month, date.day, rest // 3600, rest // 60 % 60, rest % 60, nanoseconds)


def _datetime(content: list[Any]) -> DateTime:
    seconds, nanoseconds, zone = content
    if isinstance(zone, int):
        return _local(seconds + zone, nanoseconds).replace(tzinfo=_fixed(zone))
    # pytz keeps one tzinfo for each of a zone's offsets: the one of this moment tells the repeated hour apart
    moment = _UNIX + timedelta(seconds=seconds)
    there = moment.astimezone(pytz.timezone(zone))
    offset = there.utcoffset()
    assert offset is not None
    return _local(seconds + int(offset.total_seconds()), nanoseconds).replace(tzinfo=there.tzinfo)


def _fixed(offset: int) -> Any:
    minutes, seconds = divmod(offset, 60)
    if seconds:
        raise ValueError("an offset that is not in whole minutes")
    return pytz.FixedOffset(minutes)


def _time(content: list[int]) -> Time:
    ticks, offset = content
    return Time.from_ticks(ticks).replace(tzinfo=_fixed(offset))


def _point(content: list[Any]) -> Point:
    srid, *coordinates = content
    return _POINTS[srid]([untagged(coordinate) for coordinate in coordinates])


def _duration(content: list[int]) -> Duration:
    months, days, seconds, nanoseconds = content
    return Duration(months=months, days=days, seconds=seconds, nanoseconds=nanoseconds)


_TEMPORAL = {*TAGS, "datetime"}
_UNIX = pytz.utc.localize(DateTime(1970, 1, 1).to_native())
_READERS: dict[str, Callable[[Any], Any]] = {
    "float": lambda digits: _BITS.unpack(bytes.fromhex(digits))[0],
    "bytes": base64.b64decode,
    "date": lambda days: Date.from_ordinal(_EPOCH + days),
    "time": _time,
    "localtime": Time.from_ticks,
    "datetime": _datetime,
    "localdatetime": lambda content: _local(*content),
    "duration": _duration,
    "point": _point,
}
