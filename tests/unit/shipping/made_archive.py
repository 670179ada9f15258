"""A made-up archive: a chain of segments, whole, altered, and with gaps."""

from __future__ import annotations

from made_segments import MILLIS, chunk, head, identifier, node, segment

from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Tail
from neo4j_dr_operator.shipping.segment import Segment, Start

PER_SEGMENT = 3


class Archive:
    """A chain: segment 1 without transactions, then three transactions in each; ``gap`` stands after a number."""

    def __init__(self, count: int, gap: int | None = None, lost: int = 50) -> None:
        self.objects: dict[str, bytes] = {}
        self.tx, self.previous, self.number = 0, None, 0
        self._add(Start("first"))
        for number in range(2, count + 1):
            if number - 1 == gap:
                last = identifier(self.tx)
                self.tx += lost
                self._add(Start("gap", last))
            self._add(None, *range(self.tx + 1, self.tx + 1 + PER_SEGMENT))

    previous: str | None

    def _add(self, start: Start | None, *txs: int) -> None:
        self.number += 1
        header = head(self.number, self.previous, start)
        header = type(header)(**{**vars(header), "position": identifier(self.tx)})
        chunks = [chunk(node(tx, "c", tx, {"tx": tx}, "A")) for tx in txs] or [chunk()]
        if not txs:
            chunks[0].cursor, chunks[0].position = identifier(self.tx), Position.decode(identifier(self.tx))
        made: Segment = segment(*chunks, header=header)
        self.tx = max([self.tx, *txs])
        self.previous = made.sha256
        self.objects[names.segment("ns/dr", 1, self.number)] = made.data

    @property
    def tail(self) -> Tail:
        """The end; the watermark is 5 ms and transactions on."""
        assert self.previous is not None
        seen = Position.decode(identifier(self.tx + 5))
        return Tail(self.number, self.previous, Position.decode(identifier(self.tx)), seen, MILLIS + self.tx + 5)
