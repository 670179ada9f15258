"""The stored status of a restore: over the newest version, never over a successor, figures only now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from neo4j_dr_operator.api.kinds import RESTORE
from neo4j_dr_operator.errors import Gone, KubernetesUnreachable
from neo4j_dr_operator.restore import publish
from neo4j_dr_operator.restore.keeper import StatusKeeper
from tests.fake_api import FakeApi

REPORT = {"state": "replaying", "percent": 10, "positionTx": 1, "restoredTo": None, "error": None}


class Server(FakeApi):
    """An API server that holds one restore, and can be silent."""

    def __init__(self) -> None:
        super().__init__()
        self.create(RESTORE.plural, "r", {})
        self.writes: list[Mapping[str, Any]] = []
        self.events: list[tuple[str, str]] = []
        self.silent = False

    @property
    def body(self) -> dict[str, Any]:
        """The restore as it is stored."""
        return self.objects[RESTORE.plural, "r"]

    async def patch_status(self, *args: Any) -> dict[str, Any]:
        if self.silent:
            raise KubernetesUnreachable("no answer")
        stored = await super().patch_status(*args)
        self.writes.append(args[-2])
        return stored

    async def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        if self.silent:
            raise KubernetesUnreachable("no answer")
        self.events.append((kind, reason))


def test_from_beginning_to_end() -> None:
    async def run() -> Server:
        server = Server()
        keeper = StatusKeeper(server, server.body)
        await keeper.soon(keeper.waiting("ReferenceUnresolved", "x is missing"))
        await keeper.begin("restoring into west")
        assert publish.begun(keeper.status)
        await keeper.progress(REPORT, only_looking=False)
        await keeper.end_well({**REPORT, "state": "finished", "nodes": 1, "relationships": 2}, None)
        return server

    server = asyncio.run(run())
    assert server.events == [("Normal", "RestoreStarted"), ("Normal", "Restored")]
    assert [write["phase"] for write in server.writes] == ["Pending", "Surveying", "Replaying", "Complete"]
    assert server.body["status"]["startedAt"]


def test_figures_alone_are_stored_now_and_then() -> None:
    async def run() -> Server:
        server = Server()
        keeper = StatusKeeper(server, server.body)
        for percent in range(10, 60):
            await keeper.progress({**REPORT, "percent": percent}, only_looking=False)
        await keeper.progress({**REPORT, "state": "checking"}, only_looking=False)
        return server

    assert [write["phase"] for write in asyncio.run(run()).writes] == ["Replaying", "Checking"]


def test_somebody_else_was_faster() -> None:
    async def run() -> Server:
        server = Server()
        keeper = StatusKeeper(server, server.body)
        server.change(RESTORE.plural, "r", status={"message": "somebody's"})
        await keeper.end_badly("PointInGap", "there is a gap", None)
        keeper.update({"metadata": {"resourceVersion": "1"}})
        assert publish.ended(keeper.status), "an older event changes nothing"
        return server

    server = asyncio.run(run())
    assert server.body["status"]["message"] == "there is a gap"
    assert server.events == [("Warning", "PointInGap")]


def test_an_end_that_another_operator_told_stays() -> None:
    async def run() -> Server:
        server = Server()
        keeper, other = StatusKeeper(server, server.body), StatusKeeper(server, server.body)
        await other.end_well({**REPORT, "state": "finished", "nodes": 1, "relationships": 2}, None)
        await keeper.progress(REPORT, only_looking=False)
        await keeper.end_badly("PointInGap", "there is a gap", None)
        assert not await StatusKeeper(server, server.body).begin("restoring into west")
        return server

    server = asyncio.run(run())
    assert server.body["status"]["phase"] == "Complete"
    assert server.events == [("Normal", "Restored")]


def test_a_successor_of_the_same_name_is_left_alone() -> None:
    async def run() -> Server:
        server = Server()
        keeper = StatusKeeper(server, server.body)
        server.delete(RESTORE.plural, "r")
        server.create(RESTORE.plural, "r", {})
        with pytest.raises(Gone):
            await keeper.end_badly("PointInGap", "there is a gap", None)
        with pytest.raises(Gone):
            await keeper.progress(REPORT, only_looking=False)
        return server

    assert asyncio.run(run()).writes == []


def test_an_api_server_that_is_silent_stops_no_restore() -> None:
    async def run() -> None:
        server = Server()
        keeper = StatusKeeper(server, server.body)
        server.silent = True
        await keeper.progress(REPORT, only_looking=False)
        await keeper.event("Normal", "RestoreStarted", "x")
        with pytest.raises(KubernetesUnreachable):
            await keeper.end_badly("PointInGap", "there is a gap", None)

    asyncio.run(run())
