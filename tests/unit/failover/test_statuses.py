"""Which status is worth a write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.errors import Gone
from neo4j_dr_operator.failover.statuses import StatusWriter, changes
from tests.fake_api import RECOVERY, FakeApi


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


@pytest.mark.parametrize("again", [True, False], ids=["made again", "deleted"])
def test_a_writer_knows_one_object_and_no_other_of_its_name(again: bool) -> None:
    api = FakeApi()
    writer = StatusWriter(api, "production", "dr")
    writer.update(api.create(RECOVERY, "dr", {}))
    api.delete(RECOVERY, "dr")
    if again:
        api.create(RECOVERY, "dr", {}, control={"epoch": 7})
    for call in (lambda: writer.store({"phase": "Pending"}), writer.fresh_control):
        with pytest.raises(Gone):
            asyncio.run(call())
    assert not api.written
