"""Whose an archive is: one resource's, and that of the databases it had (pure). docs/archive-format.md, "Whose it is".

A resource that was deleted and made again has another UID and the same databases; after a failover, or with a database
that was made anew, it is the other way round. Who has neither the one nor the other is somebody else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from neo4j_dr_operator import errors
from neo4j_dr_operator.shipping.reading import ArchiveBroken

FORMAT, VERSION = "neo4j-dr-owner", 1
REMEMBERED = 100
"""UIDs and databases that are kept of each, the newest."""


class ArchiveForeign(errors.ObjectStoreError):
    """The archive is another resource's: nothing is written to it, nor deleted."""

    reason = "ArchiveForeign"


@dataclass(frozen=True)
class Owner:
    """``resources``: UIDs under which it was written; ``databases``: UUIDs of the databases that were its sources."""

    resources: tuple[str, ...]
    databases: tuple[str, ...]

    def admits(self, resource: str, database: str) -> bool:
        """Whether one of both is known."""
        return resource in self.resources or database in self.databases

    def knows(self, resource: str, database: str | None) -> bool:
        """Whether both are."""
        return resource in self.resources and database in self.databases

    def joined(self, resource: str, database: str) -> Owner:
        """With both, as the newest."""
        return Owner(_added(self.resources, resource), _added(self.databases, database))

    def encode(self) -> bytes:
        """Its bytes: one line of JSON."""
        return orjson.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Owner:
        """Raises :class:`ArchiveBroken` for anything else than what :meth:`encode` gives."""
        try:
            raw = orjson.loads(data)
            if (raw["format"], raw["version"]) == (FORMAT, VERSION):
                return cls(tuple(map(str, raw["resources"])), tuple(map(str, raw["databases"])))
        except (ValueError, TypeError, KeyError):
            pass
        raise ArchiveBroken("the object that says whose the archive is cannot be read")


def _added(held: tuple[str, ...], one: str) -> tuple[str, ...]:
    return (*(each for each in held if each != one), one)[-REMEMBERED:]


def foreign(archive: str, name: str, owner: Owner, resource: str, database: str) -> ArchiveForeign:
    """What to say of it. ``name``: the object that says so."""
    theirs = f"UID {owner.resources[-1]}, database {owner.databases[-1]}"
    return ArchiveForeign(
        f"archive {archive} belongs to another resource ({theirs}) than "
        f"this one (UID {resource}, database {database}): name another path in its destination; only if the other "
        f"one is gone for good, and this one is to go on in its place, delete the object {name}"
    )
