"""Heartbeats while the way to the source is silent: only the newest is written, and the way is still looked at."""

from __future__ import annotations

import time
from typing import Any

import pytest

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.replication import heartbeat
from neo4j_dr_operator.replication.heartbeat import LONGEST, Beat, Pulse

END = Endpoint("bolt://h", "u", "p", None)


class Source:
    """A database that notes what is written to it, and how often it is looked at."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.looks = 0

    def write(self, query: str, **parameters: Any) -> list[list[int]]:
        self.written.append(parameters["at"])
        return [[1]]

    def row(self, query: str) -> list[str]:
        self.looks += query == "RETURN 1"
        return [""]


class Said:
    """A report's status, and the lines of the worker."""

    def __init__(self) -> None:
        self.head: int | None = None
        self.latency: float | None = None
        self.answers: list[tuple[int, bool]] = []

    def write(self, value: dict[str, Any]) -> None:
        answer = value["heartbeat"]
        assert answer["ok"] is (answer["error"] is None)
        self.answers.append((answer["id"], answer["ok"]))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[Pulse, Source, Said]:
    source, said = Source(), Said()
    monkeypatch.setattr(heartbeat, "Database", lambda *_, **__: source)
    monkeypatch.setattr(heartbeat, "PERIOD", 60.0)
    anything: Any = said
    return Pulse(END, anything, anything), source, said


def test_only_the_newest_is_written_and_the_others_are_answered(world: tuple[Pulse, Source, Said]) -> None:
    pulse, source, said = world
    for number in range(3):
        pulse.ask(Beat(number, 1, 1000 + number))
    later = time.monotonic() + 60
    assert pulse.step(later) == later
    assert (source.written, said.answers) == ([1002], [(0, False), (1, False), (2, True)])


def test_one_that_has_waited_too_long_says_nothing_any_more(world: tuple[Pulse, Source, Said]) -> None:
    pulse, source, said = world
    pulse.ask(Beat(1, 1, 1000, asked=time.monotonic() - LONGEST - 1))
    pulse.step(time.monotonic() + 60)
    assert (source.written, said.answers) == ([], [(1, False)])


def test_the_way_is_looked_at_when_it_is_due_however_many_wait(world: tuple[Pulse, Source, Said]) -> None:
    """Else nobody sees that a way which swallowed a connection is there again."""
    pulse, source, _ = world
    due = time.monotonic()
    for number in range(3):
        pulse.ask(Beat(number, 1, 1000 + number))
        due = pulse.step(due)
    assert due > time.monotonic()
    assert (source.looks, source.written) == (1, [1000, 1001, 1002])


def test_a_late_one_is_compared_under_the_lock() -> None:
    lock, compared = heartbeat._BEAT.index("SET s.lock"), heartbeat._BEAT.index("s.heartbeat >")
    assert lock < heartbeat._BEAT.index("WHERE s.epoch") < compared
    assert "CASE WHEN s.heartbeat > $at AND s.heartbeat - $at < $late THEN s.heartbeat ELSE $at END" in heartbeat._BEAT
