"""One round of an auditor: see what is new, read what is due, say what the archive can bring back.

What was read when stands in the ledger, an object of the archive: a round that dies is gone on with by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal, TypeVar

from neo4j_dr_operator.audit import check, due, ledger
from neo4j_dr_operator.audit.config import FULL, AuditConfig
from neo4j_dr_operator.audit.facts import Content, Copy, Damaged, Finding
from neo4j_dr_operator.audit.findings import bad_segments, broken_links, judged, unusable
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.audit.sight import Sight
from neo4j_dr_operator.audit.status import AuditStatus
from neo4j_dr_operator.audit.store import Store
from neo4j_dr_operator.audit.window import window
from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.chain import MARKER
from neo4j_dr_operator.shipping.schema import SchemaName

POINTS = ("listed", "read", "saved")
"""Where a test can have the process killed: after the listing, after an object was read, after the ledger was put."""
READERS, TOGETHER = 4, 32
"""Objects read at a time, and handed to the readers together."""
SAVE_SECONDS = 30.0
T = TypeVar("T")
Answer = bytes | Damaged | None
"""An object's bytes, or why they cannot be had, or None where there are none."""
Look = Literal["fine", "bad", "gone"]


class Audit:
    """One round, by the main thread of its process."""

    def __init__(self, config: AuditConfig, status: AuditStatus, patience: Patience, faults: Faults) -> None:
        """Nothing is sent yet. Raises errors of the configuration."""
        self._config, self._status, self._faults = config, status, faults
        self._archive = config.archive
        self._store = Store(config, status, patience)
        self._ledger = Ledger()
        self._before: dict[str, Finding] = {}
        self._folders: list[str] = []
        self._known: set[SnapshotName] = set()
        self._now = int(time.time())
        self._saved = time.monotonic()

    def run(self) -> None:
        """Do it. Raises :class:`~neo4j_dr_operator.errors.DrError` for what no retry will mend."""
        self._status.become("listing")
        try:
            self._open()
        except Damaged as error:  # nothing can be read, so nothing can be restored
            name = names.marker(self._archive)
            self._status.at, self._status.request = self._now, self._config.request
            self._status.findings = [Finding(error.kind, name, error.message, self._now)]
            return
        self._before = dict(self._ledger.findings)
        pruned = self._config.pruned or self._ledger.pruned
        sight = Sight(self._store, self._archive, self._ledger, self._now, pruned=pruned)
        asked = self._ledger.begin(self._config.request, self._now)
        full = asked and self._config.request.endswith(FULL)
        whole = asked or due.listing(self._ledger, self._now, self._config.period)
        epochs = sight.epochs(self._folders, every=whole)
        self._watermarks(epochs)  # before the segments are listed: what a watermark names is in the list, or gone
        new = sight.everything(self._manifest) if whole else sight.news(epochs)
        if not self._ledger.objects and not new:  # nothing has been put yet: the request has its answer
            self._status.request = self._config.request
            return
        self._schemas(sight.schemas)
        self._faults.at("listed")
        work = due.due(self._ledger, new, self._now, self._config.period, full=full)
        self._status.total = len(work)
        self._status.become("checking")
        gone = self._check(work)
        if gone and not whole:  # deleted by retention, or lost: only a look at everything tells
            work = due.at_once(sight.everything(self._manifest))
            self._status.total += len(work)
            self._check(work)
        self._judge(sight.found)
        self._ledger.end(self._config.request)
        self._ledger.at, self._ledger.pruned = self._now, self._config.pruned
        self._note()
        self._save()
        self._tell()

    # -- beginning -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """The ledger, empty where there is none of use. Raises :class:`Damaged` where not even that can be read.

        The marker is put before anything else, so where a folder was listed it has to be there.
        """
        self._folders = self._store.folders(f"{self._archive}/")
        data = self._store.get(ledger.name(self._archive))
        self._ledger = (Ledger.decode(data) if data else None) or Ledger()
        name = names.marker(self._archive)
        held = self._store.get(name)
        problem = Damaged("Missing", "it is not there") if held is None else None
        try:
            check.marker(held or b"")
        except Damaged as error:
            problem = problem or error
        self._ledger.findings.pop(name, None)
        if problem is not None and self._folders:
            self._store.put(name, MARKER)
            self._find(name, Damaged(problem.kind, f"{problem.message}; it has been put again"))

    def _watermarks(self, epochs: Iterable[int]) -> None:
        for epoch in epochs:
            name = names.watermark(self._archive, epoch)
            self._ledger.marks.pop(epoch, None)
            self._ledger.findings.pop(name, None)
            try:
                data = self._store.get(name)
                if data is not None:
                    mark = self._ledger.marks[epoch] = check.watermark(data)
                    self._ledger.tails[epoch] = max(self._ledger.tails.get(epoch, 0), mark.number)
            except Damaged as error:
                self._find(name, error)

    def _schemas(self, found: Iterable[SchemaName]) -> None:
        for name in found:
            key = name.key(self._archive)
            self._looked(key, self._got(key), lambda data, name=name: check.schema(data, self._archive, name))  # type: ignore[misc]

    # -- reading ---------------------------------------------------------------------------------------------------

    def _check(self, work: due.Work) -> bool:
        """Read what is due; whether any of it was not there."""
        gone = self._snapshots(work.snapshots)
        archive = self._archive
        for (epoch, number), data in self._read(work.segments, lambda item: names.segment(archive, *item)):
            gone |= self._segment(epoch, number, data) == "gone"
        for sha256, data in self._read(work.contents, self._content_name):
            gone |= self._content(sha256, data) == "gone"
        return gone

    def _read(self, wanted: Sequence[T], named: Callable[[T], str]) -> Iterator[tuple[T, Answer]]:
        """Each with its bytes, some at a time."""
        with ThreadPoolExecutor(READERS, "read") as pool:
            for at in range(0, len(wanted), TOGETHER):
                some = wanted[at : at + TOGETHER]
                yield from zip(some, pool.map(lambda item: self._got(named(item)), some), strict=True)
                if time.monotonic() - self._saved >= SAVE_SECONDS:
                    self._save()

    def _got(self, name: str) -> Answer:
        try:
            return self._store.get(name)
        except Damaged as error:
            return error

    def _segment(self, epoch: int, number: int, data: Answer) -> Look:
        held = self._ledger.pieces.setdefault(epoch, {})

        def look(data: bytes) -> None:
            held[number] = check.segment(data, self._archive, epoch, number, self._now)
            self._ledger.tails[epoch] = max(self._ledger.tails.get(epoch, 0), number)

        seen = self._looked(names.segment(self._archive, epoch, number), data, look)
        if seen != "fine":
            held.pop(number, None)
        return seen

    def _content(self, sha256: str, data: Answer) -> Look:
        name = self._content_name(sha256)
        amendment = name == snapshot_names.amendment(self._archive, sha256)
        known = self._ledger.contents.get(sha256) or Content(amendment, self._now)

        def look(data: bytes) -> None:
            check.content(data, sha256, amendment=amendment)
            self._ledger.contents[sha256] = replace(known, at=self._now, size=len(data))

        return self._looked(name, data, look)

    def _content_name(self, sha256: str) -> str:
        name = snapshot_names.amendment(self._archive, sha256)
        known = self._ledger.contents.get(sha256)
        amendment = known.amendment if known is not None else name in self._before
        return name if amendment else snapshot_names.chunk(self._archive, sha256)

    def _snapshots(self, wanted: Iterable[SnapshotName]) -> bool:
        """Read manifests, once in a round, and what they name is known then; whether any was not there."""
        seen = [self._snapshot(name) for name in wanted if name not in self._known]
        return "gone" in seen

    def _manifest(self, name: SnapshotName) -> Manifest | None:
        """A snapshot's manifest; None for one that is not in order, or not there.

        It is not kept: those of a large graph are too much for memory together.
        """
        made: list[Manifest] = []
        self._snapshot(name, made.append)
        return made[0] if made else None

    def _snapshot(self, name: SnapshotName, take: Callable[[Manifest], None] = lambda _: None) -> Look:
        known = self._ledger

        def look(data: bytes) -> None:
            manifest = check.manifest(data, self._archive, name)
            lacking = known.copies[name].lacking if name in known.copies else 0
            known.copies[name] = replace(Copy.of(manifest, len(data), self._now), lacking=lacking)
            for chunk in manifest.chunks:
                known.contents.setdefault(chunk.sha256, Content(False, self._now))
            for amendment in manifest.amendments:
                known.contents.setdefault(amendment.sha256, Content(True, self._now))
            self._known.add(name)
            take(manifest)

        key = name.key(self._archive)
        seen = self._looked(key, self._got(key), look)
        if seen != "fine":
            known.copies.pop(name, None)
        return seen

    def _looked(self, name: str, data: Answer, look: Callable[[bytes], None]) -> Look:
        """What is wrong with an object is a finding. One that is not there is none yet: it may have been deleted by
        retention, which only a look at everything tells."""
        self._status.done += 1
        self._ledger.findings.pop(name, None)
        before = self._before.get(name)
        try:
            if isinstance(data, Damaged):
                raise data
            if data is not None:
                look(data)
                return "fine"
            if before is None or before.kind != "Missing":
                return "gone"
            self._ledger.findings[name] = before
        except Damaged as error:
            self._find(name, error)
        finally:
            self._faults.at("read")
        return "bad"

    def _find(self, name: str, error: Damaged) -> None:
        before = self._before.get(name)
        at = before.at if before is not None and before.kind == error.kind else self._now
        self._ledger.findings[name] = Finding(error.kind, name, error.message, at)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _judge(self, found: dict[str, Damaged]) -> None:
        """What does not concern single objects: what is missing, the chain, and which snapshots are whole."""
        for name, error in found.items():
            if error.kind != "Missing" or self._got(name) is None:  # a list takes a while, and may be old by its end
                self._find(name, error)
        for epoch, pieces in self._ledger.pieces.items():
            for number in broken_links(pieces):
                name = names.segment(self._archive, epoch, number)
                behind = names.segment(self._archive, epoch, number + 1)
                if behind not in self._before:
                    self._find(name, Damaged("Altered", f"{behind} does not follow it: one of both was altered"))
                else:
                    self._find(behind, Damaged("Altered", f"it does not follow {name}: one of both was altered"))
        bad = unusable(self._ledger.findings.values()).unusable
        if bad or any(copy.lacking for copy in self._ledger.copies.values()):
            for name_ in list(self._ledger.copies):
                manifest = self._manifest(name_)
                if manifest is not None:
                    copy = self._ledger.copies[name_]
                    self._ledger.copies[name_] = replace(copy, lacking=len(manifest.contents() & bad))

    def _note(self) -> None:
        """Tell backups and restores what cannot be used."""
        note, nothing = unusable(self._ledger.findings.values()), suspects.Note()
        if note == nothing and not self._ledger.noted:
            return
        name = suspects.name(self._archive)
        held = self._store.get(name)
        if (suspects.Note.decode(held) if held else nothing) != note:
            self._store.put(name, note.encode())
        self._ledger.noted = note != nothing

    def _save(self) -> None:
        self._store.put(ledger.name(self._archive), self._ledger.encode())
        self._saved = time.monotonic()
        self._faults.at("saved")

    def _tell(self) -> None:
        status, known = self._status, self._ledger
        findings = judged(known)
        status.at, status.request = self._now, known.done
        status.findings = findings
        status.window = window(known.chapters(bad_segments(findings)))
        status.epoch = max({*known.tails, *(name.epoch for name in known.copies)}, default=0)
        status.rules = known.rules
        status.segment = known.tails.get(status.epoch, 0)
        pieces = known.pieces.get(status.epoch, {})
        status.gap = max((number for number, piece in pieces.items() if piece.start == "gap"), default=None)
        status.objects, status.bytes = known.objects, known.size
        status.oldest = min(known.ages(), default=None)
