"""One event a turn: never one a round, never the same thing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from neo4j_dr_operator.errors import KubernetesUnreachable
from neo4j_dr_operator.reporting.telling import PENDING, News, Teller, gap_news, news

GOOD = {"Ready": ("True", "Replicating"), "FailoverReady": ("True", "StandbyReady")}


def stored(**conditions: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "status": status, "reason": reason, "message": f"about {reason}"}
        for kind, (status, reason) in conditions.items()
    ]


def turns(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    return [(each.kind, each.reason) for each in news(stored(**before), stored(**after))]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"Ready": ("False", "HostUnknown")}, [("Warning", "HostUnknown")]),
        ({}, {"Ready": ("False", "Adopting")}, [("Normal", "Adopting")]),
        (GOOD, GOOD, []),
        ({"Ready": ("False", "HostUnknown")}, GOOD, [("Normal", "Replicating")]),
        (GOOD, GOOD | {"Ready": ("False", "Fencing")}, [("Normal", "Fencing")]),
        (GOOD, GOOD | {"Ready": ("False", "Diverged")}, [("Warning", "Diverged")]),
        (GOOD, {"Ready": ("False", "X"), "FailoverReady": ("False", "StandbyUnavailable")}, [("Warning", "X")]),
        (GOOD, GOOD | {"FailoverReady": ("False", "WitnessRefused")}, [("Warning", "WitnessRefused")]),
        (GOOD | {"FailoverReady": ("False", "WitnessRefused")}, GOOD, [("Normal", "StandbyReady")]),
        (GOOD | {"FailoverReady": ("False", "AutomaticDisabled")}, GOOD, []),
        (GOOD, GOOD | {"FailoverReady": ("False", "NoWitness")}, []),
        (GOOD, GOOD | {"WithinRPO": ("True", "WithinRPO")}, []),
        (GOOD | {"WithinRPO": ("Unknown", "LagUnknown")}, GOOD | {"WithinRPO": ("True", "WithinRPO")}, []),
        (
            GOOD | {"LogShippingHealthy": ("True", "Shipping")},
            GOOD | {"LogShippingHealthy": ("False", "Behind")},
            [("Warning", "Behind")],
        ),
        ({"Ready": ("False", "Seeding")}, {"Ready": ("False", "Seeding"), "FailoverReady": ("False", "Y")}, []),
    ],
)
def test_what_is_told(
    before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]], told: list[tuple[str, str]]
) -> None:
    assert turns(before, after) == told


def test_the_message_of_the_condition_is_the_events() -> None:
    (one,) = news([], stored(Ready=("False", "HostUnknown")))
    assert one == News("Ready", "Warning", "HostUnknown", "about HostUnknown")


def test_events_are_posted_beside_the_loop_once_and_whatever_fails() -> None:
    posted: list[str] = []

    async def post(kind: str, reason: str, message: str) -> None:
        if reason == "Fails":
            raise KubernetesUnreachable("away")
        posted.append(reason)

    async def story() -> None:
        teller = Teller(post)
        for reason in ("A", "Fails", "A", "B", "A"):
            teller.tell(News("Ready", "Warning", reason, ""))
        teller.tell(News("FailoverReady", "Warning", "A", ""))
        assert posted == [], "nothing is waited for"
        for _ in range(20):
            await asyncio.sleep(0)
        await teller.close()

    asyncio.run(story())
    assert posted == ["A", "B", "A"], "the same reason of another condition is something else"


def test_an_api_server_that_hangs_holds_up_nothing() -> None:
    async def post(kind: str, reason: str, message: str) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        teller = Teller(post)
        for number in range(3 * PENDING):
            teller.tell(News("Ready", "Warning", f"R{number}", ""))
            await asyncio.sleep(0)
        await teller.close()

    asyncio.run(asyncio.wait_for(story(), 5))


def test_a_gap_is_told_once() -> None:
    """Also when another operator goes on, since what is stored says that it was told."""
    shipped = {"epoch": 2, "gap": None}
    (told,) = gap_news(shipped, {**shipped, "gap": 7})
    assert (told.kind, told.reason) == ("Warning", "ArchiveGap")
    assert "segment 7 of epoch 2" in told.message
    assert gap_news({**shipped, "gap": 7}, {**shipped, "gap": 7}) == []
    assert gap_news(None, shipped) == gap_news({**shipped, "gap": 7}, None) == []
    assert len(gap_news({**shipped, "gap": 7}, {**shipped, "gap": 9})) == 1
