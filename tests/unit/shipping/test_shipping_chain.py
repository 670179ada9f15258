"""Where a chain ends, when a segment is due, what an answer about encryption proves."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_segments import MILLIS, chunk, identifier, node

from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.objectstore.objects import Encryption, Receipt
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Tail, newest
from neo4j_dr_operator.shipping.config import ShipperConfig
from neo4j_dr_operator.shipping.opening import OpenSegment, without_transactions
from neo4j_dr_operator.shipping.segment import Start

ARN = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_the_newest_number_is_found_in_few_pages(last: int, known: int) -> None:
    asked = 0

    def page(after: int, limit: int) -> tuple[list[int], bool]:
        nonlocal asked
        asked += 1
        found = list(range(after + 1, min(after + limit, last) + 1))
        return found, last > after + limit

    known = min(known, last)
    assert newest(known, page) == last
    assert asked <= (1 if last - known <= 1000 else 40)


def test_names_sort_as_segments_follow() -> None:
    keys = [names.segment("ns/dr", epoch, number) for epoch in (1, 2, 10) for number in (1, 9, 10, 123_456_789)]
    assert keys == sorted(keys)
    assert keys[0] == "ns/dr/0000000001/000000000001.seg"
    assert [names.number(key) for key in keys[:4]] == [1, 9, 10, 123_456_789]
    assert names.number(names.watermark("ns/dr", 1)) is None
    assert names.watermark("ns/dr", 1) > keys[3], "a list of segments does not end at it"


@pytest.mark.parametrize(
    ("asked", "algorithm", "answered", "good"),
    [
        (ARN, "aws:kms", ARN, True),
        (ARN, None, None, False),
        (ARN, "AES256", None, False),
        (ARN, "aws:kms", None, False),
        (ARN, "aws:kms", ARN.replace("123456789012:key", "210987654321:key"), False),
        (ARN, "aws:kms", ARN[:-1] + "3", False),
        (ARN, "aws:kms", ARN.rpartition("/")[2], True),
        (ARN.rpartition("/")[2], "aws:kms", ARN, True),
        ("lab-key", "aws:kms", "arn:aws:kms:lab-key", True),
        ("lab-key", "aws:kms", "arn:aws:kms:other-lab-key", False),
        ("alias/mine", "aws:kms", ARN, False),
        ("alias/mine", "aws:kms", "alias/mine", True),
        (None, "AES256", None, True),
        (None, "aws:kms", ARN, False),
        (None, None, None, False),
    ],
)
def test_only_an_answer_that_says_so_is_encryption(
    asked: str | None, algorithm: str | None, answered: str | None, good: bool
) -> None:
    wrong = Encryption(asked).denied_by(Receipt(algorithm, answered))
    assert (wrong is None) is good
    assert good or (asked or "AES256") in str(wrong)


def config(**changes: object) -> dict[str, object]:
    """A configuration line."""
    database = {"uri": "bolt://x", "user": "u", "password": "canary", "ca": None, "database": None}
    store = dict.fromkeys(("path", "region", "endpoint", "accessKey", "secretKey", "sessionToken"))
    base: dict[str, object] = {"archive": "ns/dr", "epoch": 1, "site": "primary", "start": None, "source": database}
    base |= {"destination": {"bucket": "b", **store}, "interval": 60, "timeout": 30, "kmsKeyId": None}
    return base | {"encrypted": False, "segmentBytes": None} | changes


@pytest.mark.parametrize(
    "change",
    [{"epoch": 0}, {"archive": "dr"}, {"archive": "/dr"}, {"interval": 0}, {"timeout": -1}, {"destination": None}],
)
def test_a_configuration_without_sense_is_refused_and_not_quoted(change: dict[str, object]) -> None:
    assert ShipperConfig.parse(orjson.dumps(config())).segment_bytes == 16 << 20
    with pytest.raises(ConfigInvalid) as refused:
        ShipperConfig.parse(orjson.dumps(config(**change)))
    assert "canary" not in str(refused.value)


HERE = MILLIS / 1000 + 1
"""The shipper's clock, seconds since 1970: later than all that is committed here."""


def opened(size: int = 1 << 20) -> OpenSegment:
    """What is open behind segment 4, which ends at transaction 10."""
    endpoint = Endpoint("bolt://x", "u", "p")
    settings = ShipperConfig("ns/dr", 1, "primary", None, endpoint, S3Address("b"), 60.0, 5.0, None, size)
    end = Position.decode(identifier(10))
    return OpenSegment(settings, Tail(4, "f" * 64, end, end, MILLIS + 10))


def test_an_interval_counts_from_the_first_transaction_to_ship() -> None:
    """Bookkeeping opens none, and moves on how far the archive is known to be complete."""
    segment = opened()
    segment.add(chunk(node(12, "u", 9, {}, "__Neo4jDR")), 100.0, HERE)
    assert segment.due_in(1000.0) is None
    assert (segment.tail.seen.tx, segment.tail.covered, segment.tail.position.tx) == (12, MILLIS + 12, 10)
    segment.add(chunk(node(13, "c", 1, {}, "A")), 1000.0, HERE)
    assert segment.due_in(1010.0) == 50.0
    assert segment.due_in(1060.0) == 0.0
    segment.add(chunk(node(14, "u", 9, {}, "__Neo4jDR")), 1061.0, HERE)
    assert segment.tail.seen.tx == 12, "what is not in S3 is no end"
    made, tail = segment.close()
    assert (made.header.number, made.header.position, made.header.previous) == (5, identifier(10), "f" * 64)
    assert (made.trailer.position, made.trailer.covered, made.trailer.last) == (
        identifier(14),
        MILLIS + 14,
        MILLIS + 13,
    )
    assert (tail.number, tail.sha256, tail.seen.tx, tail.covered) == (5, made.sha256, 14, MILLIS + 14)


def test_a_source_whose_clock_is_fast_covers_no_future() -> None:
    """An hour ahead, its commits are in the archive, and nothing is said of the hour that is still to come."""
    here, segment = HERE - 3600, opened()
    segment.add(chunk(node(12, "u", 9, {}, "__Neo4jDR")), 0.0, MILLIS / 1000)
    assert segment.tail.covered == MILLIS + 10, "never less than before"
    segment.add(chunk(node(13, "u", 9, {}, "__Neo4jDR")), 0.0, (MILLIS + 12) / 1000)
    assert segment.tail.covered == MILLIS + 12
    segment.quiet(MILLIS + 3_600_000, (MILLIS + 14) / 1000)
    assert segment.tail.covered == MILLIS + 14
    segment.add(chunk(node(3_000_000, "c", 1, {}, "A")), 0.0, (MILLIS + 20) / 1000)
    made, tail = segment.close()
    assert (made.trailer.last, made.trailer.covered, tail.covered) == (MILLIS + 3_000_000, MILLIS + 20, MILLIS + 20)
    begun, tail = without_transactions(
        segment._config, 1, None, Start("first"), Position.decode(identifier(3_600_000)), here
    )
    assert begun.trailer.covered == tail.covered == int(here * 1000)


def test_a_source_whose_clock_is_slow_covers_what_it_says() -> None:
    segment = opened()
    segment.quiet(MILLIS + 500, HERE + 3600)
    assert segment.tail.covered == MILLIS + 500


def test_a_large_segment_is_due_at_once() -> None:
    segment = opened(size=20_000)
    assert not segment.filled
    for tx in range(11, 15):
        segment.add(chunk(*[node(tx, "c", n, {"x": f"{n * n * tx}"}) for n in range(5000)]), 0.0, 0.0)
    assert segment.filled
    assert segment.due_in(0.0) == 0.0
