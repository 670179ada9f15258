"""Pictures: golden ones for every situation, and what holds for every picture whatever is in it.

``NEO4J_DR_WRITE_GOLDEN=1 pytest tests/unit/cli`` writes the golden pictures anew; the diff is then read by a person.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from cli_samples import NOW, SAMPLES, healthy, hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.cli import advice, document, summary
from neo4j_dr_operator.cli.facts import Snapshot, facts_of
from neo4j_dr_operator.cli.picture import overview, picture
from neo4j_dr_operator.cli.text import paint, width

GOLDEN = Path(__file__).parent / "golden"
COLUMNS = 100
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def shown(snapshot: Snapshot, columns: int = COLUMNS, *, colour: bool = False) -> list[str]:
    return paint(picture(snapshot, NOW, columns), colour=colour)


def compare(name: str, lines: list[str]) -> None:
    golden, text = GOLDEN / f"{name}.txt", "".join(f"{line}\n" for line in lines)
    if os.environ.get("NEO4J_DR_WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_golden_picture(name: str) -> None:
    compare(name, shown(SAMPLES[name]()))


def test_the_golden_table_of_all() -> None:
    compare(
        "overview", paint(overview([make() for make in SAMPLES.values()], NOW, COLUMNS, namespaces=True), colour=False)
    )


def test_every_golden_picture_has_its_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {*SAMPLES, "overview"}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_but_a_command_that_is_to_be_copied(name: str, columns: int) -> None:
    lines = shown(SAMPLES[name](), columns)
    assert [line for line in lines if width(line) > columns and "$ kubectl" not in line] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_colours_change_nothing_but_colours(name: str) -> None:
    coloured = shown(SAMPLES[name](), colour=True)
    assert [COLOUR.sub("", line) for line in coloured] == shown(SAMPLES[name]())
    assert any(COLOUR.search(line) for line in coloured)


def test_a_hostile_text_moves_no_cursor_and_begins_no_line() -> None:
    for colour in (False, True):
        for line in shown(hostile(), colour=colour):
            left = COLOUR.sub("", line)
            assert left.isprintable(), repr(left)
    assert "\\x1b[2J\\x1b[H" in "\n".join(shown(hostile())), "it is shown as what it is"


def test_the_document_of_a_hostile_resource_is_plain_ascii() -> None:
    for form in ("json", "yaml"):
        text = document.written(document.report(hostile()), form, streamed=False)  # type: ignore[arg-type]
        assert text.replace("\n", "").isascii()
        assert text.replace("\n", "").isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += _paths(child, (*path, key))
    return found


PATHS = [path for path in _paths(healthy().recovery) if path[0] in ("spec", "status", "metadata")]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), JSON), min_size=1, max_size=4), st.integers(1, 130))
def test_no_document_however_odd_makes_it_fail(changes: list[tuple[tuple[Any, ...], Any]], columns: int) -> None:
    snapshot = healthy()
    for path, value in changes:
        at: Any = snapshot.recovery
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # a change before it took the place away
    for line in shown(snapshot, columns):
        assert line.isprintable()
    facts = facts_of(snapshot)
    assert advice.next_step(facts).sentence
    assert isinstance(summary.healthy(facts), bool)


def test_the_long_name_and_the_wide_letter_keep_their_columns() -> None:
    snapshot = healthy()
    recovery: Any = snapshot.recovery
    recovery["spec"]["crossRegion"]["primaryRegion"] = "東京"
    lines = shown(snapshot)
    rows = [line for line in lines if "primary-cluster  " in line or "secondary-cluster  " in line]
    assert len(rows) == 2
    assert width(rows[0][: rows[0].index("UP")]) == width(rows[1][: rows[1].index("UP")])
