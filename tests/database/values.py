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

EXTREMES: dict[str, str] = {
    "last_day": "date('+999999999-12-31')",
    "first_day": "date('-999999999-01-01')",
    "year_zero": "date('0000-02-29')",
    "last_moment": "localdatetime('+999999999-12-31T23:59:59.999999999')",
    "first_moment": "localdatetime('-999999999-01-01T00:00:00')",
    "far_utc": "datetime('+12345-01-01T00:00:00.000000001Z')",
    "far_zone": "datetime('+100000-06-01T00:00:00[Europe/Berlin]')",
    "widest_offset": "datetime('1969-12-31T23:59:59.999999999-18:00')",
    "unknown_zone": "datetime({year: 2020, timezone: 'SystemV/PST8'})",
    "utc_by_name": "datetime({year: 2020, timezone: 'UTC'})",
    "gmt_by_name": "datetime({year: 2020, timezone: 'Etc/GMT-14'})",
    "skipped_hour": "datetime({year: 2024, month: 3, day: 31, hour: 2, minute: 30, timezone: 'Europe/Berlin'})",
    "local_mean_time": "datetime({year: 1700, timezone: 'Europe/Amsterdam'})",
    "last_time": "time('23:59:59.999999999-18:00')",
    "longest": "duration({seconds: 9223372036854775807, nanoseconds: 999999999})",
    "shortest": "duration({seconds: -9223372036854775807})",
    "parts_apart": "duration({months: -13, days: 400, seconds: -1, nanoseconds: 1})",
    "edge_of_the_world": "point({longitude: 180.0, latitude: -90.0})",
    "deep": "point({longitude: -180.0, latitude: 90.0, height: -1e300})",
    "zeros": "point({x: -0.0, y: 0.0, z: -0.0})",
    "around_surrogates": r"'\uD7FF\uE000\uFFFE\uFFFF'",
    "pair": r"'\uD83D\uDE00'",
    "controls": r"'\u0000\u0001\u0008\u001F\u007F\u0085\uFEFF'",
    "combining": r"'e\u0301 \u00e9 \u202E'",
    "far_days": "[date('+999999999-12-31'), date('-999999999-01-01')]",
    "far_moments": "[datetime('+12345-01-01T00:00:00Z'), datetime('2020-01-01T00:00:00+05:45')]",
    "zones": "[datetime({year: 2020, timezone: 'SystemV/PST8'}), datetime('2020-01-01T00:00:00[Asia/Kathmandu]')]",
    "many_points": "[i IN range(1, 3000) | point({x: i * 0.1, y: -i})]",
    "many_integers": "range(-20000, 20000)",
    "many_floats": "[i IN range(1, 20000) | i / 3.0]",
    "many_texts": "[i IN range(1, 5000) | 'text ' + i]",
    "many_booleans": "[i IN range(1, 5000) | i % 3 = 0]",
}
"""Cypher for values at the ends of what Neo4j holds, most of them beyond the driver's own types."""

NANS = ("7ff8000000000000", "7ff8000000000123", "7ff0000000000123", "fff8000000000000", "ffffffffffffffff")
"""The bits of several values that are not numbers, quiet and signalling."""
