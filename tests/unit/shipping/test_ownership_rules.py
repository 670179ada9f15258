"""Whose an archive is, and which chunks count as stored, against a store in memory."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from neo4j_dr_operator.backup import names as backup_names
from neo4j_dr_operator.backup.chunks import Chunk
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import ObjectStoreError, PreconditionFailed
from neo4j_dr_operator.objectstore.objects import Encryption, Held, Receipt
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Chain
from neo4j_dr_operator.shipping.ownership import ArchiveForeign, Owner
from neo4j_dr_operator.shipping.reading import ArchiveBroken

OWNER = names.owner("ns/dr")
PLAIN = b'{"nodes":[0]}\n'
CLEAR, KEYED = Receipt(None, None), Receipt("aws:kms", "arn:aws:kms:k")


class Memory:
    """A store that encrypts every put as it is told to."""

    def __init__(self, receipt: Receipt = CLEAR) -> None:
        self.address = S3Address("bucket", "path", "us-east-1", None)
        self.objects: dict[str, Held] = {}
        self.written: list[str] = []
        self.heads = 0
        self._receipt = receipt

    def get(self, name: str) -> Held | None:
        return self.objects.get(name)

    def receipt(self, name: str) -> Receipt | None:
        self.heads += 1
        held = self.objects.get(name)
        return held and held.receipt

    def put(self, name: str, body: bytes, *, create: bool, sha256: bytes | None = None) -> Receipt:
        if create and name in self.objects:
            raise PreconditionFailed("it is there")
        self.written.append(name)
        self.objects[name] = Held(body, self._receipt)
        return self._receipt

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


def chain(store: Any) -> Chain:
    return Chain(store, "ns/dr", 1, None)


def test_who_has_the_resource_or_the_database_is_the_owner_and_nobody_else() -> None:
    store = Memory()
    chain(store).claim("uid-1", "db-1")
    for resource, database in (("uid-1", "db-1"), ("uid-2", "db-1"), ("uid-1", "db-2"), ("uid-2", "db-2")):
        chain(store).claim(resource, database)
    assert Owner.decode(store.objects[OWNER].body) == Owner(("uid-2", "uid-1"), ("db-1", "db-2")), "the newest last"
    assert len(store.written) == 3, "what is known is not written again"
    before = dict(store.objects)
    with pytest.raises(ArchiveForeign, match=r"path/ns/dr/owner\.json") as error:
        chain(store).claim("uid-3", "db-3")
    assert isinstance(error.value, ObjectStoreError), "a shipper waits until it is mended"
    assert store.objects == before
    store.delete(OWNER)
    chain(store).claim("uid-3", "db-3")
    with pytest.raises(ArchiveForeign):
        chain(store).claim("uid-1", "db-1")


def test_of_two_that_come_first_one_is_told() -> None:
    class Late(Memory):
        def get(self, name: str) -> Held | None:
            found = super().get(name)
            if found is None:
                super().put(name, Owner(("other",), ("other",)).encode(), create=True)
            return found

    with pytest.raises(ArchiveForeign):
        chain(Late()).claim("uid-1", "db-1")


def test_an_owner_that_cannot_be_read_is_not_overwritten() -> None:
    store = Memory()
    for data in (b"", b"{}", Owner((), ()).encode().replace(b'"version":1', b'"version":2')):
        store.objects[OWNER] = Held(data, CLEAR)
        with pytest.raises(ArchiveBroken):
            chain(store).claim("uid-1", "db-1")
    assert store.written == []


def test_a_chunk_in_clear_or_under_another_key_is_replaced_and_another_left() -> None:
    def raised(error: ObjectStoreError) -> None:
        raise error

    chunk = Chunk("nodes", 0, 1, 1, PLAIN, hashlib.sha256(PLAIN).hexdigest())
    name = backup_names.chunk("ns/dr", chunk.sha256)
    for lies, put in (
        (CLEAR, True),
        (Receipt("AES256", None), True),
        (Receipt("aws:kms", "other"), True),
        (KEYED, False),
    ):
        store: Any = Memory(KEYED)
        store.objects[name] = Held(chunk.packed(), lies)
        vault = Vault(store, "ns/dr", Encryption("k"), raised)
        assert (vault.put_chunk(chunk, unproven=True) > 0) == put
        assert (store.objects[name].receipt, store.written) == (KEYED, [name] if put else [])
        assert store.heads == 1
