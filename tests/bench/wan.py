"""A backlog applied with and without 60 ms of round trip between the regions, in turns on one pair of servers.

The link is cut, the source writes, the link is back: the rate is that of a worker that has all it wants to do. All
blocks go through proxies, so that only the added round trip differs. *source*: the worker is in the standby's region,
as it is meant to be; *sink*: it is in the primary's. The hand-written loop of :mod:`.apply` goes the way of a sink, in
the same run: it has its rows already, so that there is nothing to read over a distance.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

import neo4j

from lab import Lab, Neo4j, Proxies
from lab.proxy import Proxy
from neo4j_dr_operator.graph.bolt import Endpoint, driver_options
from tests.bench.apply import Loop, folded
from tests.bench.stream import Source
from tests.bench.usage import cpu_seconds
from tests.database.process import FORWARD, Address, LinkProcess

ROUND_TRIP = 60
TRANSACTIONS, PER_TRANSACTION, ROUNDS, WARM = 1_500, 20, 3, 3
GOAL = 0.7
"""Of the rate without the round trip, on the source's side."""
BATCHES = (1_000, 5_000)

MIX = (
    "UNWIND range($from, $to) AS i CALL (i) { "
    "FOREACH (j IN range(0, 3) | CREATE (a:Person {key: 4 * i + j, name: 'customer ' + i, active: true})"
    "-[:KNOWS {since: i}]->(:Account:Asset {key: 4 * i + j, mail: 'c' + i + '@example.com', score: i * 0.5}) "
    "CREATE (c:Company:Customer:Party {key: 4 * i + j, name: 'company ' + i}) "
    "FOREACH (x IN CASE j WHEN 0 THEN [1] ELSE [] END | CREATE (a)-[:OWNS {since: i}]->(c))) "
    "WITH i MATCH (p:Person) WHERE p.key IN [4 * i - 9, 4 * i - 10] SET p.score = i "
    "WITH i, count(*) AS c MATCH (:Person {key: 4 * i - 20})-[r:KNOWS]->() DELETE r } IN TRANSACTIONS OF 1 ROWS"
)
"""The social graph's shares: 12 nodes and 5 relationships created, 2 nodes updated, 1 relationship deleted."""

CURSOR = "MATCH (l:__Neo4jDRLink {link: $link}) RETURN l.cursorTx AS tx"


class Pair:
    """Two servers, proxies before both, and one worker between the proxies."""

    def __init__(self, source: Neo4j, target: Neo4j, proxies: Proxies, batch: int) -> None:
        self.source, self.target = source, target
        self.to_source = proxies.proxy("localhost", source.port)
        self.to_sink = proxies.proxy("localhost", target.port)
        self._next = 100
        self._session = target.driver().session(database="neo4j")
        self.worker = LinkProcess(through(self.to_source, source), through(self.to_sink, target), batch=batch)

    def __enter__(self) -> Pair:
        self.worker.streaming()
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.kill()
        self._session.close()

    def applied(self) -> int:
        """The source transaction that the target has reached."""
        tx: int = self._session.run(CURSOR, link=FORWARD).single(strict=True)["tx"]
        return tx

    def block(self, slow: Proxy | None) -> tuple[float, float, float]:
        """One backlog with a round trip on ``slow``: changes a second, seconds from the return to the first, and µs of
        the worker's CPU a change, reading and waiting included."""
        self.worker.caught_up()
        began = self.applied()
        self.to_source.cut()
        self.source.query(MIX, **{"from": self._next, "to": self._next + TRANSACTIONS - 1})
        self._next += TRANSACTIONS
        used = cpu_seconds(self.worker.process.pid)
        self.to_source.restore()
        if slow is not None:
            slow.latency(ROUND_TRIP)
        back = time.perf_counter()
        first, resumed, last, at = 0, 0.0, began, back
        while last < began + TRANSACTIONS:
            assert time.perf_counter() - back < 120, f"{last - began} of {TRANSACTIONS}: {self.worker.report}"
            last, at = self.applied(), time.perf_counter()
            if last > began and not first:
                first, resumed = last, at
            time.sleep(0.01)
        self.to_sink.restore()
        self.to_source.restore()
        changes = TRANSACTIONS * PER_TRANSACTION
        used = cpu_seconds(self.worker.process.pid) - used
        return (last - first) * PER_TRANSACTION / (at - resumed), resumed - back, used / changes * 1e6


def through(proxy: Proxy, server: Neo4j) -> Address:
    """The server as it is reached over its proxy."""
    return Address(f"bolt+s://{proxy.address}", server.user, server.password, server.ca_pem)


def _measure(pair: Pair, batch: int) -> dict[str, Any]:
    ways: dict[str, Proxy | None] = {"none": None, "source": pair.to_source, "sink": pair.to_sink}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    resumed: list[float] = []
    used: list[float] = []
    for _ in range(WARM):
        pair.block(None)
    for _ in range(ROUNDS):
        for way, slow in ways.items():
            rate, after, cpu = pair.block(slow)
            rates[way].append(rate)
            if slow is None:
                used.append(cpu)
            resumed.append(after)
    middle = {way: statistics.median(found) for way, found in rates.items()}
    return {
        "batch": batch,
        "none_per_second": round(middle["none"]),
        "source_per_second": round(middle["source"]),
        "sink_per_second": round(middle["sink"]),
        "source_ratio": round(middle["source"] / middle["none"], 2),
        "goal": GOAL,
        "sink_ratio": round(middle["sink"] / middle["none"], 2),
        "worker_cpu_us": round(statistics.median(used), 1),
        "first_applied_s": round(max(resumed), 2),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _by_hand(target: Neo4j, way: Proxy, batch: int) -> dict[str, Any]:
    """The hand-written loop over the same proxy, with the round trip and without, a batch a transaction."""
    address = through(way, target)
    uri, options = driver_options(Endpoint(address.uri, address.user, address.password, address.ca_pem))
    rows = Source(7)
    blocks = max(1, TRANSACTIONS * PER_TRANSACTION // batch)
    rates: dict[str, list[float]] = {"none": [], "sink": []}
    with (
        neo4j.GraphDatabase.driver(uri, **options) as driver,
        driver.session(database="neo4j") as session,
    ):
        made = session.run("CREATE (n) WITH n, elementId(n) AS e DELETE n RETURN e").single(strict=True)[0]
        loop = Loop(session, made.split(":")[1])
        for number in range(-WARM, ROUNDS):
            for slow in (False, True):
                nets = [folded(rows.chunk(batch)) for _ in range(blocks)]
                if slow:
                    way.latency(ROUND_TRIP)
                began = time.perf_counter()
                for net in nets:
                    loop.apply(net)
                rate = blocks * batch / (time.perf_counter() - began)
                way.restore()
                if number >= 0:
                    rates["sink" if slow else "none"].append(rate)
    none, sink = statistics.median(rates["none"]), statistics.median(rates["sink"])
    return {
        "loop_none_per_second": round(none),
        "loop_sink_per_second": round(sink),
        "loop_sink_ratio": round(sink / none, 2),
    }


def main() -> list[dict[str, Any]]:
    """Measure, print a line a batch size, give the figures."""
    rows = []
    for batch in BATCHES:
        source, target, proxies = Neo4j("wan-source"), Neo4j("wan-target"), Proxies()
        with Lab(source, target, proxies):
            source.query("CREATE INDEX person IF NOT EXISTS FOR (n:Person) ON (n.key)")
            with Pair(source, target, proxies, batch) as pair:
                found = _measure(pair, batch)
                rows.append(found | _by_hand(target, pair.to_sink, batch))
    print(f"wan: changes a second with {ROUND_TRIP} ms of round trip on one side, and without")
    for row in rows:
        print("  " + ", ".join(f"{name} {value}" for name, value in row.items()))
    return rows


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
