"""One S3 location, asked from asyncio: small objects, conditional puts, every answer bounded in time.

`If-None-Match: *` creates only, `If-Match: <etag>` compares and sets; the store answers 412 when the condition does not
hold, 404 for a compare on a missing key, 409 when two conditional puts race (Amazon S3 User Guide, "Conditional
writes"). A lost answer leaves a put undecided: the caller looks before it tries again.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable
from neo4j_dr_operator.objectstore import refusals
from neo4j_dr_operator.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

P = ParamSpec("P")
R = TypeVar("R")

CALLS = 4
"""Most calls at a time of one client; more wait for their turn."""
SILENCE = (BotoCoreError, ResponseParserError, HTTPError)
"""What the SDK raises for no answer, for one that ends too early, and for one that is none of S3.

Within a body it lets some of its HTTP client's errors through as they are, those of TLS for one.
"""


@dataclass(frozen=True)
class S3Address:
    """A bucket and a key prefix. Without keys or region the SDK's own chain counts; without endpoint, AWS."""

    bucket: str
    path: str = ""
    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)

    def key(self, name: str) -> str:
        """The key of an object below the path."""
        return f"{self.path.strip('/')}/{name}".lstrip("/")

    def wire(self) -> dict[str, str | None]:
        """As a worker's configuration line holds it. With keys in it: for a pipe, never for a log."""
        return {
            "bucket": self.bucket,
            "path": self.path,
            "region": self.region,
            "endpoint": self.endpoint,
            "accessKey": self.access_key,
            "secretKey": self.secret_key,
            "sessionToken": self.session_token,
        }


@dataclass(frozen=True)
class Stored:
    """An object's bytes and the etag to compare with."""

    body: bytes
    etag: str


class StoreThreads(Threads):
    """Threads for calls to one bucket. No thread to be had is no answer."""

    def __init__(self, bucket: str, most: int) -> None:
        """At most `most` calls at a time; more wait for their turn."""
        super().__init__(f"s3-{bucket}", most)
        self._bucket = bucket

    async def run(self, call: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        """What `call` returns or raises; ObjectStoreUnreachable without a thread."""
        try:
            return await super().run(call, *args, **options)
        except OSError as error:
            raise unreachable(error, self._bucket) from error


class S3:
    """A client for one address. Calls run in threads of its own, one attempt each: the rest is the caller's."""

    def __init__(self, address: S3Address, timeout: float) -> None:
        """`timeout`: seconds to connect and seconds to wait for an answer. Nothing is sent yet."""
        self.address = address
        self._client = connect(address, timeout)
        self._threads = StoreThreads(address.bucket, CALLS)

    async def get(self, name: str) -> Stored | None:
        """The object, or None when there is none. Raises ObjectStoreUnreachable, ObjectStoreError."""
        return await self._threads.run(self._get, self.address.key(name))

    async def put(self, name: str, body: bytes, etag: str | None) -> str:
        """Create the object (`etag` None) or replace the version that has `etag`; returns the new etag.

        Raises PreconditionFailed when another writer was first, ObjectStoreUnreachable with an open outcome.
        """
        return await self._threads.run(self._put, self.address.key(name), body, etag)

    def close(self) -> None:
        """Give connections and threads back."""
        self._threads.close()
        self._client.close()

    def _get(self, key: str) -> Stored | None:
        try:
            answer = self._client.get_object(Bucket=self.address.bucket, Key=key)
            return Stored(answer["Body"].read(), answer["ETag"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise translated(error, self.address) from error
        except SILENCE as error:
            raise unreachable(error, self.address.bucket) from error

    def _put(self, key: str, body: bytes, etag: str | None) -> str:
        options: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        options["ChecksumSHA256"] = checksum(hashlib.sha256(body).digest())
        try:
            answer = self._client.put_object(Bucket=self.address.bucket, Key=key, Body=body, **options)
            return str(answer["ETag"])
        except ClientError as error:
            raise translated(error, self.address) from error
        except SILENCE as error:
            raise unreachable(error, self.address.bucket) from error


def checksum(sha256: bytes) -> str:
    """As S3 writes it. Every put has one: a bucket with object lock takes none without."""
    return base64.b64encode(sha256).decode()


@functools.cache
def _session() -> boto3.session.Session:
    """One for all clients: reading the SDK's own description of S3 costs 0.1 s of CPU, each client after it 4 ms.

    Making clients of one session is not thread-safe: they are made on the event loop, or on a worker's main thread.
    """
    return boto3.session.Session()


def connect(address: S3Address, timeout: float) -> S3Client:
    """A client of the SDK; nothing is sent yet. Raises ObjectStoreError for a location that cannot be used.

    The region is that of the address, of ``AWS_REGION`` (which the SDK for Python passes over, unlike the others: AWS
    SDKs and Tools Reference Guide, "AWS Region"), of the SDK's chain, else its own default for S3, us-east-1.
    """
    try:
        client: S3Client = _session().client(
            "s3",
            region_name=address.region or os.environ.get("AWS_REGION") or None,
            endpoint_url=address.endpoint,
            aws_access_key_id=address.access_key,
            aws_secret_access_key=address.secret_key,
            aws_session_token=address.session_token,
            config=Config(
                connect_timeout=timeout,
                read_timeout=timeout,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path" if address.endpoint else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise ObjectStoreError(f"the S3 location cannot be used: {error}") from error
    return client


def translated(error: ClientError, address: S3Address, key: str | None = None) -> ObjectStoreError:
    """Our error for an answer of the store. ``key``: the one that was asked for to encrypt with."""
    said = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return refusals.error(
        refusals.Refusal(
            code=str(said.get("Code", "")),
            message=str(said.get("Message", "")),
            status=status,
            bucket=address.bucket,
            region=address.region,
            key=key,
            operation=error.operation_name,
        )
    )


def unreachable(error: Exception, bucket: str) -> ObjectStoreUnreachable:
    """Our error for no answer, or half of one."""
    return ObjectStoreUnreachable(f"bucket {bucket} cannot be reached: {type(error).__name__}")
