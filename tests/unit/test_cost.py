"""The tables of ``docs/cost.md`` are what is computed, and that is right where it can be counted otherwise."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from neo4j_dr_operator.audit import run, store
from neo4j_dr_operator.audit.config import AuditConfig
from neo4j_dr_operator.audit.run import Audit
from neo4j_dr_operator.audit.status import AuditStatus
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.prune import prune
from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.backup.snapshot import Snapshot
from neo4j_dr_operator.backup.status import BackupStatus
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import Chain
from tests.bench import cost
from tests.bench.cost import DAY, Archive, Day
from tests.made_archive import ARCHIVE, MadeArchive
from tests.memory_bucket import MemoryBucket

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")
UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
USUAL = Archive()


def rows(first: str) -> list[list[str]]:
    """Of the page's table whose first column has that head."""
    lines = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(cell: str) -> float:
    amount, _, unit = cell.replace(",", "").partition(" ")
    return float(amount) * UNITS[unit]


@pytest.mark.parametrize(
    ("head", "now"),
    [
        (cost.ALL[0], [cost.row(rate, USUAL) for rate in cost.RATES]),
        (cost.ONE[0], cost.parts(100, USUAL)),
    ],
)
def test_the_tables_are_the_computed_ones(head: str, now: list[list[str]]) -> None:
    """But for what another version of the compressor makes of the same bytes."""
    there = rows(head)
    assert [row[0] for row in there] == [row[0] for row in now]
    for written, computed in zip(there, now, strict=True):
        assert [number(cell) for cell in written[1:]] == pytest.approx(
            [number(cell) for cell in computed[1:]], rel=0.12
        )


def test_segments_are_one_an_interval_until_they_are_full() -> None:
    assert cost.segments(10, USUAL)[0] == cost.segments(1000, USUAL)[0] == 1440
    assert cost.segments(10, replace(USUAL, interval=10.0))[0] == 8640
    count, size = cost.segments(5000, USUAL)
    assert size == 16 << 20
    a_day = cost.segment_bytes(5000 * 60) * 1440
    assert count * size == pytest.approx(a_day, rel=0.01), "the same bytes, however they are cut"


def test_a_quiet_day_is_its_watermarks() -> None:
    assert cost.shipping(0, USUAL) == Day(1440, 0, 0, 1440 * cost.WATERMARK_BYTES, 0)


def test_small_segments_compress_less_and_large_ones_alike() -> None:
    """Per transaction; the fixed part of a segment is a few hundred bytes."""
    one, ten, *many = [cost.segment_bytes(n) / n for n in (1, 10, 1000, 10_000, 100_000)]
    assert 1000 > one > ten > max(many)
    assert many == pytest.approx([many[0]] * 3, rel=0.05)


def test_a_backup_puts_what_was_touched() -> None:
    total, none = cost.chunks(0, USUAL)
    assert (total, none) == (2442, 0)
    assert cost.chunks(5000, USUAL) == (total, pytest.approx(total * USUAL.touched, abs=1))
    one, few = cost.chunks(1 / DAY, USUAL), cost.chunks(10 / DAY, replace(USUAL, touched=1.0))
    assert one[1] <= 5
    assert 45 < few[1] <= 50, "five changes of ten transactions, nearly each in a chunk of its own"
    assert cost.backup(0, USUAL).put == 1, "the manifest"


def test_everything_is_audited_once_in_the_period_and_what_is_new_at_once() -> None:
    once = cost.audit(100, replace(USUAL, audit_days=1e9))  # never, but for what is new
    week, month = cost.audit(100, USUAL), cost.audit(100, replace(USUAL, audit_days=28.0))
    objects, size = cost.held(100, USUAL)
    rounds = DAY / 600
    assert once.get == pytest.approx(1440 + 3 * rounds, abs=2)
    assert week.get - once.get == pytest.approx(objects / 7, rel=0.01)
    assert week.read - once.read == pytest.approx(size / 7, rel=0.01)
    assert month.get - once.get == pytest.approx(objects / 28, rel=0.01)
    assert week.put == rounds
    assert week.written == pytest.approx(rounds * 1e6, rel=0.2), "a ledger of 53,000 objects is a megabyte"


def test_the_requests_are_those_of_the_real_programs() -> None:
    """A backup's beginning and end, and an auditor's rounds, counted over a store in memory."""
    made = MadeArchive()
    made.promote()
    for number in range(4):
        made.snapshot(values=3)
        for _ in range(300 if number < 3 else 150):
            made.ship(1)
    segments = len([name for name in made.objects if names.number(name) is not None])
    chunks = len([name for name in made.objects if "/chunks/" in name])
    assert segments > 1000
    assert (chunks, len(made.snapshots)) == (3, 4)

    memory = MemoryBucket(made.objects)
    vault = Vault(memory.bucket, ARCHIVE, None, lambda error: None)
    config: Any = SimpleNamespace(archive=ARCHIVE, retention=Retention(copies=9))
    one = Snapshot.__new__(Snapshot)
    one._bucket, one._vault, one._config = memory.bucket, vault, config
    one._chain = Chain(memory.bucket, ARCHIVE, 1, None)
    one._attach()
    assert requests(memory) == cost.attached(segments, chunks, 4)
    prune(memory.bucket, vault, ARCHIVE, config.retention, BackupStatus(), lambda: True)
    assert requests(memory) == cost.pruned(4, segments, chunks, 4)

    clock = patch.object(run.time, "time", lambda: 1.8e9)  # no share of what is due once in a period
    with patch.object(store, "Bucket", lambda *_: memory.bucket), clock:
        for asked in ("", "all of it", ""):
            requests(memory)
            status = AuditStatus()
            place = S3Address("b", "", "r", None, "k", "s", None)
            Audit(AuditConfig(ARCHIVE, place, 1e9, 1.0, asked, None), status, Patience(status), Faults()).run()
            if asked:
                whole = requests(memory)
    rest = requests(memory)
    assert rest == (cost.ROUND["GET"], cost.ROUND["LIST"])
    more = cost.listed(4, len(made.objects))
    assert whole == (rest[0] + more[0], rest[1] + more[1])


def requests(memory: MemoryBucket) -> tuple[int, int]:
    """Gets and lists since this was asked last."""
    asked = memory.requests["get"], memory.requests["list"]
    memory.requests.clear()
    return asked


def test_the_lease_is_renewed_three_times_in_its_term() -> None:
    assert cost.witness(0, USUAL).put == 8640
    assert cost.witness(5000, replace(USUAL, health_interval=2.0)).put == 3 * DAY / 3


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234, "1.2 kB"),
        (53_086, "53 kB"),
        (999_600, "1 MB"),
        (15e13, "150 TB"),
    ],
)
def test_sizes_for_people(size: float, text: str) -> None:
    assert cost.short(size) == text


def test_the_page_names_what_is_assumed() -> None:
    assumed = re.sub(r"\s+", " ", PAGE[PAGE.index("**Assumed**") :].split("\n\n")[0])
    for text in ("five changes", "each minute", "a backup a day", "30 days", "7 days", "10 million", "a tenth", "30 s"):
        assert text in assumed
    assert Archive(60.0, 30.0, 7.0, 10_000_000, 30.0, 0.1) == USUAL
