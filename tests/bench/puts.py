"""What a shipper asks of a store, and how long a commit waits until it can be restored; real servers, no distance.

``NEO4J_DR_BENCH_RATE`` (200) transactions of one to nine changes a second, for ``NEO4J_DR_BENCH_SECONDS`` (30), shipped
every ``INTERVAL`` seconds. Requests and bytes are those of the client's own hooks. *Restorable* is a commit once its
segment's put is answered: at an even rate it waits half an interval in the middle, a whole one at most, and then for
reading, writing and the put. The bare loop puts the same bytes under the same names with the SDK and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from dataclasses import replace
from typing import Any

from lab import S3, Lab, Neo4j
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.s3 import S3Address, connect
from neo4j_dr_operator.shipping.chain import Chain
from neo4j_dr_operator.shipping.reading import SegmentReader
from neo4j_dr_operator.shipping.segment import Segment
from tests.bench.lag import percentile
from tests.database.load import Load
from tests.database.shipping_process import ARCHIVE, PATH, ShipProcess, Store

RATE, SECONDS = int(os.environ.get("NEO4J_DR_BENCH_RATE", "200")), int(os.environ.get("NEO4J_DR_BENCH_SECONDS", "30"))
INTERVAL, WRITERS, ROUNDS, TIMES = 1.0, 4, 5, 10


class Watch(threading.Thread):
    """When each segment's put was answered (seconds since 1970), as the shipper says; a later one's at worst."""

    def __init__(self, worker: ShipProcess) -> None:
        super().__init__(daemon=True)
        self._worker, self._done = worker, threading.Event()
        self.answered: dict[int, float] = {}

    def run(self) -> None:
        """Until told."""
        while not self._done.wait(0.005):
            report = self._worker.report
            if report.get("segment") and report.get("shippedAt"):
                self.answered.setdefault(report["segment"], report["shippedAt"])

    def end(self) -> None:
        """No more."""
        self._done.set()
        self.join()

    def of(self, number: int) -> float:
        """A segment's time."""
        return min(at for each, at in self.answered.items() if each >= number)


def written(source: Neo4j) -> None:
    """The load."""
    loads = [Load(source, seed, pause=WRITERS / RATE) for seed in range(1, WRITERS + 1)]
    for load in loads:
        load.start()
    time.sleep(SECONDS)
    for load in loads:
        load.stop()


def _segment(data: bytes) -> Segment:
    reader = SegmentReader(data)
    return Segment(reader.header, reader.trailer, data, hashlib.sha256(data).hexdigest())


def loops(store: Store, segments: dict[str, bytes]) -> dict[str, list[float]]:
    """Seconds that putting takes, :data:`TIMES` over: by the SDK alone, and as the shipper does it."""
    server = store.server
    address = S3Address("", PATH, server.region, server.endpoint, server.access_key, server.secret_key)
    read = [_segment(data) for data in segments.values()]
    seconds: dict[str, list[float]] = {"bare": [], "ours": []}
    client = connect(address, 30.0)
    for _ in range(ROUNDS):
        bare, ours = server.make_bucket(f"bare-{time.time_ns()}"), server.make_bucket(f"ours-{time.time_ns()}")
        bucket = Bucket(replace(address, bucket=ours), 30.0, None)
        client.list_objects_v2(Bucket=bare)  # a client's first request loads what the SDK knows of the service
        bucket.list("", "", 1)
        began = time.perf_counter()
        for epoch in range(TIMES):
            for key, data in segments.items():
                client.put_object(Bucket=bare, Key=f"{epoch}/{key}", Body=data)
        seconds["bare"].append(time.perf_counter() - began)
        began = time.perf_counter()
        for epoch in range(1, TIMES + 1):
            chain = Chain(bucket, ARCHIVE, epoch, None)
            for each in read:
                chain.put(each)
        seconds["ours"].append(time.perf_counter() - began)
        bucket.close()
    client.close()
    return seconds


def measure(source: Neo4j, store: Store) -> dict[str, Any]:
    """The figures."""
    source.query("CREATE INDEX live_uid FOR (n:Live) ON (n.uid)")
    worker = ShipProcess(source, store, interval=INTERVAL, timeout=30.0)
    try:
        worker.shipping()
        watch = Watch(worker)
        watch.start()
        before, already = worker.report["traffic"], worker.report["segments"]
        written(source)
        worker.shipped()
        after, count = worker.report["traffic"], worker.report["segments"] - already
        watch.end()
    finally:
        worker.kill()
    segments = {key: data for key, data in sorted(store.objects().items()) if key.endswith(".seg")}
    waits: list[float] = []
    for number, data in enumerate(segments.values(), 1):
        for batch in SegmentReader(data).batches() if number > 1 else ():
            waits += [watch.of(number) - committed / 1000 for committed in batch.times]
    asked = {name: after["requests"].get(name, 0) - before["requests"].get(name, 0) for name in after["requests"]}
    seconds = {name: min(found) for name, found in loops(store, segments).items()}
    size = sum(map(len, segments.values()))
    return {
        "transactions": len(waits),
        "segments": count,
        "requests": asked,
        "put_requests_per_segment": round(asked["PutObject"] / count, 2),
        "other_requests_per_segment": round((sum(asked.values()) - asked["PutObject"]) / count, 2),
        "bytes_sent_per_segment": round((after["sent"] - before["sent"]) / count),
        "restorable_seconds_p50": round(percentile(waits, 0.5), 2),
        "restorable_seconds_p99": round(percentile(waits, 0.99), 2),
        "interval_seconds": INTERVAL,
        "bare_puts_per_second": round(TIMES * len(segments) / seconds["bare"]),
        "puts_per_second": round(TIMES * len(segments) / seconds["ours"]),
        "of_the_bare_loop": round(seconds["bare"] / seconds["ours"], 2),
        "bytes": size,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> dict[str, Any]:
    """Measure, print a table, give the figures."""
    source, server = Neo4j("source", tls=False), S3()
    with Lab(source, server):
        figures = measure(source, Store(server))
    print("puts: requests of a shipper, time until a commit can be restored, and the bare put loop of the same bytes")
    for name, value in figures.items():
        print(f"  {name:30}{value}")
    return figures


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
