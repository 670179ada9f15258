"""Words, numbers and lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.cli import raw
from neo4j_dr_operator.cli.text import Span, bar, clean, clip, count, paint, size, span_of_time, table, width, wrap


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1m00s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (86399, "23h59m"),
        (86400, "1d00h"),
        (1e9, "11574d01h"),
    ],
)
def test_spans_of_time(seconds: float, shown: str) -> None:
    assert span_of_time(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**31, "2.0 GiB"), (2**45, "32.0 TiB")]
)
def test_sizes(number: int, shown: str) -> None:
    assert size(number) == shown


def test_counts_and_bars() -> None:
    assert [count(n, "row") for n in (0, 1, 12000)] == ["0 rows", "1 row", "12,000 rows"]
    assert bar(0.999, 4) == "[###.]", "full only at the end"
    assert bar(1, 4) == "[####]"
    assert bar(-1, 4) == "[....]"


@pytest.mark.parametrize(
    "char", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\r", "\n", "\t", "\u202e", "\u2028", "\u200b"]
)
def test_nothing_that_a_terminal_obeys_or_hides_gets_through(char: str) -> None:
    assert clean(f"a{char}b").isprintable()
    assert clean(f"a{char}b") not in ("ab", f"a{char}b")


def test_letters_of_the_world_are_left_alone() -> None:
    assert clean("Zürich 東京 عربي") == "Zürich 東京 عربي"


@given(st.text(max_size=80), st.integers(1, 40))
def test_wrapping_loses_no_word_and_keeps_the_width(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")
    assert all(width(line) <= max(2, columns) for line in lines), "a wide letter takes two columns at least"


@given(st.text(max_size=40), st.integers(4, 40))
def test_clipping_keeps_the_width(text: str, columns: int) -> None:
    assert width(clip(text, columns)) <= columns


def test_a_table_is_aligned_by_what_is_seen() -> None:
    rows = [[Span("東京"), Span("x")], [Span("a\x1bb"), Span("y")], [Span("z"), Span("w")]]
    assert paint(table(rows), colour=False) == ["東京    x", "a\\x1bb  y", "z       w"]


def test_only_painting_makes_sequences() -> None:
    line = (Span("a\x1b[31m", "bad"), Span(" ", "bold"), Span("b"))
    assert paint([line], colour=True) == ["\x1b[1;31ma\\x1b[31m\x1b[0m b"]
    assert paint([line], colour=False) == ["a\\x1b[31m b"]


def test_moments_in_every_form_are_utc() -> None:
    at = datetime(2026, 3, 14, 3, tzinfo=UTC)
    for text in ("2026-03-14T03:00:00Z", "2026-03-14T04:00:00+01:00", "2026-03-14T03:00:00"):
        assert raw.instant({"a": text}, "a") == at
    assert raw.moment({"a": at.timestamp()}, "a") == at
    assert raw.instant({"a": "soon"}, "a") is raw.moment({"a": 1e300}, "a") is None
