"""What a snapshot writes to S3 and reads back: every put proven to be encrypted, every read proven to be unchanged.

A call whose answer does not come is made again, for as long as :attr:`Vault.trouble` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from neo4j_dr_operator import errors
from neo4j_dr_operator.backup import chunks, names
from neo4j_dr_operator.backup.chunks import Chunk
from neo4j_dr_operator.backup.manifest import AmendmentRef, ChunkRef, EncryptionRef, Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.objectstore.objects import Bucket, Encryption, Held, Receipt
from neo4j_dr_operator.objectstore.refusals import S3AccessDenied, of_object
from neo4j_dr_operator.shipping.chain import PAGE, NotEncrypted
from neo4j_dr_operator.shipping.reading import ArchiveBroken
from neo4j_dr_operator.shipping.schema import SchemaName, SchemaNote
from neo4j_dr_operator.shipping.schema import folder as schema_folder
from neo4j_dr_operator.shipping.segment import Segment

RECENT = 8
"""Manifests that are read at most, the newest first, to know how chunks are encrypted."""
Trouble = Callable[[errors.ObjectStoreError], None]
"""Is told of a call that failed, waits, and raises the error where another try makes no sense."""


class ObjectMissing(ArchiveBroken):
    """An object that the archive says it holds is not there."""

    reason = "ArchiveObjectMissing"


class ObjectAltered(ArchiveBroken):
    """An object of the archive is not what was put there: its checksum does not fit."""

    reason = "ArchiveObjectAltered"


def unusable(error: errors.DrError) -> bool:
    """Whether it speaks of one object: that is damaged, or not there, or the store does not give it to us."""
    return isinstance(error, ArchiveBroken) or (isinstance(error, errors.ObjectStoreError) and of_object(error))


class Vault:
    """Snapshots of one archive. Every method raises ObjectStoreError, unless ``trouble`` waited for the store."""

    def __init__(self, bucket: Bucket, archive: str, encryption: Encryption | None, trouble: Trouble) -> None:
        """``encryption``: what every put has to be answered with."""
        self._bucket, self._archive, self._encryption, self._trouble = bucket, archive, encryption, trouble

    # -- writing ---------------------------------------------------------------------------------------------------

    def put_chunk(self, chunk: Chunk, *, replace: bool = False, unproven: bool = False) -> int:
        """Add a chunk that was not there; bytes that it takes, also when it is there by now.

        ``replace``: what is there is damaged. The name says what it has to hold, so nothing else can be lost by it.
        ``unproven``: nobody knows how the one that is
        there is encrypted: the store is asked, and what is not as was asked for is replaced. 0 where it is.
        """
        name = names.chunk(self._archive, chunk.sha256)
        if unproven and not replace:
            if self._as_asked(name):
                return 0
            replace = True
        data = chunk.packed()
        if not replace or not self._over(name, data):
            self._put(name, data)
        return len(data)

    def proven(self, present: AbstractSet[str]) -> set[str]:
        """Which of the chunks that are there are known to be encrypted as is asked for: those that the newest snapshot
        with that wish is made of. All without a wish."""
        if self._encryption is None:
            return set(present)
        wished = EncryptionRef(self._encryption.algorithm, self._encryption.key_id)
        for name in self.snapshots()[-RECENT:][::-1]:
            try:
                manifest = self.manifest(name)
            except ArchiveBroken:
                continue
            if manifest.encryption == wished:
                return set(present & manifest.contents())
        return set()

    def _as_asked(self, name: str) -> bool:
        """Whether an object is there, and encrypted as is asked for."""
        while True:
            try:
                receipt = self._bucket.receipt(name)
                wrong = self._encryption.denied_by(receipt) if self._encryption and receipt else None
                return receipt is not None and wrong is None
            except errors.ObjectStoreError as error:
                self._trouble(error)

    def put_amendment(self, segment: Segment) -> int:
        """Add an amendment; bytes that it takes."""
        self._put(names.amendment(self._archive, segment.sha256), segment.data)
        return len(segment.data)

    def put_manifest(self, manifest: Manifest) -> int:
        """Make the snapshot one; bytes that it takes. Raises PreconditionFailed when another one has its name."""
        name, data = manifest.name.key(self._archive), manifest.encode()
        if not self._put(name, data):
            held = self._get(name)
            if held is None or held != data:
                raise errors.PreconditionFailed(f"there is another snapshot of the name {name}")
        return len(data)

    def _put(self, name: str, data: bytes) -> bool:
        """Put an object create only; False when it is there."""
        while True:
            try:
                digest = hashlib.sha256(data).digest()
                self._encrypted(name, self._bucket.put(name, data, create=True, sha256=digest))
                return True
            except errors.PreconditionFailed as error:
                if (held := self._look(name)) is not None:
                    self._encrypted(name, held.receipt)
                    return False
                self._trouble(errors.ObjectStoreUnreachable(error.message, code=error.code))  # refused, yet not there
            except NotEncrypted:
                raise
            except errors.ObjectStoreError as error:
                self._trouble(error)

    def _over(self, name: str, data: bytes) -> bool:
        """Put an object over the one that is there, in one step: a restore that runs finds one of both.

        False where a policy of the bucket allows no such put, but those create only: the old one is deleted then.
        """
        while True:
            try:
                digest = hashlib.sha256(data).digest()
                self._encrypted(name, self._bucket.put(name, data, create=False, sha256=digest))
                return True
            except S3AccessDenied:
                self._delete(name)
                return False
            except NotEncrypted:
                raise
            except errors.ObjectStoreError as error:
                self._trouble(error)

    def _delete(self, name: str) -> None:
        while True:
            try:
                self._bucket.delete(name)
                return
            except errors.ObjectStoreError as error:
                self._trouble(error)

    def _encrypted(self, name: str, receipt: Receipt) -> None:
        wrong = self._encryption.denied_by(receipt) if self._encryption else None
        if wrong is not None:
            raise NotEncrypted(f"the store does not encrypt, {name} lies there in clear: {wrong}")

    # -- reading ---------------------------------------------------------------------------------------------------

    def manifest(self, name: SnapshotName) -> Manifest:
        """A snapshot's manifest. Raises :class:`ArchiveBroken`, which names the object."""
        key = name.key(self._archive)
        data = self._held(key)
        try:
            manifest = Manifest.decode(data)
        except ArchiveBroken as error:
            raise ObjectAltered(f"{key}: {error.message}") from error
        if manifest.name != name or manifest.archive != self._archive:
            raise ObjectAltered(f"{key} is the manifest of another snapshot")
        return manifest

    def chunk(self, ref: ChunkRef) -> bytes:
        """A chunk's canonical bytes. Raises :class:`ArchiveBroken`, which names the object."""
        key = names.chunk(self._archive, ref.sha256)
        data = self._held(key)
        try:
            text = chunks.unpacked(data, ref.size)
        except ArchiveBroken as error:
            raise ObjectAltered(f"{key}: {error.message}") from error
        if hashlib.sha256(text).hexdigest() != ref.sha256:
            raise ObjectAltered(f"{key}: its checksum does not fit")
        return text

    def amendment(self, ref: AmendmentRef) -> bytes:
        """An amendment's bytes. Raises :class:`ArchiveBroken`, which names the object."""
        key = names.amendment(self._archive, ref.sha256)
        data = self._held(key)
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise ObjectAltered(f"{key}: its checksum does not fit")
        return data

    def missing(self, ref: ChunkRef | AmendmentRef) -> ObjectMissing:
        """What to say of an object that is not there."""
        named = names.chunk if isinstance(ref, ChunkRef) else names.amendment
        return ObjectMissing(f"{named(self._archive, ref.sha256)} is not there")

    def names(self) -> list[SnapshotName]:
        """Snapshots that are there, by name."""
        found = (SnapshotName.of(name) for name in self._listed(names.snapshots(self._archive)))
        return sorted(name for name in found if name is not None)

    def snapshots(self) -> list[SnapshotName]:
        """The same in their order (:func:`names.in_order`), for which manifests are read where names do not tell."""
        return names.in_order(self.names(), self._database)

    def _database(self, name: SnapshotName) -> str | None:
        try:
            return self.manifest(name).database
        except errors.DrError as error:
            if not unusable(error):
                raise
            return None

    def schemas(self, epoch: int | None = None) -> list[SchemaName]:
        """The notes of an epoch's schema in their order; of all epochs without one."""
        prefix = f"{self._archive}/schema/" if epoch is None else schema_folder(self._archive, epoch)
        found = (SchemaName.of(name) for name in self._listed(prefix))
        return sorted(name for name in found if name is not None)

    def schema(self, name: SchemaName) -> SchemaNote:
        """A note of the schema. Raises :class:`ArchiveBroken`, which names the object."""
        key = name.key(self._archive)
        data = self._held(key)
        try:
            return SchemaNote.decode(data, name, self._archive)
        except ArchiveBroken as error:
            raise ObjectAltered(f"{key}: {error.message}") from error

    def contents(self) -> dict[str, str]:
        """Names of the chunks and amendments that are there, by SHA-256, whatever they belong to."""
        return dict(self.each_content())

    def each_content(self) -> Iterator[tuple[str, str]]:
        """The same, one after the other."""
        for prefix in (names.chunks(self._archive), names.amendments(self._archive)):
            for name in self._listed(prefix):
                if (sha256 := names.content(name)) is not None:
                    yield sha256, name

    def _listed(self, prefix: str) -> Iterator[str]:
        after, more = prefix, True
        while more:
            try:
                found, more = self._bucket.list(prefix, after, PAGE)
            except errors.ObjectStoreError as error:
                self._trouble(error)
                continue
            yield from found
            after = found[-1] if found else after

    def _held(self, name: str) -> bytes:
        data = self._get(name)
        if data is None:
            raise ObjectMissing(f"{name} is not there")
        return data

    def _get(self, name: str) -> bytes | None:
        held = self._look(name)
        return None if held is None else held.body

    def _look(self, name: str) -> Held | None:
        while True:
            try:
                return self._bucket.get(name)
            except errors.ObjectStoreError as error:
                self._trouble(error)
