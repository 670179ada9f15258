"""Change identifiers of Neo4j, decoded for reading only.

A change identifier is opaque to the database's clients and is always sent back as it came. Decoding serves three
things: to see that a database was replaced (its UUID is inside), to compare two positions of one stream (transaction
ids rise), and to show lag. Layout, base64url without padding:

======== ===== ==================================================================
version  bytes contents
======== ===== ==================================================================
3        33    u8 version, 16 B database UUID, i64 transaction id, i64 sequence
5        41    as version 3, then i64 commit time in ms since 1970
======== ===== ==================================================================
"""

from __future__ import annotations

import base64
import binascii
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_BODY = struct.Struct(">B16sqq")
_TAIL = struct.Struct(">q")
_TEXT_5 = 55
END_OF_TRANSACTION = 0x7FFF_FFFF_FFFF_FFFF
"""``seq`` of an identifier that stands after all changes of its transaction, as ``db.cdc.current()`` gives it."""


@dataclass(frozen=True, slots=True)
class Position:
    """One place in the change stream of one database. Positions of one database order by ``(tx, seq)``.

    ``commit_millis`` is the commit time in milliseconds since 1970, 0 in version 3, which does not carry it.
    """

    text: str
    version: int
    database: str
    tx: int
    seq: int
    commit_millis: int

    @classmethod
    def decode(cls, text: str) -> Position:
        """Decode a change identifier. Raises :class:`ValueError` for anything but versions 3 and 5."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("not a change identifier: no base64url text") from error
        version = raw[0] if raw else -1
        sizes = {3: _BODY.size, 5: _BODY.size + _TAIL.size}
        if version not in sizes:
            raise ValueError(f"change identifier of unknown version {version}")
        if len(raw) != sizes[version]:
            raise ValueError(f"change identifier of version {version} with {len(raw)} bytes")
        _, database, tx, seq = _BODY.unpack_from(raw)
        millis = _TAIL.unpack_from(raw, _BODY.size)[0] if version == 5 else 0
        return cls(text, version, str(uuid.UUID(bytes=database)), tx, seq, millis)

    def same_stream(self, other: Position) -> bool:
        """Whether both belong to the same database, so that their order means something."""
        return self.database == other.database


def commit_times(texts: Sequence[str]) -> list[int]:
    """The commit time of each change identifier, as :attr:`Position.commit_millis`; quick for many of version 5.

    Raises :class:`ValueError` for anything but versions 3 and 5.
    """
    if texts and set(map(len, texts)) == {_TEXT_5}:
        # one more sextet makes each a whole number of bytes, so that all can be decoded as one text
        raw = base64.urlsafe_b64decode("A".join(texts) + "A")
        rows = np.frombuffer(raw, np.uint8).reshape(len(texts), -1)
        if (rows[:, 0] == 5).all():
            times: list[int] = rows[:, _BODY.size : _BODY.size + _TAIL.size].copy().view(">i8").ravel().tolist()
            return times
    return [Position.decode(text).commit_millis for text in texts]
