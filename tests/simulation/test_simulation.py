"""The protocol under thousands of faulty schedules: `NEO4J_DR_SEEDS=20000 pytest tests/simulation` for more of them.

A failing seed is run again, with its trace, by `python tests/simulation/replay.py SEED`.
"""

from __future__ import annotations

import os

import pytest
from schedule import chaos

SEEDS = int(os.environ.get("NEO4J_DR_SEEDS", "2000"))
FIRST = int(os.environ.get("NEO4J_DR_FIRST_SEED", "0"))
GROUP = 250


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, GROUP))
def test_no_schedule_breaks_a_promise(first: int) -> None:
    for seed in range(first, min(first + GROUP, FIRST + SEEDS)):
        world = chaos(seed).world
        assert not world.violations, f"seed {seed}: {world.violations[0]}; python tests/simulation/replay.py {seed}"
