"""A log shipper as a real child process, and the archive as it stands in S3."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from lab import S3, Neo4j
from tests.compare import assert_equal
from tests.database.archive_reader import Archive, schemas
from tests.database.process import Address, WorkerProcess, endpoint

ARCHIVE = "neo4j-production/cross-region-dr"
PATH = "/transaction-logs"


class Store:
    """A bucket of its own on a server; ``address`` is another way there (a proxy's)."""

    def __init__(self, server: S3, address: str | None = None, bucket: str | None = None) -> None:
        self.server, self.address = server, address or server.endpoint
        self.bucket = bucket or server.make_bucket(f"logs-{uuid.uuid4().hex[:12]}")
        self._client = server.client()

    def destination(self, **changes: str) -> dict[str, Any]:
        """As the shipper's configuration wants it."""
        return {
            "bucket": self.bucket,
            "path": PATH,
            "region": self.server.region,
            "endpoint": self.address,
            "accessKey": self.server.access_key,
            "secretKey": self.server.secret_key,
            "sessionToken": None,
            **changes,
        }

    def objects(self) -> dict[str, bytes]:
        """Everything in the bucket, by key."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def put(self, key: str, data: bytes | None) -> None:
        """Put an object by hand; None takes it away."""
        if data is None:
            self._client.delete_object(Bucket=self.bucket, Key=key)
        else:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def encryption(self, key: str) -> tuple[str | None, str | None]:
        """Algorithm and key of an object."""
        answer = self._client.head_object(Bucket=self.bucket, Key=key)
        return answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId")

    def watermark(self, epoch: int = 1) -> dict[str, Any] | None:
        """What an epoch's watermark says."""
        data = self.objects().get(f"{PATH.strip('/')}/{ARCHIVE}/{epoch:010d}/watermark.json")
        return None if data is None else json.loads(data)

    def schemas(self, epoch: int = 1) -> list[set[str]]:
        """What an independent reader makes of the notes of an epoch's schema: the names of each one's rules."""
        found = schemas(self.objects(), f"{PATH.strip('/')}/{ARCHIVE}/schema/{epoch:010d}/")
        return [{rule["name"] for rule in rules if not rule["lookup"]} for _, rules in found]

    def archive(self, epoch: int = 1) -> Archive:
        """What an independent reader makes of an epoch, its chain checked."""
        return Archive(self.objects(), f"{PATH.strip('/')}/{ARCHIVE}/{epoch:010d}/")


class ShipProcess(WorkerProcess):
    """One shipper from a database to a bucket."""

    def __init__(
        self,
        source: Neo4j | Address,
        store: Store,
        *,
        epoch: int = 1,
        start: str | None = None,
        interval: float = 0.5,
        timeout: float = 5.0,
        encrypted: bool = False,
        key: str | None = None,
        segment_bytes: int | None = None,
        destination: Mapping[str, str] | None = None,
        resource: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            "ship",
            environment,
            archive=ARCHIVE,
            resource=resource,
            epoch=epoch,
            site="primary",
            start=start,
            source=endpoint(source),
            destination=store.destination(**(destination or {})),
            interval=interval,
            timeout=timeout,
            kmsKeyId=key,
            encrypted=encrypted,
            segmentBytes=segment_bytes,
        )

    def shipping(self, seconds: float = 30.0) -> dict[str, Any]:
        """Until it ships."""
        return self.wait(lambda report: report["state"] == "shipping", seconds)

    def shipped(self, seconds: float = 60.0) -> dict[str, Any]:
        """Until everything committed before this call is in S3."""
        since = time.time()
        return self.wait(lambda report: (report["upTo"] or 0) >= since and report["error"] is None, seconds)


Ship = Callable[..., ShipProcess]


def the_same(source: Neo4j, store: Store) -> tuple[int, int, int]:
    """The archive holds the source's graph, under the same ids; numbers of transactions, nodes, relationships."""
    archive = store.archive()
    nodes, relationships = assert_equal(source.query, archive.query)
    ids = source.query("MATCH (n) WHERE NOT n:__Neo4jDR RETURN collect(id(n)) AS ids")[0]["ids"]
    assert set(ids) == archive.nodes.keys()
    assert archive.txs == sorted(set(archive.txs)), "each transaction once, in commit order"
    return len(archive.txs), nodes, relationships
