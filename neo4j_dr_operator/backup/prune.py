"""Deleting what retention allows: manifests first, then what no kept snapshot is made of, then segments.

Whatever is not finished is left over, needed by nothing, and deleted the next time. No other snapshot may be under way
in the same archive: what it found in the store might be deleted before its manifest needs it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.retention import Copy, Piece, keepable
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import PAGE


def prune(bucket: Bucket, vault: Vault, config: BackupConfig, status: BackupStatus) -> None:
    """Do it. Raises ObjectStoreError; ArchiveBroken, nothing deleted, for a manifest that cannot be read."""
    if config.retention is None:
        return
    copies = []
    for name in vault.snapshots():
        manifest = vault.manifest(name)
        copies.append(Copy(name, manifest.latest, manifest.contents()))
    pieces = set(_pieces(bucket, config.archive))
    kept = keepable(copies, pieces, config.retention, round(time.time() * 1000))
    stay = {copy.name for copy in kept.copies}
    for copy in copies:
        if copy.name not in stay:
            _delete(bucket, copy.name.key(config.archive), status)
    for sha256, name_ in vault.contents().items():
        if not kept.needs(sha256):
            _delete(bucket, name_, status)
    for piece in sorted(pieces - kept.pieces):
        _delete(bucket, names.segment(config.archive, piece.epoch, piece.number), status)


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


def _delete(bucket: Bucket, name: str, status: BackupStatus) -> None:
    bucket.delete(name)
    status.pruned += 1
