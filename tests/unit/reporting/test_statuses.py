"""Which status is worth a write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.errors import Gone
from neo4j_dr_operator.reporting.statuses import StatusWriter, _steady, changes
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


SHIPPING = {"state": "shipping", "ageSeconds": 31.0, "backlogTransactions": 2, "shippedAt": "2026-01-01T10:01:00.000Z"}
OUT = {**SHIPPING, "state": "retrying", "message": "AccessDenied"}


@pytest.mark.parametrize(
    ("stored", "wanted", "differs"),
    [
        (SHIPPING, {**SHIPPING, "ageSeconds": 3.0, "backlogTransactions": 900}, False),
        (SHIPPING, {**SHIPPING, "ageSeconds": 601.0}, True),
        (SHIPPING, {**SHIPPING, "backlogTransactions": 1000}, True),
        ({**SHIPPING, "backlogTransactions": 1000}, {**SHIPPING, "backlogTransactions": 9000}, False),
        ({**SHIPPING, "ageSeconds": 86_400.0}, {**SHIPPING, "ageSeconds": 87_000.0}, True),
        (OUT, {**OUT, "ageSeconds": 39.0, "backlogTransactions": 20}, False),
        (OUT, {**OUT, "ageSeconds": 41.0, "backlogTransactions": 20}, True),
    ],
)
def test_the_age_of_the_archive_is_written_in_steps(
    stored: dict[str, Any], wanted: dict[str, Any], differs: bool
) -> None:
    """At rest never, in an outage again and again: a day without the store does not show 31 s."""
    assert changes(_steady({"shipping": stored}), _steady({"shipping": wanted})) is differs


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


class Api:
    """Counts what is written of clusters."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    async def patch_status(self, *told: Any) -> dict[str, Any]:
        self.written.append(told[-2])
        return {"metadata": {"resourceVersion": "9"}, "status": told[-2]}


@pytest.mark.parametrize(("uid", "writes"), [("old", 0), ("new", 1), (None, 1)])
def test_a_cluster_that_was_made_again_is_not_told_what_the_one_before_it_was(uid: str | None, writes: int) -> None:
    """Its observedGeneration would stay above its own for good."""
    api = Api()
    writer = StatusWriter(api, "ns", "dr")  # type: ignore[arg-type]
    writer.update_cluster("east", {"metadata": {"uid": "new", "resourceVersion": "8"}, "spec": {}})
    assert asyncio.run(writer.store_cluster("east", {"phase": "Ready"}, uid))
    assert len(api.written) == writes
