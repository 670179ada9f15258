"""Seeding killed again and again goes on where it was; rows of any width pass through it."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from lab import Neo4j
from tests.compare import assert_equal
from tests.database.conftest import Start
from tests.database.load import Load, prepare
from tests.database.test_links import link_of


def test_seeding_goes_on_where_it_was_however_often_it_is_killed(source: Neo4j, target: Neo4j, start: Start) -> None:
    prepare(source, 4_000, 4_000)
    load = Load(source, 1, pause=0.02, others=4_000)
    load.start()
    places = [(0, 0)]
    number, phase = 0, "seeding"
    while phase == "seeding":
        chooser = random.Random(number)
        fault = f"{chooser.choice(('page', 'page', 'begin', 'commit', 'committed'))}:{chooser.randint(1, 4)}"
        worker = start(batch=700, environment={"NEO4J_DR_FAULT": fault, "NEO4J_DR_JOURNAL_RECORDS": "4"})
        end = time.monotonic() + 60
        while worker.process.poll() is None and worker.report.get("state") not in ("catching-up", "streaming"):
            assert time.monotonic() < end, f"seed {number}, {fault}: {worker.report}"
            time.sleep(0.02)
        if worker.process.poll() is None:  # too little was left for the fault to strike
            worker.kill()
            break
        assert worker.ended() == -signal.SIGKILL, f"seed {number}, {fault}: {worker.report}\n{worker.log}"
        state = link_of(target)
        phase = state["phase"]
        places.append((state["scanNodes"], state["scanRels"]))
        print(f"seed {number}: killed at {fault}, nodes {places[-1][0]}, relationships {places[-1][1]}")
        number += 1
        assert number < 60
    assert places == sorted(places)
    assert sum(1 for nodes, rels in set(places) if rels > 0) >= 2, "killed among the relationships, too"
    last = start(batch=700)
    last.streaming()
    load.stop()
    last.caught_up()
    assert_equal(source.query, target.query)


def test_pages_of_wide_rows_are_bounded_by_their_bytes(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("UNWIND range(1, 3000) AS i CREATE (:Narrow {uid: i})")
    text = "x" * 1_000_000  # 60 MB, right behind narrow ones
    for first in range(1, 61, 10):
        source.query("UNWIND range($a, $a + 9) AS i CREATE (:Wide {uid: i, text: $blob + i})", a=first, blob=text)
    worker = start(batch=5000, timeout=30.0)
    peak, end = 0, time.monotonic() + 90
    while worker.report.get("state") not in ("catching-up", "streaming"):
        assert worker.process.poll() is None, worker.log
        assert time.monotonic() < end, worker.report["error"]
        peak = max(peak, _resident(worker.process.pid))
        time.sleep(0.02)
    worker.caught_up()
    print(f"peak {peak >> 20} MiB for 60 MB in a scan of {worker.report['seed']['nodesEnd']} ids")
    assert target.query("MATCH (n:Wide) WHERE size(n.text) > 1000000 RETURN count(n) AS n") == [{"n": 60}]
    assert peak < 350 << 20


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
