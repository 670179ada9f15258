"""When the operator calls itself ready."""

from __future__ import annotations

import pytest

from neo4j_dr_operator.handlers.streams import SILENCE, why_not_ready


@pytest.mark.parametrize(
    ("unlisted", "silence", "reason"),
    [
        (set(), 0.0, None),
        (set(), SILENCE, None),
        (set(), SILENCE + 1, "the API server has not answered for 16 s"),
        ({"b", "a"}, 0.0, "not listed yet: a, b"),
        ({"a"}, None, "the API server has not answered yet"),
        (set(), None, "the API server has not answered yet"),
    ],
)
def test_ready_once_every_kind_was_listed_and_the_api_server_answers(
    unlisted: set[str], silence: float | None, reason: str | None
) -> None:
    assert why_not_ready(unlisted, silence) == reason
