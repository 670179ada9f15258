"""Commit on the source to readable on the target, at half the rate at which this machine applies.

First a backlog of the same transactions is written while no worker is there, and the rate is measured at which one
applies it; then several clients write at half of it for a while. Each transaction makes a node of its own, ten pairs
of nodes and the relationships between them. Clients and both servers share the machine, so the rate that was reached
stands beside the one that was asked for.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import Any

from lab import Lab, Neo4j
from tests.database.process import LinkProcess

PAIRS = 10
CHANGES = 1 + 3 * PAIRS
BACKLOG, SECONDS, WARM, WRITERS = 4_000, 20, 8, 4
P50_GOAL, P99_GOAL = 1_000, 3_000
"""Milliseconds."""
TRANSACTION = (
    "CREATE (:{label} {{n: $n, name: 'x'}}) WITH 1 AS one UNWIND range(1, $pairs) AS i "
    "CREATE (:Person {{key: $n * $pairs + i, name: 'customer ' + i, active: true}})-[:KNOWS {{since: i}}]->"
    "(:Account:Asset {{key: $n * $pairs + i, mail: 'c' + i + '@example.com', score: i * 0.5}})"
)


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _write(source: Neo4j, label: str, number: int, rate: float, until: float, committed: dict[int, float]) -> None:
    with source.driver() as driver, driver.session(database="neo4j") as session:
        due = time.monotonic()
        n = number
        while time.monotonic() < until:
            time.sleep(max(0.0, due - time.monotonic()))
            session.run(TRANSACTION.format(label=label), n=n, pairs=PAIRS).consume()
            committed[n] = time.monotonic()
            n += WRITERS
            due += 1 / rate


def _run(source: Neo4j, committed: list[dict[int, float]], until: float, label: str, rate: float) -> None:
    threads = [
        threading.Thread(target=_write, args=(source, label, n, rate / WRITERS, until, committed[n]))
        for n in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _watch(target: Neo4j, seen: queue.Queue[tuple[int, float]], done: threading.Event) -> None:
    """Everything that has become readable, by asking over and over."""
    following = list(range(WRITERS))  # the first number of each writer that was not seen yet
    known: set[int] = set()
    with target.driver() as driver, driver.session(database="neo4j") as session:
        while True:
            last = done.is_set()
            new = session.run(
                "MATCH (n:Lag) WHERE n.n >= $at WITH n ORDER BY n.n RETURN collect(n.n)", at=min(following)
            ).single(strict=True)[0]
            now = time.monotonic()
            for n in new:
                if n not in known:
                    known.add(n)
                    seen.put((n, now))
            for writer in range(WRITERS):  # a query that meets a commit may see a later number and not an earlier one
                while following[writer] in known:
                    following[writer] += WRITERS
            if last:
                return
            time.sleep(0.005)


def _capacity(source: Neo4j, target: Neo4j) -> float:
    """Transactions a second that a worker applies of a backlog."""
    worker = LinkProcess(source, target)
    try:
        worker.streaming()
        worker.caught_up()
        assert worker.finish() == 0
        source.query(
            f"UNWIND range(1, $many) AS n CALL (n) {{ {TRANSACTION.format(label='Backlog').replace('$n', 'n')} }} "
            "IN TRANSACTIONS OF 1 ROWS",
            many=BACKLOG,
            pairs=PAIRS,
        )
    finally:
        worker.kill()
    worker = LinkProcess(source, target, origin="attach")
    try:
        first = worker.wait(lambda report: report["changes"] > BACKLOG * CHANGES // 4)["changes"]
        began = time.monotonic()
        last = worker.wait(lambda report: report["changes"] >= BACKLOG * CHANGES)["changes"]
        rate = (last - first) / (time.monotonic() - began)
        assert worker.finish() == 0
    finally:
        worker.kill()
    return rate / CHANGES


def measure(source: Neo4j, target: Neo4j) -> dict[str, Any]:
    """Percentiles of the lag in milliseconds."""
    source.query("CREATE INDEX lag IF NOT EXISTS FOR (n:Lag) ON (n.n)")
    capacity = _capacity(source, target)
    worker = LinkProcess(source, target, origin="attach")
    try:
        worker.streaming()
        committed: list[dict[int, float]] = [{} for _ in range(WRITERS)]
        seen: queue.Queue[tuple[int, float]] = queue.Queue()
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(target, seen, done))
        watcher.start()
        _run(source, [{} for _ in range(WRITERS)], time.monotonic() + WARM, "Warm", capacity / 2)
        began = time.monotonic()
        _run(source, committed, began + SECONDS, "Lag", capacity / 2)
        took = time.monotonic() - began
        worker.caught_up()
        done.set()
        watcher.join()
    finally:
        worker.kill()
    times = {n: at for each in committed for n, at in each.items()}
    arrivals: dict[int, float] = {}
    while not seen.empty():
        n, at = seen.get()
        arrivals.setdefault(n, at)
    assert arrivals.keys() == times.keys(), f"{len(arrivals)} of {len(times)} arrived"
    lags = [max(0.0, arrivals[n] - at) * 1000 for n, at in times.items()]
    p50, p99 = percentile(lags, 0.5), percentile(lags, 0.99)
    return {
        "applied_per_second": round(capacity * CHANGES),
        "asked_per_second": round(capacity * CHANGES / 2),
        "written_per_second": round(len(times) * CHANGES / took),
        "transactions": len(times),
        "lag_ms_p50": round(p50),
        "p50_ratio": round(p50 / P50_GOAL, 2),
        "lag_ms_p99": round(p99),
        "p99_ratio": round(p99 / P99_GOAL, 2),
        "lag_ms_max": round(max(lags)),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> dict[str, Any]:
    """Measure, print a line, give the figures."""
    source, target = Neo4j("bench-source"), Neo4j("bench-target")
    with Lab(source, target):
        found = measure(source, target)
    print(f"lag at half the rate of applying (goals: p50 {P50_GOAL} ms, p99 {P99_GOAL} ms; ratios at most 1.00)")
    print("  " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return found


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
    print()
