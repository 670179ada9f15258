"""Names of an archive's objects, relative to the path of its S3 location (pure). Names sort as segments follow."""

from __future__ import annotations

import re

_SEGMENT = re.compile(r"(?:.*/)?(\d{10})/(\d{12})\.seg")


def marker(archive: str) -> str:
    """The object that says which version of the format an archive has; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/archive.json"


def owner(archive: str) -> str:
    """The object that says whose the archive is."""
    return f"{archive}/owner.json"


def probe(archive: str) -> str:
    """The object that is put to see whether the store encrypts what it is asked to encrypt."""
    return f"{archive}/encryption-probe"


def folder(archive: str, epoch: int) -> str:
    """What the names of an epoch's objects begin with."""
    return f"{archive}/{epoch:010d}/"


def segment(archive: str, epoch: int, number: int) -> str:
    """The segment of that number; numbers begin at 1 in every epoch."""
    return f"{folder(archive, epoch)}{number:012d}.seg"


def watermark(archive: str, epoch: int) -> str:
    """The object that says how far an epoch is known to hold everything, beyond its last segment."""
    return f"{folder(archive, epoch)}watermark.json"


def number(name: str) -> int | None:
    """The number of a segment, from its name or whole key; None when it is another object."""
    found = _SEGMENT.fullmatch(name)
    return int(found[2]) if found else None
