"""Whole objects of one S3 location, synchronously, for worker processes: create-only puts, encryption, listing.

Server-side encryption is what the *answer* of a put says, never what was asked: some stores ignore the request in
silence (Amazon S3 API reference, PutObject: `x-amz-server-side-encryption` and `…-aws-kms-key-id` of the response).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable, PreconditionFailed
from neo4j_dr_operator.objectstore.lifecycle import endangering
from neo4j_dr_operator.objectstore.s3 import SILENCE, S3Address, checksum, connect, translated, unreachable
from neo4j_dr_operator.objectstore.traffic import Traffic

KMS, MANAGED = "aws:kms", "AES256"


@dataclass(frozen=True)
class Encryption:
    """What to ask of the store for every object: its own keys, or a key of the key management service."""

    key_id: str | None = None

    @property
    def algorithm(self) -> str:
        """As S3 writes it."""
        return KMS if self.key_id else MANAGED

    def denied_by(self, answer: Receipt) -> str | None:
        """What is wrong with the store's answer, None when the object is encrypted as was asked.

        A bare key id is asked for by some and answered with an ARN, and the other way round. Two whole ARNs have to be
        equal. An alias proves nothing, because the answer names the key behind it.
        """
        asked = self.algorithm + (f" with key {self.key_id}" if self.key_id else "")
        if answer.algorithm != self.algorithm:
            return f"asked for {asked}, the answer names {answer.algorithm or 'no encryption'}"
        if self.key_id and not _same_key(self.key_id, answer.key_id or ""):
            return f"asked for {asked}, the answer names {answer.key_id or 'no key'}"
        return None


def _same_key(asked: str, answered: str) -> bool:
    if asked == answered:
        return True
    whole = asked.startswith("arn:") and answered.startswith("arn:")
    if whole or "alias/" in asked or not answered:
        return False
    return re.split("[:/]", asked)[-1] == re.split("[:/]", answered)[-1]


@dataclass(frozen=True)
class Receipt:
    """What the store says about an object's encryption: algorithm and key, None where it says nothing."""

    algorithm: str | None
    key_id: str | None


@dataclass(frozen=True)
class Held:
    """An object as it was read back."""

    body: bytes
    receipt: Receipt


class Bucket:
    """A client of one location. Names are relative to its path. One attempt a call, bounded in time.

    Every method raises ObjectStoreUnreachable (after a put with an open outcome) or ObjectStoreError.
    """

    def __init__(self, address: S3Address, timeout: float, encryption: Encryption | None) -> None:
        """`timeout`: seconds to connect and seconds to wait for an answer. `encryption` is asked for in every put."""
        self.address, self._timeout = address, timeout
        self._client = connect(address, timeout)
        self.traffic = Traffic(self._client)
        self._encryption: dict[str, Any] = {}
        if encryption is not None:
            self._encryption["ServerSideEncryption"] = encryption.algorithm
            if encryption.key_id:
                self._encryption["SSEKMSKeyId"] = encryption.key_id

    def renew(self, address: S3Address) -> None:
        """Go on with the credentials of ``address``, which is the same place. Calls under way keep the old ones."""
        client = connect(address, self._timeout)
        self.traffic.of(client)
        self.address, self._client = address, client

    def get(self, name: str) -> Held | None:
        """The object, None when there is none of that name."""
        try:
            with self._translating():
                answer = self._client.get_object(Bucket=self.address.bucket, Key=self.address.key(name))
                return Held(answer["Body"].read(), _receipt(answer))
        except ObjectStoreError as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def receipt(self, name: str) -> Receipt | None:
        """What the store says of an object without sending it; None when there is none of that name."""
        try:
            with self._translating():
                return _receipt(self._client.head_object(Bucket=self.address.bucket, Key=self.address.key(name)))
        except ObjectStoreError as error:
            if error.code in ("404", "NoSuchKey", "NotFound"):
                return None
            raise

    def put(self, name: str, body: bytes, *, create: bool, sha256: bytes | None = None) -> Receipt:
        """Write the object. With `create` only if it is not there: PreconditionFailed.

        The store compares `sha256`, by default that of `body`.
        One request whatever the size, up to the 5 GiB that S3 takes in one: only then is the checksum that of the whole
        object, and `create` decided in one step. The SDK sends the body in pieces, and the timeout counts for each: a
        slow way is not a silent one.
        """
        options = dict(self._encryption)
        if create:
            options["IfNoneMatch"] = "*"
        options["ChecksumSHA256"] = checksum(sha256 or hashlib.sha256(body).digest())
        place: dict[str, Any] = {"Bucket": self.address.bucket, "Key": self.address.key(name)}
        try:
            with self._translating():
                return _receipt(self._client.put_object(**place, Body=body, **options))
        except PreconditionFailed as error:
            if create:
                raise
            raise ObjectStoreUnreachable("another put was under way", code=error.code) from error  # nothing was asked

    def list(self, prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        """Up to `limit` (at most 1000) names that begin with `prefix`, after `after`; whether there are more."""
        root = self.address.key("")
        with self._translating():
            answer = self._client.list_objects_v2(
                Bucket=self.address.bucket,
                Prefix=root + prefix,
                StartAfter=root + after,
                MaxKeys=limit,
            )
        names = [item["Key"].removeprefix(root) for item in answer.get("Contents", [])]
        return names, bool(answer.get("IsTruncated"))

    def folders(self, prefix: str) -> Sequence[str]:
        """What stands between `prefix` and the next slash in the names below it, each once."""
        root = self.address.key("") + prefix
        with self._translating():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.address.bucket, Prefix=root, Delimiter="/"
            )
            found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return [each.removeprefix(root).rstrip("/") for each in found]

    def delete(self, name: str) -> None:
        """Remove the object, if it is there."""
        with self._translating():
            self._client.delete_object(Bucket=self.address.bucket, Key=self.address.key(name))

    def endangering(self, prefix: str) -> dict[str, str] | None:
        """Rules of the bucket that delete objects whose names begin with `prefix`, or make them unreadable: what each
        does, by its name. None where the store cannot say, or does not tell us."""
        try:
            with self._translating():
                answer = self._client.get_bucket_lifecycle_configuration(Bucket=self.address.bucket)
        except ObjectStoreError as error:
            return {} if error.code == "NoSuchLifecycleConfiguration" else None
        return endangering(answer.get("Rules", []), self.address.key(prefix))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise translated(error, self.address, self._encryption.get("SSEKMSKeyId")) from error
        except SILENCE as error:
            raise unreachable(error, self.address.bucket) from error


def _receipt(answer: Any) -> Receipt:
    return Receipt(answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId"))
