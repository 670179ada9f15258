"""The element map of a link's worker: memory with so many elements, the time a restart takes to load it, and how long
compacting it holds up applying.

A map of half nodes, half relationships is written into a real database as a whole; then every one of its slices is
changed, and it is compacted as the worker does it, a step between two batches. A process of its own then loads it, as a
worker that begins. Ids are in sequence, with one in twenty given up and used again at random.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from lab import Lab, Neo4j
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database, Transaction
from neo4j_dr_operator.graph.element_map import SLICE, ElementMap, MapChange
from neo4j_dr_operator.replication import checkpoint, link
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from tests.bench.apply import table
from tests.bench.stream import UUID
from tests.bench.usage import resident

MILLIONS = (1, 5, 10)
RECORDS = 20
PAUSE_GOAL = 50
"""Milliseconds by which compacting may hold up one batch."""


def filled(elements: int) -> ElementMap:
    """A map of so many elements."""
    random = np.random.default_rng(7)
    made = ElementMap()
    for part in (made.nodes, made.relationships):
        sources = np.arange(elements // 2, dtype=np.int64)
        targets = sources + 100
        moved = random.choice(len(targets), len(targets) // 20, replace=False)
        targets[moved] = targets[np.sort(moved)]
        part.put(sources, targets)
    made.keep()
    return made


def _load(endpoint: Endpoint, name: str) -> dict[str, Any]:
    """In the process of its own."""
    before, began, cpu = resident(os.getpid()), time.perf_counter(), time.process_time()
    loaded = checkpoint.load(Database(endpoint), name)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    count = loaded.elements.nodes.count() + loaded.elements.relationships.count()
    grown = resident(os.getpid()) - before
    return {
        "elements": count,
        "rss_mib": round(resident(os.getpid())),
        "bytes_an_element": round(grown * 1024 * 1024 / count, 1),
        "load_s": round(took, 2),
        "load_cpu_s": round(used, 2),
    }


def measure(server: Neo4j) -> list[dict[str, Any]]:
    """One row a size."""
    endpoint = Endpoint(server.uri, server.user, server.password, server.ca_pem)
    database = Database(endpoint)
    for statement in link.SCHEMA:
        database.write(statement)
    rows = []
    for millions in MILLIONS:
        name = f"memory-{millions}"
        state = link.create(database, LinkState(name, 1, link.STREAMING, "", 0, UUID))
        writer = LinkWriter(database, state, filled(millions * 1_000_000), Faults())
        began = time.perf_counter()
        checkpoint.save(writer)
        saved = time.perf_counter() - began
        pauses = compacted(writer)
        child = subprocess.run(
            [sys.executable, "-m", "tests.bench.memory", name],
            input=json.dumps(endpoint.wire()),
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        rows.append(json.loads(child.stdout) | {"whole_s": round(saved, 2)} | pauses)
    return rows


def compacted(writer: LinkWriter) -> dict[str, Any]:
    """Change some of every slice, and compact: how long each step takes; the first one has its statement planned."""
    parts = writer.map.nodes, writer.map.relationships
    for number in range(RECORDS):

        def body(_: Transaction, number: int = number) -> MapChange:
            change = MapChange()
            for part, puts in zip(parts, (change.node_puts, change.relationship_puts), strict=True):
                sources = np.arange(number, part.top, SLICE, dtype=np.int64)
                targets = part.find(sources)
                part.put(sources, targets)
                puts.append((sources, targets))
            return change

        writer.write(writer.state, body)
    steps = []
    while writer.compaction is not None or checkpoint.due(writer, RECORDS):
        began = time.perf_counter()
        checkpoint.step(writer, RECORDS)
        steps.append((time.perf_counter() - began) * 1000)
    return {
        "steps": len(steps),
        "first_ms": round(steps[0], 1),
        "p50_ms": round(statistics.median(steps), 1),
        "max_ms": round(max(steps[1:]), 1),
        "ratio": round(max(steps[1:]) / PAUSE_GOAL, 2),
        "steps_s": round(sum(steps) / 1000, 2),
    }


def main() -> list[dict[str, Any]]:
    """Measure, print a table, give the figures."""
    server = Neo4j("bench", fast=False, heap="1g", tls=False)
    with Lab(server):
        rows = measure(server)
    print(
        "memory: the element map of a worker (goals: at most 10 bytes an element; a step of compaction, which is what "
        f"holds up a batch, at most {PAUSE_GOAL} ms where whole_s was spent at once)"
    )
    print(table(rows))
    return rows


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(_load(Endpoint(**json.load(sys.stdin)), sys.argv[1])))
    else:
        json.dump(main(), sys.stdout, indent=1)
        print()
