"""The guide's own lines, three times round on one resource, and what a diverged tail does to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from model import World, new_world
from schedule import Run

from neo4j_dr_operator.failover.state import Site


def begin(git: bool = False, operators: int = 1) -> Run:
    from operator_model import Operator

    world = new_world(7, enterprise=False)
    run = Run(world, faulty=False)
    for number in range(1, operators):
        run.operators.append(Operator(world, f"operator-{number + 1}", faulty=False))
    if git:
        world.stored.spec.git_sync = "forward"
        world.stored.spec.reapply()
    assert run.until(lambda: world.stored.control.standby == "following", 60)
    return run


def calm(run: Run, writing: bool = False) -> None:
    """Writers pause until the standby holds everything."""
    for writer in run.world.writers:
        writer.paused = not writing
    if not writing:
        assert run.until(lambda: run.unrest() is None, 60), run.unrest()


def reaches(run: Run, site: Site, script: Iterator[None] | None = None) -> None:
    """A request, or a death, makes `site` the active one, and the other one follows it."""
    world = run.world
    if script is not None:
        run.scripts.append(script)
    assert run.until(lambda: world.stored.control.active == site, 120), world.violations
    following = run.until(lambda: world.stored.control.standby == "following", 120)
    assert following, (world.stored.control.standby, world.violations)
    assert run.until(lambda: world.stored.spec.target is None or world.stored.spec.target.owner == "declared", 30)


def went_on(world: World, before: int) -> None:
    assert world.written > before, "nobody could write"
    assert not world.violations


@pytest.mark.parametrize(("git", "operators"), [(False, 1), (True, 1), (False, 2)])
def test_three_rounds_of_the_guide(git: bool, operators: int) -> None:
    run = begin(git, operators)
    world = run.world
    for _ in range(3):
        before = world.written
        reaches(run, "secondary", run.planned("secondary"))
        calm(run, writing=True)
        reaches(run, "primary", run.failback("primary"))
        went_on(world, before)

        calm(run)
        reaches(run, "secondary", run.urgent("secondary"))
        calm(run, writing=True)
        reaches(run, "primary", run.failback("primary"))

        calm(run)
        run.kill("primary", 40.0)
        reaches(run, "secondary")
        calm(run, writing=True)
        before = world.written
        reaches(run, "primary", run.failback("primary"))
        run.until(lambda low=before: world.written > low, 10)
        went_on(world, before)
    kinds = [entry.kind for entry in world.stored.control.history if entry.result == "Completed"]
    assert kinds == ["switchover", "switchover", "emergency", "switchover", "failover", "switchover"] * 3
    assert all(entry.lost_transactions == 0 for entry in world.stored.control.history)
    active = world.stored.control.active
    for _ in range(60):
        run.slice()
    assert world.stored.control.active == active, "something flipped by itself"


def test_a_diverged_tail_is_recognised_counted_and_held() -> None:
    run = begin()
    world = run.world
    database = world.databases["primary"]
    for who in ("operator-1", "worker-operator-1"):
        world.cut(who, "primary", world.now + 60)
    assert run.until(lambda: world.stored.control.active == "secondary", 60), world.trace
    assert run.until(lambda: world.stored.control.standby == "diverged", 90)
    entry = world.stored.control.history[-1]
    missing = set(database.content) - set(world.databases["secondary"].content)
    assert entry.lost_transactions == len(missing) > 0
    assert entry.fenced_by == "time"
    run.scripts.append(run.failback("primary"))
    for _ in range(300):
        run.slice()
    assert world.stored.control.active == "secondary"
    assert world.stored.sync_complete == "False"
    assert database.access == "read-only"
    assert not world.violations


def test_only_the_operators_own_path_is_cut_for_five_minutes() -> None:
    run = begin()
    run.world.cut("operator-1", "primary", run.world.now + 300)
    for _ in range(600):
        run.slice()
    assert run.world.stored.control.active == "primary"
    assert not run.world.stored.control.history


def test_without_the_witness_nothing_is_promoted_and_with_it_again_it_is() -> None:
    run = begin()
    world = run.world
    world.cut("operator-1", "s3", world.now + 120)
    run.kill("primary", 1000)
    for _ in range(200):
        run.slice()
    assert world.stored.control.active == "primary"
    assert run.until(lambda: world.stored.control.active == "secondary", 60)
    assert not world.violations


def test_with_a_fence_asked_for_that_nobody_observes_only_a_request_promotes() -> None:
    run = begin()
    world = run.world
    world.unmet = "FenceNotObservable: nobody does"
    run.kill("primary", 1000)
    for _ in range(200):
        run.slice()
    assert world.stored.control.active == "primary"
    assert world.stored.control.operation is None
    run.scripts.append(run.urgent("secondary"))
    assert run.until(lambda: world.stored.control.active == "secondary", 60)
    assert not world.violations


@pytest.mark.parametrize("step", ["Requested", "ReadOnly", "Fencing", "Draining", "Promoting", "Verifying"])
@pytest.mark.parametrize("kind", ["planned", "urgent", "death"])
def test_an_operator_killed_in_any_step_is_replaced(kind: str, step: str) -> None:
    from operator_model import Operator

    run = begin()
    world = run.world
    if kind == "death":
        run.kill("primary", 60)
    else:
        run.scripts.append(run.planned("secondary") if kind == "planned" else run.urgent("secondary"))

    def inside() -> bool:
        operation = world.stored.control.operation
        return (operation is not None and operation.step == step) or world.stored.control.active == "secondary"

    run.operators[0].faulty = True  # slow actions: the steps last
    run.until(inside, 60)
    run.operators = [Operator(world, "operator-1", faulty=False)]
    assert run.until(lambda: world.stored.control.active == "secondary", 200), world.stored.control.operation
    assert run.settle() is None
    assert not world.violations


@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("killed", [False, True])
def test_what_was_shipped_is_not_lost_when_the_standby_was_behind(urgent: bool, killed: bool) -> None:
    """The standby's stream stands still, the archive goes on, the primary dies: what was shipped comes out of S3."""
    run = begin()
    world = run.world
    world.shipping, world.automatic = True, not urgent
    for _ in range(20):
        run.slice()
    run.operators[0].worker.stuck_until = world.now + 21  # a second beyond the death
    before = len(world.databases["secondary"].content)
    for _ in range(40):
        run.slice()
    run.kill("primary", 1000)
    if urgent:
        run.scripts.append(run.urgent("secondary"))
    if killed:
        assert run.until(lambda: run.operators[0].drain.state == "draining", 60), world.trace
        run.operators[0].drain.kill()
    assert run.until(lambda: world.stored.control.active == "secondary", 90), world.trace
    entry = world.stored.control.history[-1]
    archived = world.archive[1]
    shipped = [entry for entry in world.databases["primary"].log[: archived.end] if entry is not None]
    assert world.databases["secondary"].content[: len(shipped)] == shipped
    assert (entry.drained, entry.drain_problem) == (len(shipped) - before, None)
    assert run.settle() is None
    assert world.stored.control.history[-1].lost_transactions == len(world.databases["primary"].content) - len(shipped)
    assert not world.violations


@pytest.mark.parametrize("asked", [False, True])
def test_a_store_that_is_down_does_not_prevent_an_emergency(asked: bool) -> None:
    run = begin()
    world = run.world
    world.shipping = world.automatic = True
    for _ in range(20):
        run.slice()
    world.cut("operator-1", "s3", world.now + 1000)
    run.kill("primary", 1000)
    if asked:
        run.scripts.append(run.urgent("secondary"))
    promoted = run.until(lambda: world.stored.control.active == "secondary", 60)
    assert promoted == asked, "an automatic failover needs the witness, and so the store"
    if asked:
        entry = world.stored.control.history[-1]
        assert (entry.drained, entry.drain_problem) == (0, "ObjectStoreUnreachable: ")
    assert not world.violations


@pytest.mark.parametrize("hold", [True, False])
def test_a_restored_standby_is_promoted_by_nobody_until_it_is_resumed(hold: bool) -> None:
    run = begin()
    world = run.world
    calm(run, writing=True)
    run.scripts.append(run.restore("secondary", run.operators[0], 8, hold))
    assert run.until(lambda: world.restored == 1 and world.stored.control.standby == "restored", 60)
    run.kill("primary", 40.0)
    run.ask("secondary", emergency=True)
    assert run.until(lambda: world.results.get(("emergency", "Refused"), 0) == 1, 120), world.results
    assert (world.stored.control.active, world.stored.control.standby) == ("primary", "restored")
    run.resume()
    assert run.until(lambda: world.stored.control.standby == "following", 60)
    calm(run)
    reaches(run, "secondary", run.urgent("secondary"))
    went_on(world, 0)
