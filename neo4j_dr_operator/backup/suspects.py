"""Which chunks and amendments an auditor could not use: a note in the archive, for backups and restores.

A backup does not count on a damaged chunk, and puts it again; one that is only locked is left alone, it may be good. A
restore reads both before it begins with a snapshot that needs them, and retention counts no such snapshot as whole. The
note may be old or lost: nothing is deleted for it but what is put anew at once. See docs/archive-format.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from neo4j_dr_operator.objectstore.objects import Bucket

FORMAT, VERSION = "neo4j-dr-damage", 1


def name(archive: str) -> str:
    """The note's name below the location's path; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/damage.json"


@dataclass(frozen=True)
class Note:
    """SHA-256 in hex, as in the objects' names. ``damaged``: what is there is not what was put, or is gone. ``locked``:
    the store does not give it to us, and may tomorrow."""

    damaged: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()

    @property
    def unusable(self) -> frozenset[str]:
        """What no restore can read now."""
        return self.damaged | self.locked

    def encode(self) -> bytes:
        """The object's bytes."""
        lists = {"contents": sorted(self.damaged), "unreadable": sorted(self.locked)}
        return orjson.dumps({"format": FORMAT, "version": VERSION, **lists}) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Note:
        """From an object's bytes; empty where they cannot be read. An older one has nothing of what is locked."""
        try:
            note = orjson.loads(data)
            if (note["format"], note["version"]) != (FORMAT, VERSION):
                return cls()
            lists = (note["contents"], note.get("unreadable", []))
            return cls(*(frozenset(str(each) for each in listed) for listed in lists))
        except (ValueError, TypeError, KeyError):
            return cls()


def read(bucket: Bucket, archive: str) -> Note:
    """The archive's note, an empty one where there is none. Raises ObjectStoreError."""
    held = bucket.get(name(archive))
    return Note.decode(held.body) if held is not None else Note()
