"""Refused credentials are tried again seldom."""

from __future__ import annotations

import itertools
import traceback

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.gate import PAUSES, Gate, gate_of


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refuse(gate: Gate, text: str = "refused", kind: type[errors.AuthenticationFailed] | None = None) -> None:
    with pytest.raises(errors.AuthenticationFailed), gate.watching():
        raise (kind or errors.AuthenticationFailed)(text)


def attempts(gate: Gate, clock: Clock, seconds: float) -> list[float]:
    """When somebody who asks ten times a second is let through, each attempt being refused."""
    times: list[float] = []
    end = clock.now + seconds
    while clock.now < end:
        try:
            gate.check()
            times.append(clock.now - 100.0)
            refuse(gate)
        except errors.AuthenticationFailed:
            pass
        clock.now += 0.1
    return times


def test_pauses_grow_and_stay_above_the_servers_lock() -> None:
    clock = Clock()
    times = attempts(Gate(clock), clock, 200)
    gaps = [round(after - before) for before, after in itertools.pairwise(times)]
    assert gaps[:4] == list(PAUSES)
    assert all(gap == PAUSES[-1] for gap in gaps[4:])
    assert min(PAUSES) > 5.0


def test_refusals_of_one_moment_count_once() -> None:
    clock = Clock()
    gate = Gate(clock)
    for _ in range(3):
        refuse(gate)
    clock.now += PAUSES[0]
    gate.check()


def test_the_words_stay_those_of_the_first_refusal() -> None:
    clock = Clock()
    gate = Gate(clock)
    refuse(gate, "wrong password")
    clock.now += PAUSES[0]
    with pytest.raises(errors.AuthenticationFailed, match="wrong password"), gate.watching():
        raise errors.AuthenticationFailed("locked for a while")
    with pytest.raises(errors.AuthenticationFailed, match="wrong password"):
        gate.check()
    clock.now += PAUSES[1]
    refuse(gate, "change it", errors.PasswordChangeRequired)
    with pytest.raises(errors.PasswordChangeRequired, match="change it"):
        gate.check()


def test_an_error_that_is_raised_again_holds_no_earlier_traceback() -> None:
    """They would hold the frames, and with them what was on its way, for as long as the password is wrong."""
    clock = Clock()
    gate, raised = Gate(clock), []
    for _ in range(5):
        with pytest.raises(errors.AuthenticationFailed) as caught, gate.watching():
            raise errors.AuthenticationFailed("wrong password")
        raised.append(caught.value)
        clock.now += PAUSES[-1]
    assert len({id(error) for error in raised}) == 5
    assert len({len(list(traceback.walk_tb(error.__traceback__))) for error in raised}) == 1


def test_an_answer_forgets_what_was_refused() -> None:
    clock = Clock()
    gate = Gate(clock)
    refuse(gate)
    assert not gate.proven
    clock.now += PAUSES[0]
    gate.check()
    gate.accepted()
    assert gate.proven
    refuse(gate)
    clock.now += PAUSES[0]
    gate.check()


def test_other_credentials_have_another_gate() -> None:
    assert gate_of("bolt://a", "u", "p") is gate_of("bolt://a", "u", "p")
    assert gate_of("bolt://a", "u", "p") is not gate_of("bolt://a", "u", "q")
    assert gate_of("bolt://a", "u", "p") is not gate_of("bolt://b", "u", "p")
