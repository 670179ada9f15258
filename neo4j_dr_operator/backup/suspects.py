"""What an auditor has found damaged among chunks and amendments: a note in the archive, for backups and restores.

A backup does not count on such a chunk, and puts it again; a restore reads it before it begins with a snapshot that
needs it. Nothing is decided by the note alone, so it may be old or lost. See docs/archive-format.md.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson

from neo4j_dr_operator.objectstore.objects import Bucket

FORMAT, VERSION = "neo4j-dr-damage", 1


def name(archive: str) -> str:
    """The note's name below the location's path; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/damage.json"


def encode(contents: Collection[str]) -> bytes:
    """The note's bytes; ``contents``: SHA-256 in hex, as in the objects' names."""
    return orjson.dumps({"format": FORMAT, "version": VERSION, "contents": sorted(contents)}) + b"\n"


def decode(data: bytes) -> frozenset[str]:
    """What a note names; nothing where it cannot be read."""
    try:
        note = orjson.loads(data)
        known = (note["format"], note["version"]) == (FORMAT, VERSION)
        return frozenset(str(each) for each in note["contents"]) if known else frozenset()
    except (ValueError, TypeError, KeyError):
        return frozenset()


def read(bucket: Bucket, archive: str) -> frozenset[str]:
    """What the archive's note names, nothing where there is none. Raises ObjectStoreError."""
    held = bucket.get(name(archive))
    return decode(held.body) if held is not None else frozenset()
