"""What a reader holds while nothing is taken: so many pages or bytes, and no more; it goes on as they are taken."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication import reader as reading
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.pace import AHEAD_BYTES
from neo4j_dr_operator.replication.reader import AHEAD, Reader

DB = str(uuid.UUID(int=7))
BATCH = 100


class Status:
    def __init__(self) -> None:
        self.source_problem = None
        self.caught_up, self.pending, self.read_at = False, 0, None
        self.changed = threading.Event()


class Stream:
    """One that never ends. ``size``: bytes of a page."""

    def __init__(self, size: int) -> None:
        self.size, self.pages, self.changes = size, 0, 0
        self._read = threading.Condition()

    def read(self, database: Any, cursor: str, limit: int) -> Chunk:
        with self._read:
            self.pages += 1
            self.changes += limit
            self._read.notify_all()
        txs = list(range(self.changes, self.changes + limit))
        position = Position(f"{self.pages}", 5, DB, self.changes, 0, 0)
        columns: Any = [["e"] * limit for _ in range(6)]
        chunk = Chunk(True, position.text, position, ["i"] * limit, txs, *columns)
        chunk.size = self.size
        return chunk

    def still(self) -> int:
        """Changes read, once nothing more is."""
        with self._read:
            while self._read.wait(0.3):
                pass
            return self.changes


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[tuple[Reader, Stream]]:
    stream = Stream(request.param)
    monkeypatch.setattr(reading, "read_chunk", stream.read)
    made = Reader(None, "0", BATCH, 0.01, Status())  # type: ignore[arg-type]
    made.start()
    yield made, stream
    made.stop()
    made.join(5)
    assert not made.is_alive()


@pytest.mark.parametrize("reader", [1_000], indirect=True)
def test_so_many_pages_are_held(reader: tuple[Reader, Stream]) -> None:
    made, stream = reader
    held = stream.still()
    assert BATCH * AHEAD <= held < BATCH * (AHEAD + 1)
    taken = sum(len(chunk) for _ in range(3) for chunk in made.take(1) or [])
    assert 0 < taken <= held
    assert held < stream.still() < held + taken + BATCH


@pytest.mark.parametrize("reader", [AHEAD_BYTES // 3 + 1], indirect=True)
def test_so_many_bytes_are_held(reader: tuple[Reader, Stream]) -> None:
    made, stream = reader
    stream.still()
    assert stream.pages == 3
    taken = made.take(1) or []
    stream.still()
    assert stream.pages == 3 + len(taken) > 3


@pytest.mark.parametrize("reader", [1_000], indirect=True)
def test_a_reader_that_waits_is_stopped_at_once(reader: tuple[Reader, Stream]) -> None:
    made, stream = reader
    stream.still()
    began = time.monotonic()
    made.stop()
    made.join(5)
    assert time.monotonic() - began < 0.9
