"""An archive makes a failover lose less, and never prevents one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest
from test_operations import late

from neo4j_dr_operator import workers
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.failover.actions import DrainPlan
from neo4j_dr_operator.failover.state import SITES, ControlState, HistoryEntry, Step
from neo4j_dr_operator.failover.view import Claimed, Desired, DrainView, Seen
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.recovery.drainer import Drainer, drain_view
from neo4j_dr_operator.recovery.plans import drain_config
from neo4j_dr_operator.recovery.site_runtime import SiteRuntime
from neo4j_dr_operator.reporting.objectives import Objectives, ShipPlan, log_shipping_healthy, ship_plan
from neo4j_dr_operator.reporting.report import history_item
from neo4j_dr_operator.restore.drain_config import DrainConfig
from tests.machine_inputs import down, following, kinds, link, operating, seen, site, standby, step

ARCHIVED = Desired(archive=True)
PLAN = DrainPlan("primary", "secondary", 2, 1)
GONE = {"primary": down(site()), "secondary": standby()}
BOTH = {"primary": down(site()), "secondary": down(standby())}
CONFIG = DrainConfig("primary>secondary", 2, "ns/dr", 1, S3Address("b"), Endpoint("bolt://h", "u", "p"))


def draining(kind: str = "failover", **other: object) -> ControlState:
    return operating(kind, "Draining", applied="c", **other)


def sight(drain: DrainView | None, sites: object = GONE) -> Seen:
    return seen(sites=sites, link=None, claimed=Claimed(2, "c", 9), drain=drain)


@pytest.mark.parametrize("kind", ["failover", "emergency"])
def test_without_a_final_position_the_archive_is_drained_before_the_promotion(kind: str) -> None:
    decision = step(draining(kind), ARCHIVED, sight(None))
    assert (decision.state, decision.drain, decision.link) == (draining(kind), PLAN, None)
    going = step(draining(kind), ARCHIVED, sight(DrainView(2, "draining", "d", 4)), late(3600))
    assert (going.state, going.drain) == (draining(kind), PLAN)
    assert "4 transactions" in going.why
    other = step(draining(kind), ARCHIVED, sight(DrainView(1, "finished", "z", 9)))
    assert other.drain == PLAN, "one of another epoch says nothing"
    after = step(draining(kind), ARCHIVED, sight(DrainView(2, "finished", "e", 7))).state.operation
    assert after is not None
    assert (after.step, after.applied, after.drained, after.drain_problem) == ("Promoting", "e", 7, None)


def test_where_nothing_is_shipped_nothing_is_drained() -> None:
    decision = step(draining(), Desired(), sight(None))
    assert decision.state.operation is not None
    assert (decision.state.operation.step, decision.state.operation.drained, decision.drain) == (
        "Promoting",
        None,
        None,
    )


@pytest.mark.parametrize("kind", ["switchover", "emergency"])
def test_where_the_final_position_is_known_the_stream_is_drained(kind: str) -> None:
    state = draining(kind, final="f", final_tx=20)
    decision = step(state, ARCHIVED, seen(link=link(epoch=2)))
    assert (decision.drain, decision.link is None) == (None, False)


@pytest.mark.parametrize(
    ("view", "age", "problem"),
    [
        (DrainView(2, "failed", "d", 3, reason="ArchiveGap", message="s"), 1, "ArchiveGap: s"),
        (DrainView(2, "failed", None, 0, reason="ObjectStoreUnreachable", message="s"), 1, "ObjectStoreUnreachable: s"),
        (DrainView(2, "draining", "d", 3, quiet=121), 200, "DrainStalled: no progress for 120 s"),
        (DrainView(2, "draining", "d", 3, 121, "TargetStorageFailed", "m"), 200, "DrainStalled: no progress for 120 s, "
         "TargetStorageFailed: m"),
        (None, 16, "DrainNotStarted: the archive's address or keys cannot be told"),
    ],
)  # fmt: skip
def test_a_drain_that_fails_or_stands_still_prevents_nothing(view: DrainView | None, age: int, problem: str) -> None:
    after = step(draining(), ARCHIVED, sight(view), late(age)).state.operation
    assert after is not None
    taken = view.transactions if view else 0
    applied = (view and view.cursor) or "c"
    assert (after.step, after.applied, after.drained, after.drain_problem) == ("Promoting", applied, taken, problem)


def test_progress_extends_a_drain_and_a_standby_that_is_down_ends_it() -> None:
    at_work = DrainView(2, "draining", "d", 3, quiet=119)
    assert step(draining(), ARCHIVED, sight(at_work), late(3600)).drain == PLAN
    brief = DrainView(2, "draining", "d", 3, quiet=59)
    assert step(draining(), ARCHIVED, sight(brief, BOTH), late(3600)).drain == PLAN
    over = DrainView(2, "finished", "d", 3, quiet=59)
    assert step(draining(), ARCHIVED, sight(over, BOTH), late(3600)).drain == PLAN, "promoted once it is back"
    after = step(draining(), ARCHIVED, sight(DrainView(2, "draining", "d", 3, quiet=61), BOTH), late(3600)).state
    assert (after.operation, after.epoch, after.history[-1].result) == (None, 3, "Cancelled")
    asked = step(draining("emergency"), ARCHIVED, sight(None, BOTH), late(61)).state
    assert (asked.operation, asked.history[-1].result) == (None, "RolledBack")


def test_a_primary_that_answers_again_ends_the_drain() -> None:
    sites = {"primary": site(), "secondary": standby()}
    after = step(draining(), ARCHIVED, sight(DrainView(2, "draining", "d", 3), sites)).state
    assert (after.operation, after.history[-1].result) == (None, "Cancelled")
    emergency = step(draining("emergency"), ARCHIVED, sight(DrainView(2, "draining", "d", 3), sites))
    assert emergency.drain == PLAN, "who asked for it answers for that"


def test_the_history_says_what_came_out_of_the_archive() -> None:
    verifying = operating("failover", "Verifying", drained=7, drain_problem="ArchiveGap: s", applied="e")
    done = step(verifying, ARCHIVED, seen(beaten=2)).state.history[-1]
    item = history_item(done, None)
    assert (item["drainedFromArchive"], item["drainProblem"], item["lostTransactions"]) == (7, "ArchiveGap: s", None)
    plain = history_item(HistoryEntry(epoch=1, kind="switchover", source="primary", target="secondary",
                                      result="Completed", steps=verifying.operation.steps), None)  # fmt: skip  # type: ignore[union-attr]
    assert (plain["drainedFromArchive"], plain["drainProblem"]) == (None, None)


STEPS: tuple[Step, ...] = ("Confirmed", "Fencing", "Draining", "Promoting", "Verifying")


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_shipped_any_more_from_a_site_whose_archive_is_drained(name: Step) -> None:
    shipped = ShipPlan("primary", 1, None)
    assert ship_plan(following()) == shipped
    assert ship_plan(operating("switchover", name)) == shipped
    assert ship_plan(operating("emergency", name, final="f", final_tx=1)) == shipped
    left = name in ("Draining", "Promoting", "Verifying")
    assert ship_plan(operating("failover", name)) == (None if left else shipped)
    claim = log_shipping_healthy(operating("failover", name), Objectives(ship_every=10.0))
    assert (claim.status, claim.reason) == ("False", "FailingOver" if left else "Starting")


def test_the_plan_of_a_drain_names_the_epoch_that_was_claimed_and_the_one_that_was_shipped() -> None:
    sites = {name: SiteRuntime(name, lambda: None, lambda: None) for name in SITES}
    spec = DisasterRecoverySpec.read(
        {
            "primaryClusterRef": "a",
            "secondaryClusterRef": "b",
            "crossRegion": {"primaryRegion": "r1", "secondaryRegion": "r2"},
            "replication": {"batchSize": 77, "timeout": "7s"},
        }
    )
    store = S3Address("b")
    assert drain_config("ns/dr", PLAN, spec, sites, store) is None, "no address of the target yet"
    target = sites["secondary"].link_endpoint = Endpoint("bolt://h", "u", "p")
    made = drain_config("ns/dr", PLAN, spec, sites, store)
    assert made == DrainConfig("primary>secondary", 2, "ns/dr", 1, store, target, 77, 7.0)
    assert drain_config("ns/dr", None, spec, sites, store) is None
    assert drain_config("ns/dr", PLAN, spec, sites, None) is None


def test_a_report_is_read_as_it_comes() -> None:
    assert drain_view(2, {}, 1.5) == DrainView(2, "starting", quiet=1.5)
    error = {"reason": "ArchiveGap", "message": "s"}
    report = {"state": "failed", "cursor": "d", "transactions": 3, "error": error}
    assert drain_view(2, report, 0.0) == DrainView(2, "failed", "d", 3, 0.0, "ArchiveGap", "s")


class Clock:
    """Monotonic seconds, set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def child(script: str) -> Callable[..., object]:
    """What starts a real child process of another program in place of the worker."""
    spawn = asyncio.create_subprocess_exec

    async def started(*_: object, **options: object) -> object:
        return await spawn(sys.executable, "-c", script, **options)  # type: ignore[arg-type]

    return started


SCRIPT = """
import json, sys
line = json.loads(sys.stdin.readline())
say = lambda **report: print(json.dumps({"report": report}), flush=True)
say(state="draining", cursorTx=1, transactions=1, error=None)
while "anything" not in sys.stdin.readline():
    pass
say(state="finished", cursor=line["archive"], cursorTx=2, transactions=2, error=None)
"""


async def until(what: Callable[[], bool], changed: asyncio.Event) -> None:
    """Wait for reports until it holds."""
    async with asyncio.timeout(20):
        while not what():
            changed.clear()
            await changed.wait()


async def drained() -> None:
    changed, clock = asyncio.Event(), Clock()
    drainer = Drainer(changed.set, clock)
    drainer.want(CONFIG, shipping=True)
    assert drainer.view() is None, "the last segment may be on its way"
    drainer.want(CONFIG, shipping=False)
    await until(lambda: (view := drainer.view()) is not None and view.state == "draining", changed)
    clock.now += 30
    view = drainer.view()
    assert view is not None
    assert (view.epoch, view.transactions, view.quiet) == (2, 1, 30.0)
    worker = drainer._supervisor.worker
    assert worker is not None
    worker.tell({"do": "anything"})
    await until(lambda: (view := drainer.view()) is not None and view.state == "finished", changed)
    await until(lambda: drainer._supervisor.worker is None, changed)
    view = drainer.view()
    assert view is not None
    assert (view.cursor, view.transactions, view.quiet) == ("ns/dr", 2, 0.0), "its end stays to be read"
    drainer.want(None, shipping=False)
    await until(lambda: drainer.view() is None, changed)
    await drainer.close()


def test_a_drain_waits_for_the_shipper_and_tells_how_long_it_has_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.asyncio, "create_subprocess_exec", child(SCRIPT))
    asyncio.run(drained())


def test_a_decision_about_anything_else_wants_no_drain() -> None:
    for state in (following(), operating("failover", "Promoting"), operating("failover", "Fencing")):
        assert step(state, ARCHIVED, seen(sites=GONE)).drain is None
    assert kinds(step(draining(), ARCHIVED, sight(None)).actions) == set()
