"""What a backup worker is started with: read back by the worker itself, and kept out of every log."""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.backup.supervision import BackupPlan, BackupSupervisor
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.objects import Encryption
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.workers import Worker

SOURCE = Endpoint("bolt://db:7687", "neo4j", "a-password")
TO = S3Address("bucket", "path", "us-east-1", "http://s3:9000", "an-access-key", "a-secret-key", "a-token")
PLAN = BackupPlan(7, "ns/dr", "secondary", 3, SOURCE, TO, 30.0)


def test_the_worker_reads_what_the_parent_writes() -> None:
    config = BackupConfig.parse(replace(PLAN, encrypted=True, kms_key="key", retention="30d").line())
    assert (config.archive, config.epoch, config.site, config.timeout) == ("ns/dr", 3, "secondary", 30.0)
    assert config.destination == TO
    assert (config.source.uri, config.source.password) == (SOURCE.uri, SOURCE.password)
    assert (config.encryption, config.retention) == (Encryption("key"), Retention.parse("30d"))
    plain = BackupConfig.parse(PLAN.line())
    assert (plain.encryption, plain.retention) == (None, None)
    assert PLAN.line().endswith(b"}\n")
    assert PLAN.line().count(b"\n") == 1


def test_nothing_secret_is_in_a_name_or_a_representation() -> None:
    for text in (PLAN.name, repr(PLAN), str(PLAN)):
        for secret in ("a-password", "a-secret-key", "a-token"):
            assert secret not in text


def test_a_worker_is_told_of_other_credentials_and_of_leave_to_delete_and_replaced_for_anything_else() -> None:
    renewed = replace(PLAN, destination=replace(TO, secret_key="another"), source=replace(SOURCE, password="other"))
    for same in (renewed, replace(PLAN, retention="7"), replace(PLAN, leave=1.0)):
        assert same.identity() == PLAN.identity()
    for other in (replace(PLAN, number=8), replace(PLAN, epoch=4), replace(PLAN, destination=replace(TO, path="x"))):
        assert other.identity() != PLAN.identity()
    assert replace(PLAN, number=8, retention="7", leave=1.0).same_way(PLAN), "it would fail as this one did"
    assert not renewed.same_way(PLAN)
    assert not replace(PLAN, epoch=4).same_way(PLAN)


def test_what_changes_while_a_worker_runs_reaches_it() -> None:
    """Also what changes before it is known to have begun."""
    told: list[bytes] = []

    class Silent(BackupSupervisor):
        async def _spawn(self, config: BackupPlan) -> Worker[BackupPlan]:
            process: Any = SimpleNamespace(returncode=None, stdout=StreamReader(), wait=sleeping, kill=lambda: None)
            process.stdin = SimpleNamespace(is_closing=lambda: False, write=told.append)
            await asyncio.sleep(0.01)
            self._worker = Worker(config, process)
            return self._worker

    async def sleeping() -> None:
        await asyncio.sleep(60)

    async def live() -> None:
        jobs = Silent("backup", lambda: None, job=True)
        jobs.want(PLAN)
        await asyncio.sleep(0)
        jobs.want(early := replace(PLAN, retention="7"))
        while not told:
            await asyncio.sleep(0.001)
        jobs.want(late := replace(early, destination=replace(TO, session_token="new")))
        jobs.want(late)
        jobs.want(late := replace(late, leave=5.0))
        assert jobs.worker is not None
        assert jobs.worker.config == late
        renewed = [command for command in map(json.loads, told) if command["do"] == "renew"]
        plans = [BackupConfig.parse(json.dumps(command["plan"])) for command in renewed]
        assert [(plan.retention, plan.destination.session_token, plan.leave) for plan in plans] == [
            (Retention.parse("7"), "a-token", None),
            (Retention.parse("7"), "new", None),
            (Retention.parse("7"), "new", 5.0),
        ]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(live())
