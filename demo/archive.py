"""The archive of transactions, read by its documentation alone (docs/archive-format.md): gzip, JSON, SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass, field

from lab import S3


@dataclass
class Found:
    """What is in the archive: objects, epochs, bytes, and the numbers of the application's transactions."""

    segments: int = 0
    epochs: int = 0
    size: int = 0
    numbers: set[int] = field(default_factory=set)


def read(store: S3, bucket: str) -> Found:
    """Read every segment in order. Raises AssertionError where the chain is broken."""
    client, found = store.client(), Found()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    names = (item["Key"] for page in pages for item in page.get("Contents", []))
    keys = sorted(name for name in names if SEGMENT.search(name))
    previous: dict[str, str] = {}
    for key in keys:
        data = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        header, *blocks, _ = (json.loads(line) for line in gzip.decompress(data).splitlines())
        epoch = key.rpartition("/")[0]
        assert header["previous"] == previous.get(epoch), f"{key} does not name the segment before it"
        previous[epoch] = hashlib.sha256(data).hexdigest()
        found.segments, found.size = found.segments + 1, found.size + len(data)
        for block in blocks:
            found.numbers |= {n for after in block["afters"] if isinstance(n := _number(after), int)}
    found.epochs = len(previous)
    return found


def _number(after: object) -> object:
    """The number that the application wrote on an element, if it did."""
    return after.get("properties", {}).get(NUMBER) if isinstance(after, dict) else None


NUMBER = "n"
SEGMENT = re.compile(r"/\d{10}/\d{12}[.]seg$")
