"""The engine's own CPU, without a database: from the bytes of a page of the stream to the bytes of the statements.

A page comes as the server sends it and is unpacked by the driver's own decoder, folded, and applied to a link whose
database takes everything: it packs the parameters of each statement, as a connection does, and answers with ids in
sequence. Sockets, TLS and waiting are left out. Each stage is timed by itself over the same pages; the sum is what a
core of the worker can do.
"""

from __future__ import annotations

import contextlib
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from neo4j._codec.packstream.v1 import PackableBuffer, Packer, UnpackableBuffer, Unpacker

from neo4j_dr_operator.graph.element_map import ElementMap
from neo4j_dr_operator.replication import link
from neo4j_dr_operator.replication.apply import apply
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.fold import Net
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from tests.bench.apply import folded, table
from tests.bench.stream import MIXES, UUID, Mix, Source

BATCH, BATCHES, ROUNDS = 5_000, 20, 3
GOAL = 50_000
"""Changes a second a core, reading included."""
COLUMNS = ("ids", "txs", "operations", "elements", "names", "starts", "ends", "afters")


class Nowhere:
    """A database that takes everything. ``packing``: whether parameters are packed as for a connection."""

    timeout = 10.0

    def __init__(self, *, packing: bool) -> None:
        self._packing, self._next = packing, 0

    @contextlib.contextmanager
    def transaction(self, within: float | None = None) -> Iterator[Nowhere]:
        yield self

    def _send(self, params: dict[str, Any]) -> None:
        if self._packing:
            Packer(PackableBuffer()).pack(params)

    def row(self, query: str, **params: Any) -> list[Any]:
        """Ids of what was created."""
        self._send(params)
        count = len(params["p"])
        self._next += count
        return [list(range(self._next - count, self._next))]

    def send(self, look: Callable[[list[Any]], None], query: str, **params: Any) -> None:
        """As many as were asked for."""
        self._send(params)
        rows = params.get("a", params.get("p"))
        look([1 if rows is None else len(rows)])

    def settle(self) -> None:
        """Nothing is outstanding."""

    def commit(self, query: str | None = None, **params: Any) -> None:
        """Done."""
        self._send(params)


def packed(chunk: Chunk) -> bytes:
    """A page as the server sends it."""
    buffer = PackableBuffer()
    Packer(buffer).pack([getattr(chunk, column) for column in COLUMNS])
    return bytes(buffer.data)


def unpacked(data: bytes, like: Chunk) -> Chunk:
    """And as it is read."""
    columns = Unpacker(UnpackableBuffer(data)).unpack()
    return Chunk(like.more, like.cursor, like.position, *columns)


def writer(*, packing: bool) -> LinkWriter:
    """A link of its own."""
    database: Any = Nowhere(packing=packing)
    state = LinkState("bench", 1, link.STREAMING, "", 0, UUID, UUID)
    return LinkWriter(database, state, ElementMap(), Faults())


def measure(mix: Mix) -> dict[str, Any]:
    """µs of CPU a change, by stage."""
    rounds: list[dict[str, float]] = []
    for seed in range(ROUNDS + 1):
        source = Source(seed, mix)
        chunks = [source.chunk(BATCH) for _ in range(BATCHES)]
        pages = [packed(chunk) for chunk in chunks]
        gc.collect()
        gc.freeze()
        read: list[Chunk] = []
        nets: list[Net] = []
        times = {
            "read": _cpu(lambda p=pages, c=chunks, r=read: r.extend(map(unpacked, p, c))),  # type: ignore[misc]
            "fold": _cpu(lambda r=read, n=nets: n.extend(map(folded, r))),  # type: ignore[misc]
        }
        for name, packing in (("prepare", False), ("with packing", True)):
            to = writer(packing=packing)
            times[name] = _cpu(lambda n=nets, t=to: _apply(t, n))  # type: ignore[misc]
        if seed:  # the first one warms up
            rounds.append(times)
        gc.unfreeze()
    each = {stage: statistics.median(one[stage] for one in rounds) / BATCH / BATCHES * 1e6 for stage in rounds[0]}
    each["pack"] = max(0.0, each["with packing"] - each["prepare"])
    whole = each["read"] + each["fold"] + each["with packing"]
    return {
        "workload": mix.name,
        **{f"{stage}_us": round(each[stage], 2) for stage in ("read", "fold", "prepare", "pack")},
        "whole_us": round(whole, 2),
        "per_second": round(1e6 / whole),
        "ratio": round(1e6 / whole / GOAL, 2),
    }


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _apply(to: LinkWriter, nets: list[Net]) -> None:
    for net in nets:
        apply(to, net)


def main() -> list[dict[str, Any]]:
    """Measure, print a table, give the figures."""
    rows = [measure(mix) for mix in MIXES]
    print(f"engine: µs of CPU a change without a database (goal: {GOAL} changes a second, ratio 1.00)")
    print(table(rows))
    return rows


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
