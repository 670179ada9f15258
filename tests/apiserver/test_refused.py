"""What is refused at the door, and what is not: the two tables, line by line, on a real API server.

A refusal names the field and says what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from lab import ControlPlane
from neo4j_dr_operator.api.kinds import KINDS
from tests.apiserver.door import Case, Door, printed, read_table

HERE = Path(__file__).parent
REFUSED = read_table(HERE / "refused.txt")
ACCEPTED = read_table(HERE / "accepted.txt")
MODELS = {kind.kind: kind.spec for kind in KINDS}


@pytest.fixture(scope="module")
def door(plane: ControlPlane) -> Iterator[Door]:
    """A connection to the API server."""
    with Door(plane) as door:
        yield door


@pytest.fixture(scope="module")
def stored(plane: ControlPlane, door: Door) -> dict[str, dict[str, Any]]:
    """Every manifest that a table changes, by its block, as stored."""
    namespace = f"t-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", namespace)
    blocks = sorted({case.block for case in [*REFUSED, *ACCEPTED]})
    return {block: door.store(renamed(printed(block), block), namespace) for block in blocks}


def renamed(body: dict[str, Any], block: str) -> dict[str, Any]:
    """Under the name of what is stored, which no case has by itself."""
    return {**body, "metadata": {**body["metadata"], "name": f"stored-{block[:2]}"}}


def verdict(door: Door, stored: dict[str, dict[str, Any]], case: Case) -> str | None:
    old = stored[case.block]
    if case.changed:
        return door.refusal(renamed(case.body(), case.block), old["metadata"]["namespace"], stored=old)
    return door.refusal(case.body(), old["metadata"]["namespace"])


def name(case: Case) -> str:
    return f"{case.block[:2]}{'-changed' if case.changed else ''}: {case.line}"


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_refused(door: Door, stored: dict[str, dict[str, Any]], case: Case) -> None:
    said = verdict(door, stored, case)
    assert said is not None, "accepted"
    assert case.field in said
    assert case.words in said


@pytest.mark.parametrize("case", ACCEPTED, ids=name)
def test_accepted(door: Door, stored: dict[str, dict[str, Any]], case: Case) -> None:
    assert verdict(door, stored, case) is None
    MODELS[case.kind].read(case.body()["spec"])


BETWEEN_FIELDS = (
    "metadata.name",
    "must be of type",
    "Duplicate value",
    "must be given once",
    "must be named once",
    "needed",
    "needs ",
    "exactly one of",
    "must be another",
    "must name",
    "must not be more than",
    "must be the region",
    "write uri as",
    "must be a key in the region",
    "each item names",
    "each cluster names",
    "source must be",
    "must not begin with xn--",
    "nor end with",
    "must not be blank",
    "can be asked for",
    "source.type:",
    "is for transaction",
)
"""Signs of what only the API server refuses: rules between fields. Formats and bounds are the models' as well."""


def of_one_field(case: Case) -> bool:
    return not case.changed and not any(sign in f"{case.line} {case.words}" for sign in BETWEEN_FIELDS)


@pytest.mark.parametrize("case", [case for case in REFUSED if of_one_field(case)], ids=name)
def test_the_models_refuse_formats_too(case: Case) -> None:
    with pytest.raises(ValidationError):
        MODELS[case.kind].read(case.body()["spec"])


UNREADABLE = ("should match", "evaluating rule", "no such key")
"""What the API server says where a pattern or a rule that broke down was all there was."""


def test_no_refusal_is_a_pattern_or_a_rule_that_broke_down(door: Door, stored: dict[str, dict[str, Any]]) -> None:
    said = {case.line: verdict(door, stored, case) or "" for case in REFUSED}
    assert [line for line, words in said.items() if any(sign in words for sign in UNREADABLE)] == []


def test_the_tables_are_long_and_hold_no_line_twice() -> None:
    assert len(REFUSED) >= 150
    assert len(ACCEPTED) >= 40
    for table in (REFUSED, ACCEPTED):
        lines = [(case.block, case.changed, case.line) for case in table]
        assert len(lines) == len(set(lines))
