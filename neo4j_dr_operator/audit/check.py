"""An object's bytes against what its name and the format say of them (no I/O).

Every function raises :class:`~neo4j_dr_operator.audit.facts.Damaged`. What counts is what a restore would read: a bit
of a gzip header that changes nothing of a chunk's contents is no damage of it.
"""

from __future__ import annotations

import hashlib

import orjson
from isal import isal_zlib
from isal.igzip_lib import IsalError  # a class of the C module, which the stubs do not call one

from neo4j_dr_operator.audit.facts import DIGITS, Damaged, Mark, Piece, place
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.restore.chain import regressed
from neo4j_dr_operator.shipping.chain import MARKER_FORMAT, VERSION
from neo4j_dr_operator.shipping.reading import ArchiveBroken, SegmentReader
from neo4j_dr_operator.shipping.schema import SchemaName, SchemaNote
from neo4j_dr_operator.shipping.watermark import Watermark

_GZIP = 31
_STEP = 1 << 20


def segment(data: bytes, archive: str, epoch: int, number: int, at: int) -> Piece:
    """A segment: both checksums, its header and its trailer."""
    try:
        reader = SegmentReader(data)
        header, trailer = reader.header, reader.trailer
        begin, end = Position.decode(header.position), Position.decode(trailer.position)
    except (ArchiveBroken, ValueError) as error:
        raise Damaged("Truncated" if _cut(data) else "Altered", str(error)) from error
    if (header.archive, header.epoch, header.number) != (archive, epoch, number):
        raise Damaged("Altered", f"it holds segment {header.number} of epoch {header.epoch} of {header.archive}")
    return Piece(
        number=number,
        database=header.database,
        begin=place(begin),
        end=place(end),
        covered=trailer.covered,
        last=trailer.last,
        created=header.created,
        sha256=hashlib.sha256(data).hexdigest()[:DIGITS],
        previous=(header.previous or "")[:DIGITS],
        start=header.start.reason if header.start else "",
        regressed=regressed(header),
        size=len(data),
        at=at,
    )


def manifest(data: bytes, archive: str, name: SnapshotName) -> Manifest:
    """A manifest: its checksum, and that it is the one of its name."""
    try:
        made = Manifest.decode(data)
    except ArchiveBroken as error:
        whole = data.endswith(b"\n") and data.splitlines()[-1].startswith(b'{"end":')
        raise Damaged("Altered" if whole else "Truncated", error.message) from error
    if made.name != name or made.archive != archive:
        raise Damaged("Altered", "it is the manifest of another snapshot")
    return made


def schema(data: bytes, archive: str, name: SchemaName) -> None:
    """A note of the schema: its checksum, and that it is the one of its name."""
    try:
        SchemaNote.decode(data, name, archive)
    except ArchiveBroken as error:
        raise Damaged("Altered" if data.endswith(b"\n") else "Truncated", error.message) from error


def content(data: bytes, sha256: str, *, amendment: bool) -> None:
    """A chunk or an amendment: its bytes against its name."""
    text = data if amendment else _unpacked(data)
    if hashlib.sha256(text).hexdigest() != sha256:
        cut = amendment and _cut(data)
        raise Damaged("Truncated" if cut else "Altered", "its checksum does not fit its name")


def watermark(data: bytes) -> Mark:
    """A watermark, whatever it stands behind."""
    try:
        mark = Watermark.decode(data)
    except ValueError as error:
        raise Damaged("Altered", str(error)) from error
    return Mark(mark.number, mark.sha256[:DIGITS], mark.covered)


def marker(data: bytes) -> None:
    """The object that says which version an archive has. One of a newer version is in order."""
    try:
        made = orjson.loads(data)
        if made["format"] == MARKER_FORMAT and int(made["version"]) >= VERSION:
            return
    except (ValueError, TypeError, KeyError):
        pass
    raise Damaged("Altered", "it does not say which version of the format the archive has")


def _unpacked(data: bytes) -> bytes:
    engine, parts, pending = isal_zlib.decompressobj(_GZIP), [], data
    try:
        while not engine.eof:
            parts.append(bytes(engine.decompress(pending, _STEP)))
            pending = engine.unconsumed_tail
            if not parts[-1] and not pending and not engine.eof:
                raise Damaged("Truncated", "it ends before its gzip data does")
    except IsalError as error:  # type: ignore[misc]
        raise Damaged("Altered", "it is no gzip data, or was changed") from error
    if engine.unused_data:
        raise Damaged("Altered", "something stands behind its end")
    return b"".join(parts)


def _cut(data: bytes) -> bool:
    """Whether what is there is the beginning of a gzip member, and its end is not."""
    try:
        _unpacked(data)
    except Damaged as error:
        return error.kind == "Truncated"
    return False
