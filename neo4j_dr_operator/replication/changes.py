"""Changes of a source as they come out of its change stream (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from neo4j_dr_operator.graph.position import Position


@dataclass(slots=True)
class Chunk:
    """Whole source transactions, as columns of equal length, and the position after them.

    ``more``: the stream had more to give when this was read. ``size``: bytes that it was on the way, 0 unknown.
    """

    more: bool
    cursor: str
    position: Position
    ids: list[str]
    txs: list[int]
    operations: list[str]
    elements: list[str]
    names: list[Any]
    starts: list[str]
    ends: list[str]
    afters: list[Any]
    size: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self.ids)
