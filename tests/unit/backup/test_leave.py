"""A worker whose operator does not renew its job makes no snapshot and deletes nothing: another one may be at it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from neo4j_dr_operator.archives.keeping import ABANDONED, RENEWED
from neo4j_dr_operator.backup import leave
from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.leave import LEAVE
from neo4j_dr_operator.backup.process import Patience, Stopped
from neo4j_dr_operator.backup.snapshot import Snapshot
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.supervision import BackupPlan
from neo4j_dr_operator.errors import ObjectStoreUnreachable
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.faults import Faults

PLAN = BackupPlan(
    7,
    "ns/dr",
    "primary",
    1,
    Endpoint("bolt://db:7687", "neo4j", "p"),
    S3Address("b", "", "us-east-1", "http://127.0.0.1:1", "a", "s"),
    30.0,
    retention="7",
    leave=100.0,
)
MANIFEST: Any = SimpleNamespace(name=SimpleNamespace(key=lambda archive: "key"), position="", tx=1, latest=1)


class Waiting:
    """The clock, and the event on which a worker waits: ``then`` happens when it does."""

    def __init__(self) -> None:
        self.now, self.then, self.waits = 1000.0, lambda: True, 0

    def wait(self, timeout: float) -> bool:
        """See :class:`threading.Event`."""
        self.waits += 1
        return self.then()

    def is_set(self) -> bool:
        """See :class:`threading.Event`."""
        return False


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    made = Waiting()
    monkeypatch.setattr(leave, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def worker(world: Waiting, plan: BackupPlan = PLAN) -> tuple[Snapshot, list[Any]]:
    """One that has everything but its manifest, and what it puts."""
    status: Any = BackupStatus()
    patience: Any = Patience(status)
    patience.stopping = world
    made, put = Snapshot(BackupConfig.parse(plan.line()), status, patience, Faults()), list[Any]()
    fake: Any = SimpleNamespace(put_manifest=lambda manifest: put.append(manifest) or 1)
    made._vault = fake
    return made, put


def test_leave_is_shorter_than_a_takeover_and_longer_than_a_renewal() -> None:
    assert 2 * RENEWED <= LEAVE < ABANDONED


def test_while_leave_is_held_it_goes_on(world: Waiting) -> None:
    made, put = worker(world)
    world.now += LEAVE
    made._put(MANIFEST)
    assert (put, world.waits, made._may_delete()) == ([MANIFEST], 0, True)


def test_without_leave_it_waits_and_deletes_nothing(world: Waiting) -> None:
    made, put = worker(world)
    world.now += LEAVE + 1
    assert not made._may_delete()
    with pytest.raises(Stopped):
        made._put(MANIFEST)
    assert put == []
    made.renew(PLAN.line())
    assert not made._may_delete(), "the same once more renews nothing"

    def renewed() -> bool:
        made.renew(replace(PLAN, leave=110.0).line())
        return False

    world.then = renewed
    made._put(MANIFEST)
    assert (put, made._may_delete()) == ([MANIFEST], True)


def test_a_put_that_was_not_answered_is_made_again_with_leave_only(world: Waiting) -> None:
    made, _ = worker(world)
    world.now += LEAVE + 1
    world.then = lambda: world.waits > 1
    with pytest.raises(Stopped):
        made._trouble(ObjectStoreUnreachable("no answer"))
    assert world.waits == 2, "first for the store"


def test_who_was_started_without_needs_none(world: Waiting) -> None:
    made, put = worker(world, replace(PLAN, leave=None))
    world.now += 1e6
    made._put(MANIFEST)
    assert (put, made._may_delete()) == ([MANIFEST], True)


def test_a_renewed_leave_makes_no_other_connections(world: Waiting) -> None:
    made, _ = worker(world)
    before = made._bucket._client
    made.renew(replace(PLAN, leave=110.0).line())
    assert made._bucket._client is before
    made.renew(replace(PLAN, destination=replace(PLAN.destination, secret_key="other")).line())
    assert made._bucket._client is not before
