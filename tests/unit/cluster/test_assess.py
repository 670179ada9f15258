"""A returning site whose change stream ends before the position that was promoted."""

from __future__ import annotations

import asyncio
import base64
import struct
import uuid
from typing import Any, cast

import pytest

from neo4j_dr_operator.cluster import site
from neo4j_dr_operator.errors import PositionAhead
from neo4j_dr_operator.failover.view import Assessment
from neo4j_dr_operator.graph.bolt import AsyncDatabase

HERE, ELSEWHERE = uuid.UUID(int=7), uuid.UUID(int=8)


def at(tx: int, database: uuid.UUID = HERE) -> str:
    raw = struct.pack(">B16sqqq", 5, database.bytes, tx, 0, 0)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Active:
    """Has applied the old primary's transaction 50."""

    async def run(self, query: str, **_: Any) -> list[dict[str, Any]]:
        return [{"cursor": at(50)}]


class Returning:
    """Lacks that position, and says that its stream ends at `end`."""

    def __init__(self, end: str) -> None:
        self.end = end

    async def run(self, query: str, **_: Any) -> list[dict[str, Any]]:
        if query == site.CURRENT:
            return [{"id": self.end}]
        raise PositionAhead("the change stream ends before the position")


def assessed(end: str) -> Assessment:
    sides = cast(AsyncDatabase, Active()), cast(AsyncDatabase, Returning(end))
    return asyncio.run(site.assess(*sides, "primary", 2, 1.0))


def test_one_that_was_taken_back_is_lost() -> None:
    """Read-only, it never gets there: asked again and again, it would be `returning` without end."""
    found = assessed(at(40))
    assert (found.site, found.epoch, found.transactions) == ("primary", 2, 0)
    assert found.lost is not None
    assert "ends at transaction 40, and transaction 50 was applied before" in found.lost


@pytest.mark.parametrize("end", [at(50), at(60), at(40, ELSEWHERE)])
def test_one_whose_end_does_not_say_so_is_asked_again(end: str) -> None:
    with pytest.raises(PositionAhead):
        assessed(end)
