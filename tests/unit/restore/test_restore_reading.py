"""Which restore keeps retention from which archive."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.restore.resource import RestoreController
from neo4j_dr_operator.restore.restores import Restores

HERE = S3Address("logs", "a/b", "eu-central-1", None, "k", "s")


def restores(source: dict[str, Any], **status: Any) -> Restores:
    made = Restores(SimpleNamespace())  # type: ignore[arg-type]
    one = RestoreController.__new__(RestoreController)
    one._keeper = SimpleNamespace(body={"spec": {"source": source}}, status=status)  # type: ignore[assignment]
    made._controllers["ns", "back"] = one
    return made


@pytest.mark.parametrize(
    ("source", "status", "by"),
    [
        ({"location": {"bucket": "logs", "path": "/a/b/"}}, {}, "ns/back"),
        ({"location": {"bucket": "logs", "path": "a/b"}, "archive": "ns/dr"}, {}, "ns/back"),
        ({"location": {"bucket": "logs", "path": "a/b"}, "archive": "ns/other"}, {}, None),
        ({"location": {"bucket": "logs", "path": "a/b"}}, {"archive": "ns/other"}, None),
        (
            {"location": {"bucket": "logs", "path": "a/b"}},
            {"conditions": [{"type": "Complete", "status": "True"}]},
            None,
        ),
        ({"location": {"bucket": "logs"}}, {}, None),
        ({"location": {"bucket": "another", "path": "a/b"}}, {}, None),
        ({"location": {"bucket": "another", "path": "a/b"}, "archive": "ns/dr"}, {}, None),
    ],
)
def test_only_one_that_may_read_what_lies_here(source: dict[str, Any], status: dict[str, Any], by: str | None) -> None:
    """One that waits, and has not found its archive yet, kept every resource's retention from deleting anything."""
    assert restores(source, **status).reading("ns/dr", HERE) == by
