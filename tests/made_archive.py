"""Archives made by hand, with the operator's own writers: epochs, segments, snapshots, watermarks, as objects by name.

Transaction n is committed n ms after ``MILLIS``, whatever the epoch, so times and transactions are one.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import uuid

from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup.chunks import Chunk as SnapshotChunk
from neo4j_dr_operator.backup.chunks import encoded
from neo4j_dr_operator.backup.manifest import AmendmentRef, ChunkRef, Manifest
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import MARKER
from neo4j_dr_operator.shipping.segment import Header, Segment, SegmentWriter, Start
from neo4j_dr_operator.shipping.watermark import Watermark

ARCHIVE = "ns/dr"
MILLIS = 1_700_000_000_000


def database(epoch: int) -> str:
    """UUID of the database of an epoch."""
    return str(uuid.UUID(int=epoch))


def identifier(epoch: int, tx: int) -> str:
    """The change identifier behind a transaction."""
    raw = struct.pack(">B16sqqq", 5, uuid.UUID(int=epoch).bytes, tx, 0, MILLIS + tx)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class MadeArchive:
    """Grows by what its methods add; ``objects`` is what lies in the store."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {names.marker(ARCHIVE): MARKER}
        self.epoch = self.tx = self.number = self.highest = 0
        self.previous: str | None = None
        self.snapshots: list[str] = []

    def promote(self) -> None:
        """A new epoch, begun behind the last transaction."""
        self.epoch, self.number, self.previous = self.epoch + 1, 0, None
        self._segment(Start("first" if self.epoch == 1 else "promotion"), [])

    def ship(self, count: int) -> None:
        """A segment of so many transactions."""
        self._segment(None, list(range(self.tx + 1, self.tx + 1 + count)))

    def lose(self, count: int) -> None:
        """A gap of so many transactions; fewer than none: the database was restored to an earlier state."""
        lost = identifier(self.epoch, self.tx)
        self.tx = max(0, self.tx + count)
        self._segment(Start("gap", lost), [])

    def rest(self, millis: int) -> None:
        """So long nothing is committed, and the watermark says so."""
        self.tx += millis
        self.highest = max(self.highest, self.tx)
        at = Position.decode(identifier(self.epoch, self.tx))
        mark = Watermark(self.number, self.previous, at, MILLIS + self.tx)
        self.objects[names.watermark(ARCHIVE, self.epoch)] = mark.encode()

    def snapshot(self, values: int = 2, behind: int = 0, fast: int = 0) -> str:
        """A snapshot of the present, begun ``behind`` segments ago: so many chunks, one amendment; its name.

        ``fast``: ms by which the source's clock was ahead of the writer's.
        """
        refs = []
        for value in range(values):
            text = encoded("nodes", [[value], [["A"]], [{"value": value, "epoch": self.epoch}]])
            chunk = SnapshotChunk("nodes", value, value + 1, 1, text, hashlib.sha256(text).hexdigest())
            self.objects[snapshot_names.chunk(ARCHIVE, chunk.sha256)] = chunk.packed()
            refs.append(ChunkRef(chunk.sha256, "nodes", value, value + 1, 1, len(text)))
        amendment = self._written(self._header(1, None, Start("snapshot"), self.tx), [self.tx + 1])
        self.objects[snapshot_names.amendment(ARCHIVE, amendment.sha256)] = amendment.data
        start, self.tx = identifier(self.epoch, self.tx), self.tx + 1
        position = identifier(self.epoch, self.tx)
        manifest = Manifest(
            archive=ARCHIVE,
            epoch=self.epoch,
            segment=max(0, self.number - behind),
            site="primary",
            database=database(self.epoch),
            start=start,
            position=position,
            latest=MILLIS + self.tx,
            covered=MILLIS + self.tx - fast,
            created=MILLIS + self.tx,
            nodes_end=values,
            relationships_end=0,
            schema=(),
            chunks=tuple(refs),
            amendments=(AmendmentRef(amendment.sha256, start, position, 1, 1),),
        )
        self.objects[manifest.name.key(ARCHIVE)] = manifest.encode()
        self.snapshots.append(manifest.name.key(ARCHIVE))
        self._segment(None, [self.tx], begin=self.tx - 1)  # what the amendment holds is shipped as well
        return self.snapshots[-1]

    def _segment(self, start: Start | None, txs: list[int], begin: int | None = None) -> None:
        at = self.tx if begin is None else begin
        self.number += 1
        last = self._last if start is None and self.previous is not None else None
        header = self._header(self.number, self.previous, start, at)
        if last is not None:
            header = Header(**{**vars(header), "position": last})
        made = self._written(header, txs)
        self.tx = max([self.tx, *txs])
        self.highest = max(self.highest, self.tx)
        self.previous, self._last = made.sha256, made.trailer.position
        self.objects[names.segment(ARCHIVE, self.epoch, self.number)] = made.data

    _last = ""

    def _header(self, number: int, previous: str | None, start: Start | None, tx: int) -> Header:
        position = identifier(self.epoch, tx)
        return Header(
            ARCHIVE, self.epoch, "primary", number, database(self.epoch), position, previous, start, MILLIS + tx
        )

    def _written(self, header: Header, txs: list[int]) -> Segment:
        writer = SegmentWriter(header)
        for tx in txs:
            writer.add(self._change(tx))
        to = Position.decode(identifier(self.epoch, txs[-1])) if txs else Position.decode(header.position)
        return writer.close(to, to.commit_millis)

    def _change(self, tx: int) -> Chunk:
        at = identifier(self.epoch, tx)
        element = f"4:{database(self.epoch)}:{tx}"
        after = {"labels": ["A"], "properties": {"tx": tx}}
        return Chunk(False, at, Position.decode(at), [at], [tx], ["c"], [element], [["A"]], [""], [""], [after])
