"""Writing segments beside the gzip libraries themselves, on the same bytes; no database, no S3.

*ship* is everything that happens to a change between the stream's columns and the bytes to put: columns to JSON, commit
times, checksums, compression. ``zlib 6`` is what everybody calls gzip, ``ISA-L 2`` the library and level that segments
are compressed with. *framing* is what header, trailer and the keys of blocks add to the compressed columns.
"""

from __future__ import annotations

import base64
import gc
import gzip
import json
import os
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import orjson
from isal import isal_zlib

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping.reading import SegmentReader
from neo4j_dr_operator.shipping.segment import LEVEL, Header, Segment, SegmentWriter
from tests.bench.stream import UUID, Source

CHANGES, CHUNK, ROUNDS = 100_000, 5000, 7
GZIP = 31


def identifier(tx: int) -> str:
    """A change identifier as a server of 5.26 makes it."""
    raw = struct.pack(">B16sqqq", 5, uuid.UUID(UUID).bytes, tx, 4, 1_700_000_000_000 + tx * 3)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def stream() -> list[Chunk]:
    """The made-up stream with real identifiers."""
    source = Source(1)
    chunks = [source.chunk(CHUNK) for _ in range(CHANGES // CHUNK)]
    for chunk in chunks:
        chunk.ids = [identifier(tx) for tx in chunk.txs]
        chunk.cursor = chunk.ids[-1]
        chunk.position = Position.decode(chunk.cursor)
    return chunks


def ship(chunks: list[Chunk]) -> Segment:
    """One segment of everything."""
    writer = SegmentWriter(Header("ns/dr", 1, "primary", 2, UUID, identifier(0), "0" * 64, None, 0))
    for chunk in chunks:
        writer.add(chunk)
    return writer.close(chunks[-1].position, chunks[-1].position.commit_millis)


def compressed(library: Any, level: int, data: bytes) -> bytes:
    """By one call of a library."""
    engine = library.compressobj(level, zlib.DEFLATED, GZIP)
    return bytes(engine.compress(data) + engine.flush())


def bare(lines: list[bytes]) -> bytes:
    """The values of all columns without what names and frames them."""
    return b"".join(b"".join(orjson.dumps(column) for column in orjson.loads(line).values()) for line in lines)


def main() -> dict[str, Any]:
    """Measure, print a table, give the figures. Each round measures all, so that their ratios are of one moment."""
    chunks = stream()
    segment = ship(chunks)
    plain = gzip.decompress(segment.data)
    measured: dict[str, Callable[[], object]] = {
        "ship": lambda: ship(chunks),
        "zlib 6": lambda: compressed(zlib, 6, plain),
        f"ISA-L {LEVEL}": lambda: compressed(isal_zlib, LEVEL, plain),
        "read": lambda: list(SegmentReader(segment.data).batches()),
    }
    best = dict.fromkeys(measured, float("inf"))
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # as in the shipper
    for _ in range(ROUNDS):
        for name, work in measured.items():
            began = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - began)
    content = len(compressed(isal_zlib, LEVEL, bare(plain.splitlines()[1:-1])))
    figures = {
        "bytes_per_change": round(len(segment.data) / CHANGES, 1),
        "bytes_per_change_plain": round(len(plain) / CHANGES, 1),
        "framing": round(len(segment.data) / content - 1, 4),
        "ship_us_per_change": round(best["ship"] / CHANGES * 1e6, 2),
        "read_us_per_change": round(best["read"] / CHANGES * 1e6, 2),
        "mb_per_second": {name: round(len(plain) / seconds / 1e6) for name, seconds in best.items()},
        "of_zlib_6": round(best["zlib 6"] / best["ship"], 2),
        "of_isal": round(best[f"ISA-L {LEVEL}"] / best["ship"], 2),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print("shipping: encoding and compressing against a gzip library alone on the same bytes (goal: 0.80 of its rate)")
    for name, rate in figures["mb_per_second"].items():
        print(f"  {name:10}{rate:8} MB/s")
    for name, value in figures.items():
        if name != "mb_per_second":
            print(f"  {name:26}{value}")
    return figures


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
