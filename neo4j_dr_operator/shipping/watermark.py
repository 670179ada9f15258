"""The object that says how far an epoch's archive holds everything though nothing was shipped (pure).

docs/archive-format.md, "Quiet times". It widens what may be promised, so a changed one has to be known as such.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import orjson

from neo4j_dr_operator.graph.position import Position

FORMAT, VERSION = "neo4j-dr-watermark", 1


@dataclass(frozen=True)
class Watermark:
    """It counts only while segment ``number`` has the SHA-256 ``sha256``.

    Up to ``position`` there is nothing to ship beyond that segment; ``covered``: ms since 1970 on the source's clock,
    as in a trailer.
    """

    number: int
    sha256: str
    position: Position
    covered: int

    def encode(self) -> bytes:
        """Its bytes: one line of JSON, the last key of which is the CRC-32 of what stands before it."""
        values = {
            "format": FORMAT,
            "version": VERSION,
            "number": self.number,
            "sha256": self.sha256,
            "position": self.position.text,
            "covered": self.covered,
        }
        text = orjson.dumps(values)[:-1]
        return text + _checksum(text)

    @classmethod
    def decode(cls, data: bytes) -> Watermark:
        """Raises ValueError for anything else than what :meth:`encode` gives."""
        text, _, _ = data.rpartition(b',"crc32":')
        if not text or data != text + _checksum(text):
            raise ValueError("its checksum does not fit")
        values = orjson.loads(data)
        try:
            if (values["format"], values["version"]) != (FORMAT, VERSION):
                raise ValueError("it is no watermark of this format")
            position = Position.decode(values["position"])
            return cls(int(values["number"]), str(values["sha256"]), position, int(values["covered"]))
        except (KeyError, TypeError) as error:
            raise ValueError("it is no watermark") from error


def _checksum(text: bytes) -> bytes:
    return f',"crc32":"{zlib.crc32(text):08x}"}}\n'.encode()
