"""Snapshots of a live graph in a real S3: exact, deduplicated, resumed."""

from __future__ import annotations

import signal

from lab import Neo4j
from tests.database.archive_process import BackUp
from tests.database.load import prepare
from tests.database.shipping_process import Store


def test_an_unchanged_graph_costs_nothing_and_a_change_little(source: Neo4j, store: Store, back_up: BackUp) -> None:
    prepare(source, 40_000, 40_000)
    first = back_up().done()
    assert first["nodes"] == first["relationships"] == 40_000
    assert first["chunksNew"] == first["chunks"] == 20
    again = back_up().done()
    assert (again["chunks"], again["chunksNew"]) == (20, 0)
    source.query("MATCH (n:Old {uid: 77}) SET n.name = 'another'")
    changed = back_up().done()
    print(f"bytes: first {first['bytes']}, unchanged {again['bytes']}, one node changed {changed['bytes']}")
    assert again["bytes"] <= first["bytes"] / 100
    assert changed["chunksNew"] == 1
    assert len({report["snapshot"] for report in (first, again, changed)}) == 3


def test_a_killed_backup_leaves_no_snapshot_and_its_chunks_serve_the_next(
    source: Neo4j, store: Store, back_up: BackUp
) -> None:
    prepare(source, 20_000, 20_000)
    struck = 0
    for fault in ("attached:1", "chunk:4", "stored:3", "scanned:1", "manifest:1"):
        worker = back_up(environment={"NEO4J_DR_FAULT": fault})
        assert worker.ended() == -signal.SIGKILL, worker.log
        struck += 1
        assert not [key for key in store.objects() if "/snapshots/" in key]
    last = back_up().done()
    print(f"{struck} kills; then {last['chunksNew']} of {last['chunks']} chunks were new")
    assert last["chunksNew"] == 0
    assert last["nodes"] == last["relationships"] == 20_000
