"""One value of every property type of Neo4j 5.26, and the awkward ones among them."""

from __future__ import annotations

import math
from typing import Any

import pytz
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

BERLIN = pytz.timezone("Europe/Berlin")
FIXED = pytz.FixedOffset(-330)

VALUES: dict[str, Any] = {
    "yes": True,
    "no": False,
    "zero": 0,
    "highest": 2**63 - 1,
    "lowest": -(2**63),
    "float": 0.1,
    "minus_zero": -0.0,
    "smallest": 5e-324,
    "largest": 1.7976931348623157e308,
    "infinite": math.inf,
    "minus_infinite": -math.inf,
    "nan": math.nan,
    "empty_text": "",
    "text": "Grüße, 世界 \U0001f600 \u2028 `back` \\u0041 \"quoted\" 'x'",
    "nul": "a\x00b",
    "long_text": "x" * 100_000,
    "bytes": bytes(range(256)),
    "no_bytes": b"",
    "date": Date(2024, 2, 29),
    "old_date": Date(1, 1, 1),
    "last_date": Date(9999, 12, 31),
    "local_time": Time(23, 59, 59, 999_999_999),
    "zoned_time": Time(1, 2, 3, 4, FIXED),
    "local_datetime": DateTime(2024, 10, 27, 2, 30, 0, 123_456_789),
    "zoned_summer": BERLIN.localize(DateTime(2024, 10, 27, 2, 30, 0, 1), is_dst=True),
    "zoned_winter": BERLIN.localize(DateTime(2024, 10, 27, 2, 30, 0, 1), is_dst=False),
    "offset_datetime": DateTime(1969, 12, 31, 23, 59, 59, 999_999_999, FIXED),
    "duration": Duration(months=-14, days=3, seconds=-5, nanoseconds=999_999_999),
    "no_duration": Duration(),
    "wgs84": WGS84Point((13.4, 52.5)),
    "wgs84_high": WGS84Point((13.4, 52.5, -7.25)),
    "flat": CartesianPoint((0.1, -0.0)),
    "space": CartesianPoint((1e300, -1e-300, 3.0)),
    "no_list": [],
    "booleans": [True, False],
    "integers": [1, -(2**63), 2**63 - 1],
    "floats": [0.5, -0.0, math.inf, math.nan],
    "texts": ["", "ü", "`"],
    "dates": [Date(2024, 1, 1), Date(2025, 1, 1)],
    "datetimes": [DateTime(2024, 1, 1, 0, 0, 0, 7, FIXED)],
    "durations": [Duration(days=1), Duration(months=1)],
    "points": [WGS84Point((1.0, 2.0)), WGS84Point((3.0, 4.0))],
}

NAMES = [
    "a`b",
    "\\u0060",
    "\\\\u0060",
    "x\\u0041y",
    "\\",
    "ü \U0001f600",
    "$x",
    "{}",
    " ",
    "'\"",
    "\n",
    "\u2028",
    "-- //",
]
"""Names of labels, types and properties that break naive quoting."""
