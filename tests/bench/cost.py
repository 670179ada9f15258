"""What an archive costs a day: requests and bytes, at several rates of writing. Computed, from bytes that are measured.

``python -m tests.bench cost`` prints the tables of ``docs/cost.md``; :class:`Archive` has what they assume. Segments
and chunks are written by the code that writes them into S3, from made-up changes and elements; how many there are
a day follows from intervals and sizes. Prices are no part of it: stores and regions differ, and prices change.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.audit import due
from neo4j_dr_operator.audit.facts import DIGITS, Content, Piece
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.backup.chunks import SPAN, Chunk, encoded
from neo4j_dr_operator.failover.lease import term_for
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.shipping.chain import PAGE, newest
from neo4j_dr_operator.shipping.config import SEGMENT_BYTES
from neo4j_dr_operator.shipping.segment import Header, SegmentWriter
from tests.bench.shipping import CHUNK, identifier
from tests.bench.stream import LABELS, SOCIAL, TYPES, UUID, Source

DAY = 86_400
RATES = (0, 10, 100, 1000, 5000)
"""Transactions a second, of five changes each."""
SAMPLE = 50_000
"""Changes that are enough to know what one more takes."""
WATERMARK_BYTES, WITNESS_BYTES = 320, 330
MANIFEST_LINE = 190
"""Bytes of a manifest for each chunk."""
ROUND = {"GET": 3, "LIST": 3, "PUT": 1}
"""Requests of an auditor's round over an archive in which nothing is new. It gets ledger, marker and watermark, lists
epochs, segments behind the last one and snapshots, and puts the ledger."""
KNOWN = 2000
"""Objects that are enough to know what one more takes in the ledger."""


@dataclass(frozen=True)
class Archive:
    """What is assumed. Times in seconds, days where it says so."""

    interval: float = 60.0
    """``logShipping.interval``."""
    retention_days: float = 30.0
    """``backup.retention``, by age: so long segments and snapshots stay."""
    audit_days: float = 7.0
    """Days in which every object is read once."""
    elements: int = 10_000_000
    """Nodes and relationships, as many of these as of those."""
    health_interval: float = 30.0
    """``failover.healthCheck.interval``, with three failures: how long a lease lasts follows from it."""
    touched: float = 0.1
    """Share of the ids that the changes of a day fall upon, evenly."""


@dataclass(frozen=True)
class Day:
    """Requests and bytes of one day, once the archive is as old as its retention."""

    put: int
    get: int
    list: int
    written: int
    read: int

    def __add__(self, other: Day) -> Day:
        return Day(*(sum(pair) for pair in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, int, int, int, int]:
        """In the order of the columns."""
        return self.put, self.get, self.list, self.written, self.read


@functools.cache
def segment_bytes(transactions: int) -> int:
    """Bytes of a segment of so many transactions."""
    changes = transactions * SOCIAL.per_transaction
    if changes > SAMPLE:
        return round(segment_bytes(SAMPLE // SOCIAL.per_transaction) * changes / SAMPLE)
    writer, source = SegmentWriter(Header("ns/dr", 1, "primary", 2, UUID, identifier(0), "0" * 64, None, 0)), Source(1)
    at = Position.decode(identifier(0))
    for first in range(0, changes, CHUNK):
        chunk = source.chunk(min(CHUNK, changes - first))
        chunk.ids = [identifier(tx) for tx in chunk.txs]
        at = chunk.position = Position.decode(chunk.ids[-1])
        writer.add(chunk)
    return len(writer.close(at, at.commit_millis).data)


@functools.cache
def chunk_bytes() -> tuple[int, int]:
    """Bytes of a full chunk of nodes, and of one of relationships."""
    ids, source = list(range(SPAN)), Source(1)
    nodes = [ids, [LABELS[i % 3] for i in ids], [source._properties() for _ in ids]]
    spread = [(i * 2_654_435_761) % 5_000_000 for i in ids]
    relationships = [ids, [TYPES[i % 2] for i in ids], spread, spread[::-1], [{"since": i, "w": 0.5} for i in ids]]
    plain = (encoded("nodes", nodes), encoded("relationships", relationships))
    sizes = [len(Chunk("nodes", 0, SPAN, SPAN, data, "").packed()) for data in plain]
    return sizes[0], sizes[1]


def segments(rate: float, archive: Archive) -> tuple[int, int]:
    """Segments a day, and bytes of each."""
    each = segment_bytes(round(rate * archive.interval))
    full = each / SEGMENT_BYTES  # what one interval writes, in segments that are cut because they are full
    return (round(DAY / archive.interval), each) if full <= 1 else (round(DAY / archive.interval * full), SEGMENT_BYTES)


def shipping(rate: float, archive: Archive) -> Day:
    """Log shipping: a put for each segment, and nothing else; in quiet times a watermark an interval."""
    if rate == 0:
        puts = round(DAY / archive.interval)
        return Day(puts, 0, 0, puts * WATERMARK_BYTES, 0)
    puts, size = segments(rate, archive)
    return Day(puts, 0, 0, puts * size, 0)


def chunks(rate: float, archive: Archive) -> tuple[int, int]:
    """Chunks of a snapshot, and how many of them are others than the day before."""
    total = 2 * math.ceil(archive.elements / 2 / SPAN)
    hot = total * archive.touched
    changes = rate * DAY * SOCIAL.per_transaction
    return total, math.ceil(hot * -math.expm1(-changes / hot))


def pages(objects: float) -> int:
    """Requests that list so many."""
    return max(1, math.ceil(objects / PAGE))


def looks(segments: int) -> int:
    """Requests that find the last of so many segments, no watermark telling where to begin."""
    asked = 0

    def page(after: int, limit: int) -> tuple[list[int], bool]:
        nonlocal asked
        asked += 1
        return list(range(after + 1, min(segments, after + limit) + 1)), segments > after + limit

    newest(0, page)
    return asked


def attached(segments: int, contents: int, amendments: int) -> tuple[int, int]:
    """Gets and lists before a backup reads the graph: the marker, the watermark, the last segment and the auditor's
    note; where the last segment is, and what chunks and amendments there are."""
    return 4, looks(segments) + pages(contents) + pages(amendments)


def pruned(snapshots: int, segments: int, contents: int, amendments: int) -> tuple[int, int]:
    """Gets and lists of what deletes behind it: the note and every manifest; snapshots, chunks, amendments, notes of
    the schema, epochs and segments. What is deleted costs nothing at most stores."""
    return 1 + snapshots, pages(snapshots) + pages(contents) + pages(amendments) + 2 + pages(segments)


def listed(snapshots: int, objects: int) -> tuple[int, int]:
    """Gets and lists of an auditor that lists everything, beyond those of a round: every manifest and the bucket's
    rules; snapshots first, then everything. The round's own two lists of news fall away."""
    return snapshots + 1, pages(snapshots) + pages(objects) - 2


def copies(rate: float, archive: Archive) -> int:
    """Snapshots that are there, one a day: those of the retention and the newest before."""
    return round(archive.retention_days) + 1


def backup(rate: float, archive: Archive) -> Day:
    """A snapshot a day, and the deletion behind it; the operator lists the snapshots once more when it is there."""
    total, new = chunks(rate, archive)
    manifest, amendment = total * MANIFEST_LINE, 1 if rate else 0
    snapshots, contents = copies(rate, archive), total + new * round(archive.retention_days)
    shipped, size = segments(rate, archive) if rate else (0, 0)
    kept = max(1, round(shipped * archive.retention_days))
    before, behind = (
        attached(kept, contents, amendment * snapshots),
        pruned(snapshots, kept, contents, amendment * snapshots),
    )
    return Day(
        put=new + amendment + 1,
        get=1 + before[0] + behind[0],  # whose the archive is
        list=before[1] + behind[1] + 1,
        written=new * sum(chunk_bytes()) // 2 + manifest,
        read=size + snapshots * manifest,
    )


def held(rate: float, archive: Archive) -> tuple[int, int]:
    """Objects that lie there, and their bytes: one set of chunks, and what each day of the retention adds."""
    shipped, daily = shipping(rate, archive), backup(rate, archive)
    total, _ = chunks(rate, archive)
    segment = shipped.written * archive.retention_days if rate else 0
    objects = total + (daily.put + (shipped.put if rate else 0)) * archive.retention_days
    size = total * sum(chunk_bytes()) / 2 + segment + daily.written * archive.retention_days
    return round(objects), round(size)


@functools.cache
def ledger_bytes() -> tuple[int, int]:
    """Bytes that a segment takes in the auditor's ledger, and a chunk. A minute lies between two."""
    pieces = {}
    for n in range(1, KNOWN + 1):
        ends = [(at * 6007, 4, 1_700_000_000_000 + at * 60_007) for at in (n - 1, n)]
        digests = [hashlib.sha256(str(at).encode()).hexdigest()[:DIGITS] for at in (n, n - 1)]
        moment, size = ends[1][2], 600_000 + n * 7919 % 50_000
        seen = moment // 1000 + n % 300
        pieces[n] = Piece(n, UUID, *ends, moment, moment - n % 90, moment, *digests, "", False, size, seen)
    contents = {
        hashlib.sha256(f"chunk {n}".encode()).hexdigest(): Content(
            False, 1_700_000_000 + n // 9, size=50_000 + n % 9000
        )
        for n in range(KNOWN)
    }
    empty = len(Ledger().encode())
    held = (Ledger(pieces={1: pieces}, tails={1: KNOWN}), Ledger(contents=contents))
    sizes = [(len(each.encode()) - empty) // KNOWN for each in held]
    return sizes[0], sizes[1]


def audit(rate: float, archive: Archive) -> Day:
    """Rounds, everything once in the period, what is new at once; what is there is listed a few times in a period."""
    period = archive.audit_days * DAY
    rounds = DAY / due.pause(period)
    objects, size = held(rate, archive)
    new = shipping(rate, archive) if rate else Day(0, 0, 0, 0, 0)
    listings, more = due.LISTINGS / archive.audit_days, listed(copies(rate, archive), objects)
    manifests = listings * copies(rate, archive) * chunks(rate, archive)[0] * MANIFEST_LINE
    kept = shipping(rate, archive).put * archive.retention_days if rate else 0
    ledger = kept * ledger_bytes()[0] + (objects - kept) * ledger_bytes()[1]
    return Day(
        put=round(rounds * ROUND["PUT"]),
        get=round(rounds * ROUND["GET"] + objects / archive.audit_days + new.put + listings * more[0]),
        list=round(rounds * ROUND["LIST"] + listings * more[1]),
        written=round(rounds * ledger),
        read=round(size / archive.audit_days + new.written + rounds * ledger + manifests),
    )


def witness(rate: float, archive: Archive) -> Day:
    """The right to write: read and replaced three times in its term, whether or not anybody writes."""
    times = round(DAY * 3 / term_for(archive.health_interval, 3))
    return Day(times, times, 0, times * WITNESS_BYTES, times * WITNESS_BYTES)


def row(rate: float, archive: Archive) -> list[str]:
    """A row of the table: requests and bytes a day, and what lies there."""
    day = shipping(rate, archive) + backup(rate, archive) + audit(rate, archive) + witness(rate, archive)
    objects, size = held(rate, archive)
    numbers = (day.put, day.get, day.list)
    return [f"{rate:,}", *map("{:,}".format, numbers), short(day.written), short(day.read), f"{objects:,}", short(size)]


def parts(rate: float, archive: Archive) -> list[list[str]]:
    """A row for each program that works on the archive."""
    made = (("log shipping", shipping), ("a backup", backup), ("the auditor", audit), ("the witness", witness))
    return [
        [name, *(f"{n:,}" for n in day.values()[:3]), *map(short, day.values()[3:])]
        for name, of in made
        for day in [of(rate, archive)]
    ]


def short(size: float) -> str:
    """Bytes for people, two digits that count."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            return f"{size:.0f} {unit}" if size >= 99.5 or unit == "B" else f"{size:.2g} {unit}"
        size /= 1000
    raise AssertionError("not reached")


ALL = ("transactions/s", "PUT", "GET", "LIST", "written", "read", "objects", "bytes held")
ONE = ("at 100 transactions/s", "PUT", "GET", "LIST", "written", "read")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown has it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(archive: Archive = Archive()) -> dict[str, Any]:  # it is frozen
    """Print both tables; the figures by rate."""
    print(table(ALL, [row(rate, archive) for rate in RATES]), end="\n\n")
    print(table(ONE, parts(100, archive)))
    sizes = {rate: segments(rate, archive) for rate in RATES[1:]}
    print(f"\nsegments a day, and bytes of each: {sizes}; bytes of a chunk: {chunk_bytes()}")
    return {str(rate): dict(zip(ALL[1:], row(rate, archive)[1:], strict=True)) for rate in RATES}
