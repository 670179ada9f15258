"""The engine against the best hand-written ``UNWIND`` loop: the same rows, driver, server and batch size.

The loop gets its rows grouped in advance (not timed), uses the fastest statements that were found (static labels, bare
property rows, ids as integers), checks nothing and keeps no position. The engine starts from the stream's columns: it
folds, checks every count, keeps position and map. Blocks of both alternate on one server, each in a graph of its own.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import neo4j

from lab import Lab, Neo4j
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.element_map import ElementMap
from neo4j_dr_operator.replication import checkpoint, link
from neo4j_dr_operator.replication.apply import apply
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.fold import Fold, Net
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from tests.bench.stream import MIXES, UUID, Mix, Source
from tests.bench.usage import cpu_seconds

SIZES = (1_000, 5_000, 10_000)
BLOCK, BLOCKS, WARM = 10_000, 8, 60_000
GOAL = 0.9
"""Of the loop's rate."""

NODE_C = "UNWIND $p AS p CREATE (n{l}) SET n = p RETURN collect(id(n))"
NODE_U = "UNWIND range(0, size($p) - 1) AS i MATCH (n) WHERE elementId(n) = $x + $a[i] SET n = $p[i]"
REL_C = (
    "UNWIND range(0, size($p) - 1) AS i MATCH (a) WHERE elementId(a) = $x + $a[i] "
    "MATCH (b) WHERE elementId(b) = $x + $b[i] "
    "CREATE (a)-[r:`{t}`]->(b) SET r = $p[i] RETURN collect(id(r))"
)
REL_D = "UNWIND $a AS a MATCH ()-[r]->() WHERE elementId(r) = $x + a DELETE r"


@dataclass
class Loop:
    """The hand-written loop; ids in dictionaries of integers."""

    session: neo4j.Session
    database_id: str
    nodes: dict[int, int] = field(default_factory=dict)
    rels: dict[int, int] = field(default_factory=dict)

    def apply(self, net: Net) -> None:
        """One transaction."""
        x4, x5 = f"4:{self.database_id}:", f"5:{self.database_id}:"
        with self.session.begin_transaction() as tx:
            if net.deleted_relationships:
                tx.run(REL_D, x=x5, a=[self.rels.pop(i) for i in net.deleted_relationships]).consume()
            for labels, (ids, properties) in _groups(net.created_nodes).items():
                made = tx.run(NODE_C.format(l="".join(f":`{each}`" for each in labels)), p=properties).single(
                    strict=True
                )
                self.nodes.update(zip(ids, made[0], strict=True))
            if net.updated_nodes.ids:
                targets = [self.nodes[i] for i in net.updated_nodes.ids]
                tx.run(NODE_U, x=x4, a=targets, p=net.updated_nodes.properties).consume()
            rels = net.created_relationships
            for number, kind in enumerate(rels.names):
                rows = [n for n, key in enumerate(rels.keys) if key == number]
                made = tx.run(
                    REL_C.format(t=kind),
                    x=x4,
                    a=[self.nodes[rels.starts[n]] for n in rows],
                    b=[self.nodes[rels.ends[n]] for n in rows],
                    p=[rels.properties[n] for n in rows],
                ).single(strict=True)
                self.rels.update(zip((rels.ids[n] for n in rows), made[0], strict=True))
            tx.commit()


def _groups(rows: Any) -> dict[tuple[str, ...], tuple[list[int], list[Any]]]:
    groups: dict[tuple[str, ...], tuple[list[int], list[Any]]] = {}
    for i, key, properties in zip(rows.ids, rows.keys, rows.properties, strict=True):
        ids, values = groups.setdefault(tuple(rows.names[key]), ([], []))
        ids.append(i)
        values.append(properties)
    return groups


def folded(chunk: Chunk) -> Net:
    """One batch."""
    fold = Fold(idempotent=False)
    fold.add(chunk)
    return fold.net()


def engine(server: Neo4j, name: str) -> LinkWriter:
    """A link that streams from a source that does not exist."""
    database = Database(Endpoint(server.uri, server.user, server.password, server.ca_pem))
    for statement in link.SCHEMA:
        database.write(statement)
    state = link.create(database, LinkState(name, 1, link.STREAMING, "", 0, UUID))
    return LinkWriter(database, state, ElementMap(), Faults())


def timed(work: Callable[[], None], pid: int) -> dict[str, float]:
    """Wall and CPU seconds of one block."""
    server, client, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
    work()
    return {
        "wall": time.perf_counter() - began,
        "client": time.process_time() - client,
        "server": cpu_seconds(pid) - server,
    }


def measure(server: Neo4j, mix: Mix) -> list[dict[str, Any]]:
    """One row a batch size."""
    writer = engine(server, mix.name)
    source = Source(7, mix)
    with server.driver() as driver, driver.session(database="neo4j") as session:
        loop = Loop(session, writer.state.target_db)

        def by_engine(chunks: list[Chunk]) -> None:
            for chunk in chunks:
                apply(writer, folded(chunk))
                checkpoint.step(writer)

        def by_loop(nets: list[Net]) -> None:
            for net in nets:
                loop.apply(net)

        for size in (1_000, 5_000) * 3:
            chunks = [source.chunk(size) for _ in range(WARM // 6 // size)]
            by_engine(chunks)
            by_loop([folded(chunk) for chunk in chunks])
        rows = [_one_size(size, source, by_engine, by_loop, server.pid) for size in SIZES]
        return [{"workload": mix.name, **row} for row in rows]


def _one_size(
    size: int,
    source: Source,
    by_engine: Callable[[list[Chunk]], None],
    by_loop: Callable[[list[Net]], None],
    pid: int,
) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {"engine": [], "loop": []}
    for number in range(BLOCKS):
        chunks = [source.chunk(size) for _ in range(BLOCK // size)]
        nets = [folded(chunk) for chunk in chunks]
        gc.collect()
        for who in ("engine", "loop") if number % 2 else ("loop", "engine"):
            if who == "engine":
                runs[who].append(timed(lambda chunks=chunks: by_engine(chunks), pid))  # type: ignore[misc]
            else:
                runs[who].append(timed(lambda nets=nets: by_loop(nets), pid))  # type: ignore[misc]
    totals = {who: {key: sum(run[key] for run in found) for key in found[0]} for who, found in runs.items()}
    ratios = [one["wall"] / two["wall"] for one, two in zip(runs["loop"], runs["engine"], strict=True)]
    changes = BLOCK * BLOCKS
    return {
        "batch": size,
        "engine_per_second": round(changes / totals["engine"]["wall"]),
        "loop_per_second": round(changes / totals["loop"]["wall"]),
        "ratio": round(totals["loop"]["wall"] / totals["engine"]["wall"], 3),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_cpu": round(
            (totals["loop"]["server"] + totals["loop"]["client"])
            / (totals["engine"]["server"] + totals["engine"]["client"]),
            3,
        ),
        "goal": GOAL,
        "engine_wall_us": round(totals["engine"]["wall"] / changes * 1e6, 1),
        "engine_server_us": round(totals["engine"]["server"] / changes * 1e6, 1),
        "engine_client_us": round(totals["engine"]["client"] / changes * 1e6, 1),
        "loop_client_us": round(totals["loop"]["client"] / changes * 1e6, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Columns with their names above."""
    names = list(rows[0])
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in names}
    lines = ["  ".join(f"{name:>{widths[name]}}" for name in names)]
    lines += ["  ".join(f"{row[name]:>{widths[name]}}" for name in names) for row in rows]
    return "\n".join(lines)


def main() -> list[dict[str, Any]]:
    """Measure, print a table, give the figures."""
    server = Neo4j("bench", fast=False, heap="1g", tls=False)
    with Lab(server):
        rows = [row for mix in MIXES for row in measure(server, mix)]
    print("apply: changes a second, engine against the best hand-written loop")
    print(table(rows))
    return rows


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
