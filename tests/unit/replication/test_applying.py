"""How a worker goes about a batch that is refused, is too slow, or is answered with an error although it went in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.process import Lines
from neo4j_dr_operator.replication import worker as module
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.config import WorkerConfig
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.link import STREAMING, LinkState, LinkWriter
from neo4j_dr_operator.replication.report import Status
from tests.unit.replication.test_portions import chunk
from tests.unit.replication.test_replication_parts import config

TIMEOUT = 30.0
Attempt = Callable[[list[int]], None]


class Target:
    """A link's writer, whose target takes, refuses or swallows what an attempt says of source transactions."""

    def __init__(self, attempts: Iterator[Attempt], clock: list[float]) -> None:
        self.state = LinkState("a>b", 1, STREAMING, "", 0, "a", "b")
        self.applied: list[list[int]] = []
        self._attempts, self._clock = attempts, clock
        self._committed: list[int] | None = None

    def decide(self) -> None:
        if self._committed is not None:
            self._done(self._committed)
            self._committed = None

    def take(self, transactions: list[int]) -> None:
        attempt = next(self._attempts, None)
        if attempt is not None:
            attempt(transactions)
        self._done(transactions)

    def _done(self, transactions: list[int]) -> None:
        self.applied.append(transactions)
        self.state = replace(self.state, seq=self.state.seq + 1)

    def refuses(self, error: errors.DatabaseError, took: float = 0.0) -> Attempt:
        def attempt(_: list[int]) -> None:
            self._clock[0] += took
            raise error

        return attempt

    def swallows(self, error: errors.DatabaseError) -> Attempt:
        def attempt(transactions: list[int]) -> None:
            self._committed = transactions
            raise error

        return attempt


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda _: None))
    return now


def applied(monkeypatch: pytest.MonkeyPatch, clock: list[float], chunks: list[Chunk], *how: str) -> list[list[int]]:
    """Source transactions by the target's transactions, where its attempts go ``how``."""
    attempts: list[Attempt] = []
    target = Target(iter(attempts), clock)
    memory, late = errors.MemoryExhausted("x"), errors.TimedOut("x")
    kinds = {
        "memory": target.refuses(memory),
        "slow": target.refuses(late, TIMEOUT),
        "gone": target.refuses(errors.DatabaseUnreachable("x"), 0.1),
        "memory at COMMIT": target.swallows(memory),
    }
    attempts += [kinds[each] for each in how]

    def folded(some: list[Chunk], *, idempotent: bool) -> Any:
        txs = sorted({tx for each in some for tx in each.txs})
        return SimpleNamespace(txs=txs, changes=sum(map(len, some)), transactions=len(txs), size=0)

    def apply(writer: Any, net: Any) -> None:
        writer.take(net.txs)

    monkeypatch.setattr(module, "folded", folded)
    monkeypatch.setattr(module, "apply", apply)
    worker = module.Worker(WorkerConfig.parse(config(timeout=TIMEOUT)), Status(1), Lines(), Faults())
    worker._apply(cast(LinkWriter, target), chunks)
    return target.applied


def small(count: int, size: int = 1) -> list[Chunk]:
    return [chunk([[1] * size] * count)]


def test_what_is_too_much_for_its_memory_goes_in_in_halves(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    assert applied(monkeypatch, clock, small(4), "memory") == [[1, 2], [3, 4]]
    assert applied(monkeypatch, clock, small(4), "memory", "memory") == [[1], [2], [3, 4]]


def test_what_went_in_although_the_answer_was_an_error_is_not_applied_again(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    assert applied(monkeypatch, clock, small(4), "memory at COMMIT") == [[1, 2, 3, 4]]
    assert applied(monkeypatch, clock, small(4), "memory", "memory at COMMIT") == [[1, 2], [3, 4]]


def test_what_takes_too_long_goes_in_in_halves_down_to_what_is_no_reason_to_be_slow(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    assert applied(monkeypatch, clock, small(4, 100), "slow") == [[1, 2], [3, 4]]
    assert applied(monkeypatch, clock, small(4, 20), "slow", "slow") == [[1, 2, 3, 4]]
    assert applied(monkeypatch, clock, small(4, 100), "gone", "gone") == [[1, 2, 3, 4]]


def test_one_transaction_is_never_parted(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    assert applied(monkeypatch, clock, small(1, 1000), "slow", "memory", "slow") == [[1]]
