"""What findings mean: which segments cannot be used, what a new snapshot would heal, what it has healed (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from neo4j_dr_operator.audit.facts import DAMAGE, KINDS, Finding, Piece
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup.names import SnapshotName, in_order
from neo4j_dr_operator.backup.suspects import Note
from neo4j_dr_operator.restore.point import moment
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.schema import SchemaName


def segment_of(name: str) -> tuple[int, int] | None:
    """Epoch and number of the segment that an object's name stands for; None for another object."""
    number = names.number(name)
    return None if number is None else (epoch_of(name), number)


def epoch_of(name: str) -> int:
    """The epoch in whose folder a segment or a watermark lies."""
    return int(name.split("/")[-2])


def bad_segments(findings: Iterable[Finding]) -> dict[int, dict[int, str]]:
    """Segments that cannot be used, by epoch and number, and why."""
    bad: dict[int, dict[int, str]] = {}
    for finding in findings:
        if (at := segment_of(finding.name)) is not None and finding.harmful:
            bad.setdefault(at[0], {})[at[1]] = finding.kind
    return bad


def unusable(findings: Iterable[Finding]) -> Note:
    """Chunks and amendments that cannot be used, and whether that may pass."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for finding in findings:
        if (sha256 := snapshot_names.content(finding.name)) is not None and finding.harmful:
            found[finding.kind in DAMAGE].add(sha256)
    return Note(damaged=frozenset(found[True]), locked=frozenset(found[False]))


def missing_segments(there: Collection[int], base: int | None, tail: int) -> list[int]:
    """Numbers of an epoch that ought to be there: behind the oldest snapshot's (``base``, None without one) up to the
    last one known. What lies before may have been deleted."""
    if base is None:
        base = min(there, default=tail)
    return sorted(set(range(base + 1, tail + 1)).difference(there))


def missing_snapshots(
    known: Collection[SnapshotName],
    there: Collection[SnapshotName],
    database: Callable[[SnapshotName], str],
    *,
    pruned: bool,
) -> list[SnapshotName]:
    """Snapshots that nobody has deleted on purpose: retention (``pruned``: there is one) takes the oldest ones, and
    leaves the newest. ``database``: as :meth:`Ledger.database`."""
    order = in_order({*known, *there}, database)
    oldest = next((at for at, name in enumerate(order) if name in there), 0) if pruned else 0
    return [name for name in order[oldest:] if name not in there]


def broken_links(pieces: Mapping[int, Piece]) -> list[int]:
    """Numbers of segments that the next one, which is there, does not follow."""
    return [
        number for number, piece in pieces.items() if number + 1 in pieces and not pieces[number + 1].follows(piece)
    ]


def judged(ledger: Ledger) -> list[Finding]:
    """The ledger's findings, the worst first, each with whether it is contained: whether what was committed since the
    newest whole snapshot can be restored without its object."""
    told = filter(None, map(SnapshotName.of, ledger.findings))
    order = in_order({*ledger.copies, *told}, ledger.database)
    there = [name for name in order if name in ledger.copies]
    newest = next((name for name in reversed(there) if not ledger.copies[name].lacking), None)
    older = frozenset(order[: order.index(newest)]) if newest is not None else frozenset()
    whole = bool(there) and newest == there[-1]
    made = [replace(each, contained=_contained(each, newest, older, whole)) for each in ledger.findings.values()]
    return sorted(made, key=lambda each: (each.contained, KINDS.index(each.kind), each.name))


def _contained(finding: Finding, newest: SnapshotName | None, older: Collection[SnapshotName], whole: bool) -> bool:
    """``newest``: the newest whole snapshot, behind the ``older`` ones; ``whole``: it is the newest of all."""
    name = finding.name
    if not finding.harmful:
        return True
    if newest is None or finding.kind == "Expiring":
        return False
    if (at := segment_of(name)) is not None:
        return at[0] < newest.epoch or (at[0] == newest.epoch and at[1] <= newest.segment)
    if (snapshot := SnapshotName.of(name)) is not None:
        return snapshot in older
    if (note := SchemaName.of(name)) is not None:
        return (note.epoch, note.segment, note.tx) < (newest.epoch, newest.segment, newest.tx)
    if snapshot_names.content(name) is not None:
        return whole
    return name.endswith("/watermark.json") and epoch_of(name) < newest.epoch


def damaged(findings: Collection[Finding]) -> str | None:
    """Why a new snapshot is due, in words; None where it is not, or would not help.

    The same damage has the same words, and its time, every time. A watermark is put again by the shipper, and what
    cannot be read may be readable tomorrow.
    """
    for finding in findings:
        if finding.kind in DAMAGE and not finding.contained and not finding.name.endswith("/watermark.json"):
            return f"{finding.name}: {finding.message} (found {moment(finding.at * 1000)})"
    return None
