"""What an action's failure says, and for how long it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from neo4j_dr_operator.errors import Stale
from neo4j_dr_operator.failover.actions import Consume, TakeLease
from neo4j_dr_operator.failover.keeper import WitnessKeeper
from neo4j_dr_operator.failover.state import Site
from neo4j_dr_operator.recovery.executor import Executor

REQUEST = Consume("target", "secondary")
LEASE = TakeLease("secondary", 3, force=False)


class World:
    """An executor whose actions end when they are let go."""

    def __init__(self) -> None:
        self.go_on, self.ended = asyncio.Event(), asyncio.Event()
        self.executor = Executor("ns/dr", {}, self.consume, self.may_open, self.ended.set)
        self.executor.keeper = cast(WitnessKeeper, self)

    async def consume(self, _: Consume) -> None:
        await self.go_on.wait()
        raise Stale("another one was first")

    async def may_open(self, _: Site) -> bool:
        return False

    async def take(self, *_: object) -> str:
        """As the keeper's, which is refused."""
        await self.go_on.wait()
        return "held by primary at epoch 4"

    def view(self) -> Any:
        """As the keeper's."""
        return type("View", (), {"epoch": 4})

    async def through(self, action: Consume | TakeLease, meanwhile: Callable[[], None]) -> None:
        """Run an action, and do something while it is under way."""
        self.executor.start((action,))
        await asyncio.sleep(0)
        meanwhile()
        self.go_on.set()
        await asyncio.wait_for(self.ended.wait(), 5)


def story(tell: Callable[[World], Coroutine[Any, Any, None]]) -> World:
    """A world after what happened in it."""

    async def whole() -> World:
        world = World()
        await tell(world)
        return world

    return asyncio.run(whole())


def test_a_failure_counts_in_its_step() -> None:
    executor = story(lambda world: world.through(REQUEST, lambda: None)).executor
    assert executor.results.failed == "Stale: another one was first"
    executor.new_step()
    assert executor.results.failed is None


def test_a_refused_lease_counts_in_its_step() -> None:
    results = story(lambda world: world.through(LEASE, lambda: None)).executor.results
    assert (results.lease_refused, results.failed) == ("held by primary at epoch 4", None)


def test_what_was_begun_in_an_earlier_step_and_fails_late_says_nothing_about_this_one() -> None:
    """Else a promotion would be taken back for what went wrong before it."""
    for action in (REQUEST, LEASE):
        results = story(lambda world, action=action: world.through(action, world.executor.new_step)).executor.results
        assert (results.failed, results.lease_refused) == (None, None)
