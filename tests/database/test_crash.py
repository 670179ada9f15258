"""Workers killed with SIGKILL, most of them inside an open transaction, while the source is written to.

They are forked from one process that has imported everything, so that a death costs what the worker does by then.
"""

from __future__ import annotations

import os
import random
import re
import signal
from collections.abc import Callable, Iterator, Mapping

import pytest

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.forking import Forked, Forker
from tests.database.load import Load, prepare
from tests.database.process import LinkProcess

KILLS = int(os.environ.get("NEO4J_DR_KILLS", "50"))
IN_TRANSACTION = KILLS * 6 // 10
SEEDING = ("page", "begin", "commit", "commit", "committed")
FOLLOWING = ("begin", "commit", "commit", "checkpoint", "committed")
STRUCK = re.compile(r"^fault (\w+):\d+ (open transaction|no transaction)$", re.MULTILINE)


class Life(LinkProcess):
    """A forked worker."""

    def __init__(self, forker: Forker, *ends: Neo4j, **environment: str) -> None:
        self._forker = forker
        super().__init__(*ends, batch=700, environment={"NEO4J_DR_JOURNAL_RECORDS": "30", **environment})

    def _launch(self, program: str, environment: Mapping[str, str]) -> Forked:
        assert program == "link"
        return self._forker.fork(environment)


@pytest.fixture
def live(source: Neo4j, target: Neo4j) -> Iterator[Callable[..., Life]]:
    """Start a worker from source to target; all are killed in the end."""
    forker, begun = Forker(), []

    def begin(**environment: str) -> Life:
        begun.append(Life(forker, source, target, **environment))
        return begun[-1]

    yield begin
    for worker in begun:
        worker.kill()
    forker.close()


def test_graphs_are_equal_however_often_one_is_killed(source: Neo4j, target: Neo4j, live: Callable[..., Life]) -> None:
    prepare(source, 30_000, 30_000)
    writers = [Load(source, seed, pause=0.01, others=30_000) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    struck, inside = 0, 0
    for number in range(KILLS):
        chooser = random.Random(number)
        seeding = number < KILLS // 4
        fault = f"{chooser.choice(SEEDING if seeding else FOLLOWING)}:{chooser.randint(1, 3 if seeding else 5)}"
        worker = live(NEO4J_DR_FAULT=fault)
        code = worker.ended(60)
        found = STRUCK.findall(worker.log)
        assert code == -signal.SIGKILL, f"seed {number}, {fault}: ended with {code}: {worker.report}\n{worker.log}"
        assert len(found) == 1, f"seed {number}, {fault}: {worker.log}"
        struck += 1
        inside += found[0][1] == "open transaction"
        print(f"seed {number}: killed at {fault}, {found[0][1]}, state {worker.report.get('state')}")
    last = live()
    last.streaming(60)
    written = sum(writer.stop() for writer in writers)
    last.caught_up(60)
    assert last.finish() == 0
    nodes, relationships = assert_equal(source.query, target.query)
    print(f"{struck} kills, {inside} in an open transaction; {written} transactions written meanwhile; "
          f"{nodes} nodes and {relationships} relationships equal")  # fmt: skip
    assert inside >= IN_TRANSACTION
    assert last.errors == []
