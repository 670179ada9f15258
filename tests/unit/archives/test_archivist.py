"""What the archivist starts, and for whom: only what stands in the stored status, and only as its owner."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.archives import archivist, auditor, backup_status, inventory
from neo4j_dr_operator.archives.archivist import Archivist, Wired
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.supervision import BackupPlan
from neo4j_dr_operator.errors import ObjectStoreError
from neo4j_dr_operator.failover.kept import Job, Keeping, Outcome
from neo4j_dr_operator.failover.state import ControlState, Operation
from neo4j_dr_operator.failover.view import ShippingView, SiteView
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.health.verdict import Verdict
from neo4j_dr_operator.metrics import PREFIX, Metrics
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.recovery.sight import shipping_view

LOGS, BACKUPS = S3Address("logs", "a"), S3Address("backups", "b", endpoint="http://s3:9000")
ME = f"{socket.gethostname()}/{os.getpid()}/me"
WAYS = {site: SimpleNamespace(link_endpoint=Endpoint(f"bolt://{site}", "u", "p")) for site in ("primary", "secondary")}
PLACE: dict[str, Any] = {"type": "s3", "bucket": "backups"}
SPEC = DisasterRecoverySpec.read(
    {
        "primaryClusterRef": "a",
        "secondaryClusterRef": "b",
        "replication": {"logShipping": {"enabled": True, "destination": {"type": "s3", "bucket": "logs"}}},
        "backup": {"enabled": True, "schedule": "0 0 29 2 *", "destination": PLACE, "encryption": {"enabled": True}},
    }
)
JOB = Job(number=1, kind="scheduled", where="w", epoch=2, at=0.0, owner=ME, renewed=0.0)


class Heard:
    """What a supervisor was asked to run, instead of running it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.plan: BackupPlan | None = None
        self.worker = self.last = None

    def want(self, plan: BackupPlan | None) -> None:
        self.plan = plan


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Archivist, Heard, Any]]:
    monkeypatch.setattr(archivist, "BackupSupervisor", Heard)
    monkeypatch.setattr(auditor, "Supervisor", Heard)

    def make(restoring: str | None = None) -> tuple[Archivist, Heard, Any]:
        told: list[Any] = []
        metrics = Metrics()
        references: Any = SimpleNamespace(archive=LOGS, backups=BACKUPS, backups_problem=None)
        body = {"metadata": {"generation": 1, "creationTimestamp": datetime.now(UTC).isoformat()}}
        teller: Any = SimpleNamespace(tell=told.append)
        ways: Any = WAYS
        wired = Wired("ns/dr", ME, ways, references, lambda: body, teller, metrics.of("ns", "dr"))
        one = Archivist(wired, asyncio.Event().set, lambda place: restoring if place == BACKUPS else None)
        heard: Any = one._jobs
        return one, heard, SimpleNamespace(news=told, registry=metrics.registry, references=references)

    return make


def stored(job: Job | None, **more: Any) -> dict[str, Any]:
    """`status.control` with that job in it."""
    return {"keeping": Keeping(job=job, **more).model_dump(mode="json", by_alias=True)}


STATE = ControlState(epoch=2, active="secondary", standby="following", barrier="B")


def test_what_is_stored_runs_and_nothing_else(made: Any) -> None:
    one, heard, _ = made()
    one.act(STATE.model_copy(update={"keeping": Keeping(job=JOB)}), SPEC, stored(None))
    assert heard.plan is None, "it has been decided, not stored"
    one.act(STATE, SPEC, stored(JOB.model_copy(update={"owner": "another/1/x"})))
    assert heard.plan is None, "another operator takes it"
    one.act(STATE, SPEC, stored(JOB))
    assert (heard.plan.number, heard.plan.epoch, heard.plan.site) == (1, 2, "secondary")
    assert heard.plan.source.uri == "bolt://secondary"
    one.act(STATE, SPEC, None)
    assert heard.plan is None


def test_a_worker_has_leave_by_what_is_stored_and_by_nothing_else(made: Any) -> None:
    """An operator that cannot store that it still has the job renews no leave."""
    one, heard, _ = made()
    one.act(STATE, SPEC, stored(JOB))
    first = heard.plan
    assert first.leave == JOB.renewed
    later = JOB.model_copy(update={"renewed": 10.0})
    one.act(STATE.model_copy(update={"keeping": Keeping(job=later)}), SPEC, stored(JOB))
    assert heard.plan == first, "it has been decided, not stored"
    one.act(STATE, SPEC, stored(later))
    assert heard.plan == replace(first, leave=10.0)


@pytest.mark.parametrize(
    ("kind", "backups", "destination", "encrypted", "retention"),
    [
        ("base", BACKUPS, LOGS, False, "30d"),
        ("scheduled", BACKUPS, BACKUPS, True, "30d"),
        ("requested", BACKUPS, BACKUPS, True, None),
        ("requested", None, LOGS, False, None),
    ],
)
def test_where_it_goes_and_what_is_deleted_after_it(
    made: Any, kind: Any, backups: S3Address | None, destination: S3Address, encrypted: bool, retention: str | None
) -> None:
    one, heard, world = made()
    world.references.backups = backups
    one.act(STATE, SPEC, stored(JOB.model_copy(update={"kind": kind})))
    plan = heard.plan
    assert (plan.destination, plan.encrypted, plan.retention) == (destination, encrypted, retention)


def test_nothing_is_deleted_while_a_restore_reads_nor_where_no_backups_are_asked_for(made: Any) -> None:
    one, heard, _ = made(restoring="ns/back")
    one.act(STATE, SPEC, stored(JOB))
    assert heard.plan.retention is None
    assert one.seen(Keeping()).restoring == "ns/back"
    one.act(STATE, SPEC, stored(JOB.model_copy(update={"kind": "base"})))
    assert heard.plan.retention == "30d", "it reads another archive"
    one, heard, _ = made()
    base = stored(JOB.model_copy(update={"kind": "base"}))
    one.act(STATE, SPEC.model_copy(update={"backup": SPEC.backup.model_copy(update={"enabled": False})}), base)
    assert heard.plan.retention is None


def test_both_archives_are_looked_through_and_the_same_one_once(made: Any) -> None:
    one, _, world = made()
    one.act(STATE, SPEC, stored(None))
    assert [seen.where for seen in one.auditor.seen] == ["s3://logs/a/ns/dr", "s3://backups/b/ns/dr at http://s3:9000"]
    world.references.backups = LOGS
    one.act(STATE, SPEC, stored(None))
    assert [seen.where for seen in one.auditor.seen] == ["s3://logs/a/ns/dr"]
    world.references.archive = world.references.backups = None
    one.act(STATE, SPEC, stored(None))
    assert one.auditor.seen == ()


def test_an_end_is_told_and_counted_once_and_not_by_who_only_reads_of_it(made: Any) -> None:
    end = Outcome(number=1, kind="scheduled", where="w", epoch=2, began=1.0, ended=5.0, snapshot="s", bytes=70)
    bad = end.model_copy(update={"number": 2, "snapshot": None, "reason": "Broken"})
    one, _, world = made()
    one.act(STATE, SPEC, stored(None, last=end))
    assert world.news == [], "it ended before this process began"
    one, _, world = made()
    for control in (stored(JOB), stored(None, last=end), stored(None, last=end), stored(None, last=bad)):
        one.act(STATE, SPEC, control)
    assert [each.reason for each in world.news] == ["BackupCompleted", "BackupFailed"]
    labels = {"cluster": "dr", "namespace": "ns"}
    assert world.registry.get_sample_value(f"{PREFIX}_backup_bytes_total", labels) == 70
    assert world.registry.get_sample_value(f"{PREFIX}_backup_failures_total", labels) == 1


def test_an_owner_that_has_died_on_this_host_is_known_to_be_gone() -> None:
    host = socket.gethostname()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(20)
    assert archivist._dead(f"{host}/{ended.pid}/x")
    assert archivist._dead(f"{host}/{os.getpid()}/x"), "an earlier process of this container had the same number"
    assert not archivist._dead(f"{host}/{os.getppid()}/x")
    assert not archivist._dead(f"another-host/{ended.pid}/x")
    assert not archivist._dead("nonsense")


def test_the_same_place_has_the_same_name_whatever_it_is_reached_with(made: Any) -> None:
    one, _, _ = made()
    renewed = replace(BACKUPS, access_key="x", secret_key="y")
    assert one._place(BACKUPS) == one._place(renewed) == "s3://backups/b/ns/dr at http://s3:9000"
    assert one._place(LOGS) == "s3://logs/a/ns/dr"
    assert one._place(None) is None


# -- a whole life: the store, the status and the worker as they answer one round after the other ---------------------


class Life:
    """One archivist with a stored state; `held` is what each bucket lists, `problem` what it answers instead."""

    def __init__(self, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.one, self.heard, self.world = made()
        self.held: dict[str, list[SnapshotName]] = {"logs": [], "backups": []}
        self.problem: ObjectStoreError | None = None
        self.state, self.control = STATE, dict[str, Any]()
        self.sites = {site: SiteView(verdict=Verdict.UP) for site in ("primary", "secondary")}
        self.shipping: ShippingView | None = ShippingView("secondary", 2, "shipping", segment=1)

        def vault(bucket: Any, *_: Any) -> Any:
            def snapshots() -> list[SnapshotName]:
                if self.problem is not None:
                    raise self.problem
                return self.held[bucket.address.bucket]

            return SimpleNamespace(names=snapshots)

        def bucket(address: S3Address, *_: Any) -> Any:
            return SimpleNamespace(address=address, close=lambda: None)

        monkeypatch.setattr(inventory, "Vault", vault)
        monkeypatch.setattr(inventory, "Bucket", bucket)

    async def round(self) -> None:
        """Decide, store, act; then every look that was begun is over."""
        seen: Any = SimpleNamespace(sites=self.sites)
        self.state = self.one.keep(self.state, SPEC, seen, self.shipping)
        self.control = {"keeping": json.loads(self.state.keeping.model_dump_json(by_alias=True))}
        self.one.act(self.state, SPEC, self.control)
        looks = [look.task for look in self.one._inventory._looks.values() if look.task is not None]
        await asyncio.gather(*looks)

    def end(self, reason: str = "", **report: Any) -> None:
        """The worker ends as its report says."""
        plan = self.heard.plan
        name = SnapshotName(plan.epoch, 1, plan.number, round(time.time() * 1000))
        if not reason:
            self.held[plan.destination.bucket].append(name)
        made = {"snapshot": None if reason else name.key("ns/dr"), "bytes": 10, "saved": 90, **report}
        error = {"reason": reason, "message": "m"} if reason else None
        state = "failed" if reason else "finished"
        self.heard.last = SimpleNamespace(config=plan, report={"state": state, "error": error, **made})

    @property
    def job(self) -> Job | None:
        return self.state.keeping.job

    def condition(self) -> tuple[str, str]:
        claim = backup_status.backup_healthy(self.one.seen(self.state.keeping))
        return claim.status, claim.reason


@pytest.fixture
def life(made: Any, monkeypatch: pytest.MonkeyPatch) -> Life:
    return Life(made, monkeypatch)


def test_from_nothing_to_a_base_and_the_first_of_the_schedule(life: Life) -> None:
    async def live() -> None:
        await life.round()
        assert (life.job, life.heard.plan, life.condition()) == (None, None, ("Unknown", "Pending"))
        await life.round()
        assert life.job is not None
        assert (life.job.kind, life.heard.plan.destination) == ("base", LOGS)
        life.end()
        await life.round()
        assert (life.job, life.heard.plan) == (None, None)
        await life.round()
        assert life.job is not None
        assert (life.job.kind, life.heard.plan.destination) == ("scheduled", BACKUPS)
        life.end()
        await life.round()
        await life.round()
        assert life.job is None
        assert life.condition() == ("True", "Completed")
        told = backup_status.document(life.one.seen(life.state.keeping))
        assert told is not None
        assert (told["snapshots"], told["lastBytes"], told["lastBytesDeduplicated"]) == (1, 10, 90)
        assert [each.reason for each in life.world.news] == ["BackupCompleted"] * 2
        for _ in range(3):
            await life.round()
        assert life.job is None, "nothing more is due"

    asyncio.run(live())


def test_a_promotion_drops_the_job_and_asks_the_store_anew(life: Life) -> None:
    async def live() -> None:
        await life.round()
        await life.round()
        assert life.job is not None
        life.state = life.state.model_copy(update={"epoch": 3, "active": "primary"})
        await life.round()
        assert (life.job, life.heard.plan) == (None, None), "not before its first segment, and the store is asked"
        life.shipping = ShippingView("primary", 3, "shipping", segment=1)
        await life.round()
        assert life.job is not None
        assert (life.job.epoch, life.heard.plan.epoch, life.heard.plan.source.uri) == (3, 3, "bolt://primary")

    asyncio.run(live())


def test_nothing_is_begun_while_the_active_site_is_down_or_a_change_is_under_way(life: Life) -> None:
    async def live() -> None:
        life.sites["secondary"] = SiteView(verdict=Verdict.DOWN)
        for _ in range(3):
            await life.round()
        assert life.job is None
        life.sites["secondary"] = SiteView(verdict=Verdict.UP)
        under_way = Operation(
            kind="switchover", source="secondary", target="primary", epoch=3, step="Fencing", steps=[]
        )
        life.state = life.state.model_copy(update={"operation": under_way})
        await life.round()
        assert life.job is None
        life.state = life.state.model_copy(update={"operation": None})
        await life.round()
        assert life.job is not None

    asyncio.run(live())


def test_a_store_that_does_not_list_is_told_after_a_while_and_asked_again(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "PAUSES", (0.0,))

    async def live() -> None:
        life.problem = ObjectStoreError("no such bucket")
        await life.round()
        await life.round()
        assert life.condition()[0] == "Unknown", "twice says nothing"
        await life.round()
        assert life.condition() == ("False", "ObjectStoreError")
        life.problem = None
        await life.round()
        await life.round()
        assert life.condition()[0] == "Unknown"
        assert life.job is not None

    asyncio.run(live())


@pytest.mark.parametrize("region", ["eu_west_1", "eu.west", "123"])
def test_a_region_that_no_client_can_be_made_for_is_told_and_ends_no_round(
    life: Life, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "PAUSES", (0.0,))
    monkeypatch.setattr(inventory, "Bucket", Bucket)
    life.world.references.archive = life.world.references.backups = replace(LOGS, region=region)

    async def live() -> None:
        for _ in range(4):
            await life.round()
        assert life.condition() == ("False", "ObjectStoreError")

    asyncio.run(live())


def test_what_failed_waits_and_is_tried_at_once_with_other_credentials(life: Life) -> None:
    async def live() -> None:
        life.held["logs"] = [SnapshotName(2, 1, 1, round(time.time() * 1000))]
        await life.round()
        await life.round()
        assert life.job is not None
        assert life.job.kind == "scheduled"
        life.end("CredentialsRejected")
        await life.round()
        assert life.condition() == ("False", "CredentialsRejected")
        await life.round()
        assert life.job is None, "not yet"
        life.world.references.backups = replace(BACKUPS, secret_key="another")
        await life.round()
        assert life.job is not None
        assert life.heard.plan.destination.secret_key == "another"
        life.end()
        await life.round()
        assert life.condition() == ("True", "Completed")

    asyncio.run(live())


def test_a_list_that_was_asked_for_before_a_snapshot_was_there_does_not_hide_it(life: Life) -> None:
    async def live() -> None:
        await life.round()
        await life.round()
        life.end()
        before, life.held["logs"] = life.held["logs"], []
        look = life.one._inventory._looks["s3://logs/a/ns/dr"]
        late = life.one._inventory._look(look, LOGS)
        answer = asyncio.create_task(late)
        await asyncio.sleep(0)
        await life.round()
        await answer
        assert look.names == tuple(before)
        life.held["logs"] = before
        await life.round()
        assert life.job is not None
        assert life.job.kind == "scheduled", "the base is there"

    asyncio.run(live())


def test_an_end_counts_for_the_plan_that_runs_only(life: Life) -> None:
    async def live() -> None:
        await life.round()
        await life.round()
        job = life.job
        life.end("Stopped")
        life.world.references.archive = replace(LOGS, region="elsewhere")
        life.one.act(life.state, SPEC, life.control)
        await life.round()
        assert life.job == job, "the child that was told to stop is not how it ended"
        life.end("CredentialsExpired")
        life.world.references.archive = replace(LOGS, region="elsewhere", secret_key="rotated")
        await life.round()
        assert life.job is None, "a child is not stopped for other credentials"

    asyncio.run(live())


def test_a_gap_that_the_auditor_saw_makes_a_base_due_whatever_the_shipper_remembers(life: Life) -> None:
    """A shipper that was started again says nothing of the gap of the one before."""

    async def live() -> None:
        for _ in range(2):
            await life.round()
            await life.round()
            life.end()
        for _ in range(2):
            await life.round()
        assert life.job is None
        assert life.shipping is not None
        life.shipping = replace(life.shipping, segment=7)
        rounds = next(iter(life.one.auditor._rounds.values()))
        rounds.seen = replace(rounds.seen, report={"epoch": 1, "gap": 6})
        await life.round()
        assert life.job is None, "that of an earlier epoch is none of this one"
        rounds.seen = replace(rounds.seen, report={"epoch": 2, "gap": 6})
        await life.round()
        assert life.job is not None
        assert (life.job.kind, life.job.why) == ("base", "there is a gap behind the last snapshot")

    asyncio.run(live())


@pytest.mark.parametrize(
    ("reported", "stored", "told"),
    [
        (None, None, None),
        (7, None, 7),
        (None, {"epoch": 2, "gap": 6}, 6),
        (9, {"epoch": 2, "gap": 6}, 9),
        (None, {"epoch": 1, "gap": 6}, None),
    ],
)
def test_a_gap_stays_told_for_its_epoch(reported: int | None, stored: dict[str, Any] | None, told: int | None) -> None:
    worker: Any = SimpleNamespace(report={"gap": reported}, config=SimpleNamespace(site="primary", epoch=2))
    view = shipping_view(worker, stored=stored)
    assert view is not None
    assert view.gap == told
