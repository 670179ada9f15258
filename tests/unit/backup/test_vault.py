"""What the vault puts over an object that is there."""

from __future__ import annotations

import hashlib

import pytest

from neo4j_dr_operator.backup import names
from neo4j_dr_operator.backup.chunks import Chunk, encoded
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import ObjectStoreError, PreconditionFailed
from neo4j_dr_operator.objectstore.objects import Encryption, Receipt
from neo4j_dr_operator.objectstore.refusals import S3AccessDenied
from neo4j_dr_operator.shipping.chain import NotEncrypted
from tests.made_archive import ARCHIVE
from tests.memory_bucket import MemoryBucket

TEXT = encoded("nodes", [[1], [["A"]], [{}]])
CHUNK = Chunk("nodes", 1, 2, 1, TEXT, hashlib.sha256(TEXT).hexdigest())
CLEAR = Receipt(None, None)
NAME = names.chunk(ARCHIVE, CHUNK.sha256)


class Strict(MemoryBucket):
    """Keeps what is created only, and answers puts over an object with ``refusal``, if it has one."""

    def __init__(self, refusal: ObjectStoreError | None = None, receipt: Receipt = CLEAR) -> None:
        super().__init__({NAME: b"damaged"})
        self.refusal, self._receipt = refusal, receipt

    def put(self, name: str, body: bytes, *, create: bool, sha256: bytes | None = None) -> Receipt:
        """See :class:`Bucket`."""
        if create and name in self.objects:
            raise PreconditionFailed("it is there")
        if not create and self.refusal is not None:
            raise self.refusal
        super().put(name, body, create=create)
        return self._receipt

    def receipt(self, name: str) -> Receipt:
        """See :class:`Bucket`."""
        return CLEAR


def raised(error: ObjectStoreError) -> None:
    """Nobody waits."""
    raise error


@pytest.mark.parametrize("why", ["replace", "unproven"])
def test_a_chunk_is_put_over_the_one_that_is_there_and_never_missing(why: str) -> None:
    """A restore that reads it meanwhile would end for good."""
    store = Strict(receipt=Receipt("AES256", None))
    assert Vault(store.bucket, ARCHIVE, Encryption(), raised).put_chunk(CHUNK, **{why: True}) > 0
    assert store.objects == {NAME: CHUNK.packed()}
    assert store.requests["delete"] == 0


def test_where_a_policy_lets_nobody_overwrite_it_is_deleted_first() -> None:
    store = Strict(S3AccessDenied("create only", code="AccessDenied"))
    assert Vault(store.bucket, ARCHIVE, None, raised).put_chunk(CHUNK, replace=True) > 0
    assert store.objects == {NAME: CHUNK.packed()}
    assert store.requests["delete"] == 1


def test_another_refusal_deletes_nothing() -> None:
    store = Strict(ObjectStoreError("the key is disabled", code="KMS.DisabledException"))
    with pytest.raises(ObjectStoreError, match="disabled"):
        Vault(store.bucket, ARCHIVE, None, raised).put_chunk(CHUNK, replace=True)
    assert store.objects == {NAME: b"damaged"}


def test_what_is_put_over_another_one_has_to_be_encrypted_as_well() -> None:
    with pytest.raises(NotEncrypted):
        Vault(Strict().bucket, ARCHIVE, Encryption(), raised).put_chunk(CHUNK, replace=True)
