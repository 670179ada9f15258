"""The stored status of a restore: over the newest version, never over a successor, figures only now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from neo4j_dr_operator.errors import Conflict, Gone, KubernetesUnreachable
from neo4j_dr_operator.restore import publish
from neo4j_dr_operator.restore.keeper import StatusKeeper

REPORT = {"state": "replaying", "percent": 10, "positionTx": 1, "restoredTo": None, "error": None}


class Server:
    """One object with optimistic locking, and the events about it."""

    def __init__(self) -> None:
        meta = {"namespace": "ns", "name": "r", "uid": "u1", "generation": 1, "resourceVersion": "1"}
        self.body: dict[str, Any] = {"metadata": meta, "spec": {}}
        self.writes: list[Mapping[str, Any]] = []
        self.events: list[tuple[str, str]] = []
        self.silent = False

    def touched(self, **status: Any) -> None:
        """Somebody else writes."""
        meta = self.body["metadata"]
        version = str(int(meta["resourceVersion"]) + 1)
        kept = {**(self.body.get("status") or {}), **status}
        self.body = {**self.body, "metadata": {**meta, "resourceVersion": version}, "status": publish._known(kept)}

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        raise AssertionError("no Secret is needed")

    async def get(self, *_: str) -> dict[str, Any]:
        return self.body

    async def patch_status(
        self,
        group: str,
        version: str,
        plural: str,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        over: str,
    ) -> dict[str, Any]:
        if self.silent:
            raise KubernetesUnreachable("no answer")
        if over != self.body["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        self.writes.append(status)
        self.touched(**status)
        return self.body

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
        server.touched(message="somebody's")
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
        meta = {**server.body["metadata"], "uid": "u2", "resourceVersion": "9"}
        server.body = {**server.body, "metadata": meta}
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
