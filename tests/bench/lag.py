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

RATE, SECONDS, WRITERS = 500, 20, 4


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _write(source: Neo4j, number: int, rate: float, until: float, committed: dict[int, float]) -> None:
    with source.driver() as driver, driver.session(database="neo4j") as session:
        due = time.monotonic()
        n = number
        while time.monotonic() < until:
            time.sleep(max(0.0, due - time.monotonic()))
            session.run("CREATE (:Lag {n: $n, name: 'x'})", n=n).consume()
            committed[n] = time.monotonic()
            n += WRITERS
            due += 1 / rate


def _watch(target: Neo4j, seen: queue.Queue[tuple[int, float]], done: threading.Event) -> None:
    """Everything that has become readable, by asking over and over."""
    known = 0
    with target.driver() as driver, driver.session(database="neo4j") as session:
        while True:
            last = done.is_set()
            new = session.run("MATCH (n:Lag) WHERE id(n) >= $at RETURN collect(n.n), max(id(n))", at=known).single(
                strict=True
            )
            now = time.monotonic()
            for n in new[0]:
                seen.put((n, now))
            if new[1] is not None:
                known = new[1] + 1
            if last:
                return
            time.sleep(0.005)


def measure(source: Neo4j, target: Neo4j) -> dict[str, Any]:
    """Percentiles of the lag in milliseconds."""
    worker = LinkProcess(source, target)
    try:
        worker.streaming()
        committed: list[dict[int, float]] = [{} for _ in range(WRITERS)]
        seen: queue.Queue[tuple[int, float]] = queue.Queue()
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(target, seen, done))
        watcher.start()
        began = time.monotonic()
        threads = [
            threading.Thread(target=_write, args=(source, n, RATE / WRITERS, began + SECONDS, committed[n]))
            for n in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
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
    source, target = Neo4j("bench-source", fast=False), Neo4j("bench-target", fast=False)
    with Lab(source, target):
        found = measure(source, target)
    print("lag: " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return found


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
    print()
