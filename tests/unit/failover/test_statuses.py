"""Which status is worth a write."""

from __future__ import annotations

from typing import Any

import pytest

from neo4j_dr_operator.failover.statuses import changes


@pytest.mark.parametrize(
    ("stored", "patch", "differs"),
    [
        ({}, {}, False),
        ({"a": 1}, {}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": 1}, {"a": 2}, True),
        ({"a": 1}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, False),
        ({"a": {"b": 1}}, {"a": {"b": None}}, True),
        ({"a": 1}, {"a": {"b": None}}, True),
        ({"a": [1]}, {"a": [1, 2]}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": None}]}, False),
        ({"a": True}, {"a": True}, False),
        ({}, {"a": {}}, True),
    ],
)
def test_changes(stored: dict[str, Any], patch: dict[str, Any], differs: bool) -> None:
    assert changes(stored, patch) is differs
