"""Names of a snapshot's objects, relative to the path of the S3 location (pure). See docs/archive-format.md."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MANIFEST = re.compile(r"(?:.*/)?snapshots/(\d{10})/(\d{12})-(\d{20})-(\d{15})\.json")
_CHUNK = re.compile(r"(?:.*/)?chunks/[0-9a-f]{2}/([0-9a-f]{64})\.gz")
_AMENDMENT = re.compile(r"(?:.*/)?amendments/([0-9a-f]{64})\.seg")


def snapshots(archive: str) -> str:
    """What the names of all manifests begin with; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/snapshots/"


def chunks(archive: str) -> str:
    """What the names of all chunks begin with."""
    return f"{archive}/chunks/"


def amendments(archive: str) -> str:
    """What the names of all amendments begin with."""
    return f"{archive}/amendments/"


def chunk(archive: str, sha256: str) -> str:
    """The chunk whose canonical bytes have this SHA-256 (hex)."""
    return f"{chunks(archive)}{sha256[:2]}/{sha256}.gz"


def amendment(archive: str, sha256: str) -> str:
    """The amendment whose bytes, as they lie there, have this SHA-256 (hex)."""
    return f"{amendments(archive)}{sha256}.seg"


def content(name: str) -> str | None:
    """The SHA-256 in the name of a chunk or an amendment; None when it is another object."""
    found = _CHUNK.fullmatch(name) or _AMENDMENT.fullmatch(name)
    return found[1] if found else None


@dataclass(frozen=True, order=True)
class SnapshotName:
    """What a manifest's name says. They order as epochs do, then as the segments in them, then as positions.

    ``segment``: number of a segment of the epoch up to whose end the snapshot holds everything, 0 for none. ``tx``: the
    last transaction in the snapshot; ``created``: ms since 1970 on the clock of who wrote it.
    """

    epoch: int
    segment: int
    tx: int
    created: int

    def key(self, archive: str) -> str:
        """The object's name."""
        return f"{snapshots(archive)}{self.epoch:010d}/{self.segment:012d}-{self.tx:020d}-{self.created:015d}.json"

    @classmethod
    def of(cls, name: str) -> SnapshotName | None:
        """From an object's name or whole key; None when it is another object."""
        found = _MANIFEST.fullmatch(name)
        return cls(*map(int, found.groups())) if found else None
