"""Deleting what retention allows: manifests, then what no kept snapshot is made of, notes of the schema, segments.

Whatever is not finished is left over, needed by nothing, and deleted the next time. No other snapshot may be under way
in the same archive: what it found in the store might be deleted before its manifest needs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.retention import Copy, Kept, Piece, Retention, keepable
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.suspects import Note
from neo4j_dr_operator.backup.vault import Vault, unusable
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import PAGE, epochs

NOBODY = -1


def prune(
    bucket: Bucket, vault: Vault, archive: str, retention: Retention, status: BackupStatus, allowed: Callable[[], bool]
) -> None:
    """Do it, for as long as it is ``allowed``.

    A snapshot that cannot be read is none that is whole. While one stays, no contents go: they may be its own.
    Raises ObjectStoreError; in that case, when all the rest is done, what was wrong with it: ArchiveBroken, or the
    store's refusal of that one object.
    """
    held = _Held(vault, archive, suspects.read(bucket, archive))
    copies = [held.snapshot(index, name) for index, name in enumerate(vault.snapshots())]
    pieces = set(_pieces(bucket, archive))
    kept = keepable(copies, pieces, retention, round(time.time() * 1000))
    for needless in _needless(vault, archive, kept, copies, held, pieces):
        if not allowed():
            return
        bucket.delete(needless)
        status.pruned += 1
    unread = held.unread(len(copies) - len(kept.copies))
    if unread is not None:
        raise unread


def _needless(
    vault: Vault, archive: str, kept: Kept, copies: Sequence[Copy], held: _Held, pieces: Iterable[Piece]
) -> Iterator[str]:
    """Names of what nothing needs, in the order in which it is deleted."""
    gone = len(copies) - len(kept.copies)
    yield from (copy.name.key(archive) for copy in copies[:gone])
    if held.unread(gone) is None:
        yield from held.unneeded(gone)
    yield from (note.key(archive) for note in vault.schemas() if not kept.needs_schema(note))
    yield from (names.segment(archive, each.epoch, each.number) for each in sorted(set(pieces) - kept.pieces))


class _Held:
    """The chunks and amendments that are there, by the 32 bytes of their SHA-256, and who is the newest to need each.

    What is kept are the newest snapshots, so that is enough to know what may go, and no manifest stays in memory.
    """

    def __init__(self, vault: Vault, archive: str, note: Note) -> None:
        """List them."""
        self._vault, self._archive = vault, archive
        self._unread: dict[int, DrError] = {}
        self._amendments: set[bytes] = set()
        self._user: dict[bytes, int] = {}
        self._unusable = note.unusable
        for sha256, name in vault.each_content():
            digest = bytes.fromhex(sha256)
            self._user[digest] = NOBODY
            if name == snapshot_names.amendment(archive, sha256):
                self._amendments.add(digest)

    def snapshot(self, index: int, name: SnapshotName) -> Copy:
        """The snapshot as retention sees it, the oldest ones first. Raises ObjectStoreError."""
        try:
            return self._copy(index, self._vault.manifest(name))
        except DrError as error:
            if not unusable(error):
                raise
            self._unread[index] = error
            return Copy(name, name.created, whole=False)

    def unread(self, first: int) -> DrError | None:
        """What is wrong with a snapshot from that index on which cannot be read; None without one."""
        return next((error for index, error in self._unread.items() if index >= first), None)

    def _copy(self, index: int, manifest: Manifest) -> Copy:
        contents = manifest.contents()
        whole = self._unusable.isdisjoint(contents)
        for digest in map(bytes.fromhex, contents):
            if digest in self._user:
                self._user[digest] = index
            else:
                whole = False
        return Copy.of(manifest, whole=whole)

    def unneeded(self, first: int) -> Iterator[str]:
        """Names of what no snapshot from that index on needs."""
        for digest, user in self._user.items():
            if user < first:
                named = snapshot_names.amendment if digest in self._amendments else snapshot_names.chunk
                yield named(self._archive, digest.hex())


def _pieces(bucket: Bucket, archive: str) -> Iterator[Piece]:
    """Segments that are there."""
    for epoch in epochs(bucket, archive):
        after, more = names.folder(archive, epoch), True
        while more:
            found, more = bucket.list(names.folder(archive, epoch), after, PAGE)
            numbers = (names.number(name) for name in found)
            yield from (Piece(epoch, number) for number in numbers if number is not None)
            after = found[-1] if found else after
