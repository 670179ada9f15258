"""Holds: taken when every link has stepped aside, one restore at a time, given back to whoever waits."""

from __future__ import annotations

import asyncio

import pytest

from neo4j_dr_operator.recovery.holds import HeldByAnother, Holds

PLACE = ("production", "secondary-cluster")


class Links:
    """Somebody who runs a link into a cluster until told that it is held."""

    def __init__(self, holds: Holds, slow: bool = False) -> None:
        self.holds, self.slow, self.running, self.woken = holds, slow, True, 0
        holds.join(self)

    def wake(self) -> None:
        self.woken += 1
        if not self.slow:
            self.step()

    def step(self) -> None:
        self.running = self.holds.held(*PLACE) is None
        self.holds.noticed()

    def stands_aside(self, namespace: str, cluster: str) -> bool:
        return (namespace, cluster) != PLACE or not self.running


def test_a_hold_is_taken_when_the_last_link_has_stepped_aside() -> None:
    async def scenario() -> None:
        holds = Holds()
        quick, slow = Links(holds), Links(holds, slow=True)
        taking = asyncio.create_task(holds.take(*PLACE, "r1"))
        await asyncio.sleep(0)
        assert (quick.running, taking.done(), holds.held(*PLACE)) == (False, False, "r1")
        slow.step()
        await asyncio.wait_for(taking, 1)
        await asyncio.wait_for(holds.take(*PLACE, "r1"), 1)
        holds.release(*PLACE, "r1")
        assert holds.held(*PLACE) is None
        assert quick.running

    asyncio.run(scenario())


def test_only_one_restore_at_a_time() -> None:
    async def scenario() -> None:
        holds = Holds()
        await holds.take(*PLACE, "r1")
        with pytest.raises(HeldByAnother, match="restore r1 is under way on secondary-cluster") as refused:
            await holds.take(*PLACE, "r2")
        assert refused.value.reason == "RestoreUnderWay"
        holds.release(*PLACE, "r2")
        assert holds.held(*PLACE) == "r1"
        await holds.take("production", "other", "r2")
        holds.release(*PLACE, "r1")
        await holds.take(*PLACE, "r2")
        assert holds.held(*PLACE) == "r2"

    asyncio.run(scenario())


def test_who_ends_need_not_step_aside() -> None:
    async def scenario() -> None:
        holds = Holds()
        slow = Links(holds, slow=True)
        taking = asyncio.create_task(holds.take(*PLACE, "r1"))
        await asyncio.sleep(0)
        assert not taking.done()
        holds.leave(slow)
        holds.leave(slow)
        await asyncio.wait_for(taking, 1)

    asyncio.run(scenario())


def test_a_cancelled_taking_stays_until_it_is_released() -> None:
    async def scenario() -> None:
        holds = Holds()
        slow = Links(holds, slow=True)
        taking = asyncio.create_task(holds.take(*PLACE, "r1"))
        await asyncio.sleep(0)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        assert holds.held(*PLACE) == "r1"
        holds.release(*PLACE, "r1")
        assert slow.woken == 2

    asyncio.run(scenario())
