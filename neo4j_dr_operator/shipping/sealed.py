"""Objects that are lines of JSON, the last of which is the SHA-256 of all before it (pure). docs/archive-format.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from neo4j_dr_operator.shipping.reading import ArchiveBroken, VersionUnknown

Line = dict[str, Any]


def seal(lines: Iterable[Line]) -> bytes:
    """The object's bytes; the first line is its header."""
    made = [orjson.dumps(line) + b"\n" for line in lines]
    text = b"".join(made)
    end = {"end": len(made), "sha256": hashlib.sha256(text).hexdigest()}
    return text + orjson.dumps(end) + b"\n"


def unseal(data: bytes, form: str, version: int, what: str) -> tuple[Line, list[Line]]:
    """The header without format and version, and the lines between it and the end; ``what``: as people call it.

    Raises :class:`ArchiveBroken`, :class:`VersionUnknown`; ValueError, TypeError, KeyError, AttributeError for what was
    never such an object.
    """
    body, _, last = data.removesuffix(b"\n").rpartition(b"\n")
    text, end = body + b"\n", orjson.loads(last)
    head, *lines = map(orjson.loads, text.splitlines())
    if head.pop("format") != form:
        raise ArchiveBroken(f"not a {what} of this format")
    if (found := head.pop("version")) != version:
        raise VersionUnknown(f"a {what} of version {found}; this program reads version {version}")
    if not data.endswith(b"\n") or end != {"end": len(lines) + 1, "sha256": hashlib.sha256(text).hexdigest()}:
        raise ArchiveBroken(f"the checksum of a {what} does not fit")
    return head, lines
