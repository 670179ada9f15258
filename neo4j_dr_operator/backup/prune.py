"""Deleting what retention allows: manifests, then what no kept snapshot is made of, notes of the schema, segments.

Whatever is not finished is left over, needed by nothing, and deleted the next time. No other snapshot may be under way
in the same archive: what it found in the store might be deleted before its manifest needs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from neo4j_dr_operator.backup.retention import Copy, Kept, Piece, Retention, keepable
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import PAGE


def prune(
    bucket: Bucket, vault: Vault, archive: str, retention: Retention, status: BackupStatus, allowed: Callable[[], bool]
) -> None:
    """Do it, for as long as it is ``allowed``. Raises ObjectStoreError; ArchiveBroken, nothing deleted, for a manifest
    that cannot be read."""
    copies = []
    for name in vault.snapshots():
        manifest = vault.manifest(name)
        copies.append(Copy(name, manifest.latest, manifest.contents()))
    pieces = set(_pieces(bucket, archive))
    kept = keepable(copies, pieces, retention, round(time.time() * 1000))
    for needless in _needless(vault, archive, kept, copies, pieces):
        if not allowed():
            return
        bucket.delete(needless)
        status.pruned += 1


def _needless(vault: Vault, archive: str, kept: Kept, copies: Iterable[Copy], pieces: Iterable[Piece]) -> Iterator[str]:
    """Names of what nothing needs, in the order in which it is deleted."""
    stay = {copy.name for copy in kept.copies}
    yield from (copy.name.key(archive) for copy in copies if copy.name not in stay)
    yield from (name for sha256, name in vault.contents().items() if not kept.needs(sha256))
    yield from (note.key(archive) for note in vault.schemas() if not kept.needs_schema(note))
    yield from (names.segment(archive, each.epoch, each.number) for each in sorted(set(pieces) - kept.pieces))


def _pieces(bucket: Bucket, archive: str) -> Iterator[Piece]:
    """Segments that are there."""
    for folder in bucket.folders(f"{archive}/"):
        if not folder.isdigit():
            continue
        epoch = int(folder)
        after, more = names.folder(archive, epoch), True
        while more:
            found, more = bucket.list(names.folder(archive, epoch), after, PAGE)
            numbers = (names.number(name) for name in found)
            yield from (Piece(epoch, number) for number in numbers if number is not None)
            after = found[-1] if found else after
