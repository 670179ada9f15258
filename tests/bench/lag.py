"""Commit on the source to readable on the target, at a steady rate of small transactions."""

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

RATE, SECONDS, WARM, WRITERS = 500, 20, 8, 4


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _write(source: Neo4j, label: str, number: int, rate: float, until: float, committed: dict[int, float]) -> None:
    with source.driver() as driver, driver.session(database="neo4j") as session:
        due = time.monotonic()
        n = number
        while time.monotonic() < until:
            time.sleep(max(0.0, due - time.monotonic()))
            session.run(f"CREATE (:{label} {{n: $n, name: 'x'}})", n=n).consume()
            committed[n] = time.monotonic()
            n += WRITERS
            due += 1 / rate


def _run(source: Neo4j, committed: list[dict[int, float]], until: float, label: str) -> None:
    threads = [
        threading.Thread(target=_write, args=(source, label, n, RATE / WRITERS, until, committed[n]))
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


def measure(source: Neo4j, target: Neo4j) -> dict[str, Any]:
    """Percentiles of the lag in milliseconds."""
    source.query("CREATE INDEX lag IF NOT EXISTS FOR (n:Lag) ON (n.n)")
    worker = LinkProcess(source, target)
    try:
        worker.streaming()
        committed: list[dict[int, float]] = [{} for _ in range(WRITERS)]
        seen: queue.Queue[tuple[int, float]] = queue.Queue()
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(target, seen, done))
        watcher.start()
        _run(source, [{} for _ in range(WRITERS)], time.monotonic() + WARM, "Warm")
        began = time.monotonic()
        _run(source, committed, began + SECONDS, "Lag")
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
    return {
        "transactions": len(times),
        "per_second": round(len(times) / took),
        "lag_ms_p50": round(percentile(lags, 0.5)),
        "lag_ms_p99": round(percentile(lags, 0.99)),
        "lag_ms_max": round(max(lags)),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> dict[str, Any]:
    """Measure, print a line, give the figures."""
    source, target = Neo4j("bench-source"), Neo4j("bench-target")
    with Lab(source, target):
        found = measure(source, target)
    print("lag: " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return found


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
    print()
