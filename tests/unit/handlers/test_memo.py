"""Events of an object and of its successor, in any order; and deletions that have none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.api.kinds import CLUSTER, RESTORE
from neo4j_dr_operator.handlers.memo import Memo
from neo4j_dr_operator.metrics import Metrics
from tests.fake_api import NAMESPACE, RECOVERY, FakeApi

SPEC = {"primaryClusterRef": "east", "secondaryClusterRef": "west"}
KEY, EAST = (NAMESPACE, "dr"), (NAMESPACE, "east")


def again(api: FakeApi, plural: str, name: str, spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An object, and the one that was made after its deletion."""
    before = api.create(plural, name, spec)
    api.delete(plural, name)
    return before, api.create(plural, name, spec)


def test_a_late_event_of_a_deleted_cluster_drops_no_successor() -> None:
    async def run() -> None:
        api = FakeApi()
        memo = Memo(api, Metrics(), "operator")
        before, after = again(api, CLUSTER.plural, "east", {})
        await memo.cluster_changed(EAST, after)
        await memo.cluster_changed(EAST, before)
        await memo.cluster_gone(EAST, before["metadata"]["uid"])
        assert memo.clusters[EAST] == after
        await memo.cluster_gone(EAST, after["metadata"]["uid"])
        assert EAST not in memo.clusters

    asyncio.run(run())


def test_a_late_event_of_a_deleted_recovery_ends_no_successor() -> None:
    async def run() -> None:
        api = FakeApi()
        memo = Memo(api, Metrics(), "operator")
        before, after = again(api, RECOVERY, "dr", SPEC)
        try:
            await memo.recovery_changed(KEY, after)
            await memo.recovery_changed(KEY, before)
            await memo.recovery_gone(KEY, before["metadata"]["uid"])
            assert memo.controllers[KEY].uid == after["metadata"]["uid"]
        finally:
            await memo.close()

    asyncio.run(run())


async def ended(memo: Memo, running: Mapping[Any, object]) -> None:
    """Wait until a controller has been closed, which something else brings about."""
    try:
        async with asyncio.timeout(10):
            while running:
                await asyncio.sleep(0)
    finally:
        await memo.close()


def test_a_controller_whose_resource_is_gone_ends_at_its_next_write() -> None:
    """No event: it is the answer to the write that tells."""

    async def run() -> None:
        api = FakeApi()
        memo = Memo(api, Metrics(), "operator")
        memo.start()
        body = api.create(RECOVERY, "dr", SPEC)
        api.between[f"get {CLUSTER.plural}"] = lambda: api.delete(RECOVERY, "dr")
        await memo.recovery_changed(KEY, body)
        await ended(memo, memo.controllers)
        assert KEY not in memo.recoveries

    asyncio.run(run())


def test_so_does_a_restore() -> None:
    async def run() -> None:
        api = FakeApi()
        memo = Memo(api, Metrics(), "operator")
        memo.start()
        location = {"type": "s3", "bucket": "bucket", "region": "us-east-1", "path": "/logs"}
        source = {"type": "transaction-logs", "location": location}
        spec = {"clusterRef": "east", "source": source, "pointInTime": "2026-01-15T10:30:00Z"}
        body = api.create(RESTORE.plural, "r", spec)
        api.between[f"get {CLUSTER.plural}"] = lambda: api.delete(RESTORE.plural, "r")
        await memo.restores.changed((NAMESPACE, "r"), body)
        await ended(memo, memo.restores._controllers)
        assert f"get {RESTORE.plural}" in api.calls

    asyncio.run(run())
