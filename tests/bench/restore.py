"""A backup and a restore through real servers, against the best hand-written loop that writes the same rows.

A graph of ``NEO4J_DR_BENCH_ELEMENTS`` (1,000,000) elements is backed up, then changed by as many changes in
transactions of ten, which are shipped, then restored to the end of the archive. The loop gets the same rows in the same
portions, read and folded in advance (not timed), and writes them to the same server, emptied again. Both twice; the
second round counts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from lab import S3, Lab, Neo4j
from neo4j_dr_operator.backup import chunks
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.fold import Net, Nodes, Relationships, folded
from neo4j_dr_operator.shipping.reading import SegmentReader
from tests.bench.apply import Loop
from tests.database.archive_process import BackupProcess, RestoreProcess
from tests.database.load import prepare
from tests.database.shipping_process import PATH, ShipProcess, Store

ELEMENTS = int(os.environ.get("NEO4J_DR_BENCH_ELEMENTS", "1000000"))
BATCH = 5000
PATIENCE = 3600.0
_CHANGE = (
    "UNWIND range(0, $n - 1) AS i CALL (i) { MATCH (o:Old {uid: i}) SET o.z = i "
    "CREATE (:New {uid: i, name: 'node ' + i}) } IN TRANSACTIONS OF 5 ROWS"
)


def _net(nodes: Nodes, relationships: Relationships) -> Net:
    position = Position("", 5, "", 0, 0, 0)
    none = Nodes()
    count = len(nodes.ids) + len(relationships.ids)
    return Net("", position, count, 1, None, False, [], [], nodes, none, none, relationships, Relationships())


def rows(store: Store) -> list[Net]:
    """What a restore writes, portion by portion."""
    objects = {key.removeprefix(f"{PATH.strip('/')}/"): data for key, data in store.objects().items()}
    (name,) = [key for key in objects if "/snapshots/" in key]
    manifest = Manifest.decode(objects[name])
    contents = {key.rpartition("/")[2].removesuffix(".gz"): data for key, data in objects.items() if "/chunks/" in key}
    nets = []
    for ref in manifest.chunks:
        data = chunks.unpacked(contents[ref.sha256], ref.size)
        if ref.kind == "nodes":
            nets.append(_net(chunks.nodes(data), Relationships()))
        else:
            nets.append(_net(Nodes(), chunks.relationships(data)))
    for key in sorted(key for key in objects if key.endswith(".seg") and "/amendments/" not in key):
        for batch in SegmentReader(objects[key]).batches():
            if batch.chunk.txs[0] > manifest.tx:
                nets.append(folded([batch.chunk], idempotent=False))
    return nets


def _looped(target: Neo4j, nets: list[Net]) -> float:
    """Seconds that the loop takes."""
    with target.driver() as driver, driver.session(database="neo4j") as session:
        database = session.run("CREATE (n) WITH n, elementId(n) AS e DELETE n RETURN e").single(strict=True)[0]
        loop = Loop(session, database.split(":")[1])
        began = time.perf_counter()
        for net in nets:
            loop.apply(net)
        return time.perf_counter() - began


def measure(source: Neo4j, target: Neo4j, store: Store) -> dict[str, Any]:
    """The figures."""
    prepare(source, ELEMENTS // 2, ELEMENTS // 2)
    shipper = ShipProcess(source, store, timeout=60.0)
    shipper.shipping(PATIENCE)
    began = time.perf_counter()
    backup = BackupProcess(source, store, timeout=60.0).done(PATIENCE)
    backed_up = time.perf_counter() - began
    changes = ELEMENTS
    source.query(_CHANGE, n=changes // 2)
    shipper.shipped(PATIENCE)
    shipper.finish(PATIENCE)
    nets = rows(store)
    seconds: dict[str, list[float]] = {"restore": [], "loop": []}
    for _ in range(2):
        began = time.perf_counter()
        worker = RestoreProcess(store, target, {"end": True}, batch=BATCH, timeout=60.0, skip_indexes=True)
        report = worker.done(PATIENCE)
        seconds["restore"].append(time.perf_counter() - began)
        target.reset()
        seconds["loop"].append(_looped(target, nets))
        target.reset()
    restored, looped = seconds["restore"][1], seconds["loop"][1]  # the first round warms the server
    total = sum(net.changes for net in nets)
    return {
        "elements": ELEMENTS,
        "changes": changes,
        "backup_seconds": round(backed_up, 1),
        "backup_per_second": round(ELEMENTS / backed_up),
        "backup_bytes_per_element": round(backup["bytes"] / ELEMENTS, 1),
        "restore_seconds": round(restored, 1),
        "restore_per_second": round(total / restored),
        "loop_seconds": round(looped, 1),
        "loop_per_second": round(total / looped),
        "of_the_loop": round(looped / restored, 2),
        "rounds": {name: [round(each, 1) for each in found] for name, found in seconds.items()},
        "restored": [report["nodes"], report["relationships"]],
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> dict[str, Any]:
    """Measure, print a table, give the figures."""
    source, target, server = Neo4j("source", tls=False), Neo4j("target", tls=False), S3()
    with Lab(source, target, server):
        figures = measure(source, target, Store(server))
    print("restore: elements and changes a second against the best hand-written loop (goal: 0.80 of its rate)")
    for name, value in figures.items():
        print(f"  {name:26}{value}")
    return figures


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
