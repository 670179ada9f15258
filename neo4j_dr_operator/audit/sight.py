"""Which objects an archive holds: what is new since the last look, or everything, and what of it is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from neo4j_dr_operator.audit import due
from neo4j_dr_operator.audit.facts import Content, Damaged
from neo4j_dr_operator.audit.findings import bad_segments, missing_segments, missing_snapshots, segment_of
from neo4j_dr_operator.audit.ledger import Ledger
from neo4j_dr_operator.audit.store import Store
from neo4j_dr_operator.backup import names as snapshot_names
from neo4j_dr_operator.backup import suspects
from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.shipping import names
from neo4j_dr_operator.shipping.schema import SchemaName

FOREIGN = 20
"""Objects that nobody knows, named at most."""
BESIDE = 2
"""Epochs that may grow at a time: what is left of one is put while, or after, the next one begins."""
RULE = "lifecycle rule "
"""Begins the name of a finding that is no object's."""
ABSENT = 1000
"""Objects that are missing, named at most; the window knows of all of them."""


class Sight:
    """One archive. ``found``: what is wrong beside what is read, by name."""

    def __init__(self, store: Store, archive: str, known: Ledger, now: int, *, pruned: bool) -> None:
        """``now``: seconds since 1970. ``pruned``: whether retention deletes, or did since the last round."""
        self._store, self._archive, self._known, self._now = store, archive, known, now
        self._pruned = pruned
        self.found: dict[str, Damaged] = {}
        self.schemas: list[SchemaName] = []
        """Notes of the schema: few and small, so that all are read whenever everything is listed."""

    def epochs(self, folders: Iterable[str], *, every: bool) -> list[int]:
        """Those of the archive's folders that may have grown since the last round; all of them with ``every``."""
        there = sorted(int(each) for each in folders if each.isdigit())
        return [epoch for epoch in there if every or epoch in there[-BESIDE:] or self._grows(epoch)]

    def _grows(self, epoch: int) -> bool:
        """Whether an older epoch may not have been read to its end: nothing new was found in it by a round that knew
        later ones."""
        known = self._known
        if epoch not in known.tails or epoch == max(known.tails) or self._read_to(epoch) < known.tails[epoch]:
            return True
        pieces = known.pieces.get(epoch, {})
        return bool(pieces) and pieces[max(pieces)].at >= known.at

    def _read_to(self, epoch: int) -> int:
        """Number up to which every segment was read, or found wrong: what stands behind it may be new.

        No number says so that is kept: a round may die, a watermark name what nobody has listed yet, and a list become
        old while it is worked through.
        """
        known = self._known
        seen = {*known.pieces.get(epoch, ()), *bad_segments(known.findings.values()).get(epoch, ())}
        number = min(seen, default=0)
        while number + 1 in seen:
            number += 1
        return number

    def news(self, epochs: Iterable[int]) -> list[str]:
        """Names of segments of these epochs, and of manifests, that nobody has read yet.

        What earlier rounds have found missing stays so until everything is listed again.
        """
        archive = self._archive
        new: list[str] = []
        for epoch in epochs:
            after = names.segment(archive, epoch, self._read_to(epoch))
            new += self._store.names(names.folder(archive, epoch), after)
        listed = set(self._store.names(snapshot_names.snapshots(archive)))
        self._snapshots(listed)
        return [name for name in (*new, *listed) if self._unread(name)]

    def everything(self, manifest: Callable[[SnapshotName], Manifest | None]) -> list[str]:
        """The same after a list of everything, against which all that is known is compared.

        A snapshot counts that was there before the list was begun and is in it: a backup puts the manifest last, and
        retention deletes it first, so whatever it needs has to be in the list.
        """
        known, archive = self._known, self._archive
        before = set(self._store.names(snapshot_names.snapshots(archive)))
        listed = set(self._store.names(f"{archive}/"))
        for name in list(known.findings):
            if name not in listed and name != names.marker(archive) and not name.startswith(RULE):
                del known.findings[name]
        self._snapshots({name for name in listed if SnapshotName.of(name) is not None})
        self.schemas = sorted(note for key in listed if (note := SchemaName.of(key)) is not None)
        self._segments(listed)
        self._contents(listed, sorted(before & listed), manifest)
        self._others(listed)
        known.noted = known.noted or suspects.name(archive) in listed
        known.listed = self._now
        return [name for name in listed if self._unread(name)]

    def _unread(self, name: str) -> bool:
        if (at := segment_of(name)) is not None:
            return at[1] not in self._known.pieces.get(at[0], {})
        return (snapshot := SnapshotName.of(name)) is not None and snapshot not in self._known.copies

    def _snapshots(self, listed: set[str]) -> None:
        known = self._known
        there = {name for key in listed if (name := SnapshotName.of(key)) is not None}
        expected = {*known.copies, *(name for key in known.findings if (name := SnapshotName.of(key)) is not None)}
        why = "older ones are" if self._pruned else "nothing is to be deleted"
        for name in missing_snapshots(expected, there, known.database, pruned=self._pruned):
            self.found[name.key(self._archive)] = Damaged("Missing", f"it is not there, and {why}")
        for name in expected - there:
            known.copies.pop(name, None)

    def _segments(self, listed: set[str]) -> None:
        known = self._known
        there: dict[int, set[int]] = {}
        for key in listed:
            if (at := segment_of(key)) is not None:
                there.setdefault(at[0], set()).add(at[1])
        copies = [name for key in listed if (name := SnapshotName.of(key)) is not None]
        for epoch in {*there, *known.tails}:
            numbers = there.get(epoch, set())
            tail = max({known.tails.get(epoch, 0), *numbers})
            base = min((copy.segment for copy in copies if copy.epoch == epoch), default=None)
            known.tails[epoch] = tail
            for number in missing_segments(numbers, base, tail)[:ABSENT]:
                key = names.segment(self._archive, epoch, number)
                self.found[key] = Damaged("Missing", "it is not there, and what stands in it is needed")
            held = known.pieces.get(epoch, {})
            known.pieces[epoch] = {number: piece for number, piece in held.items() if number in numbers}

    def _contents(
        self, listed: set[str], manifests: Iterable[str], manifest: Callable[[SnapshotName], Manifest | None]
    ) -> None:
        known = self._known
        there = {sha256: name for name in listed if (sha256 := snapshot_names.content(name)) is not None}
        needed: dict[bytes, bool] = {}
        for key in manifests:
            if (name := SnapshotName.of(key)) is not None and (made := manifest(name)) is not None:
                needed.update((bytes.fromhex(ref.sha256), False) for ref in made.chunks)
                needed.update((bytes.fromhex(ref.sha256), True) for ref in made.amendments)
        lost = [digest for digest in needed if digest.hex() not in there]
        for digest in lost[:ABSENT]:
            key = (snapshot_names.amendment if needed[digest] else snapshot_names.chunk)(self._archive, digest.hex())
            self.found[key] = Damaged("Missing", "it is not there, and a snapshot needs it")
        for sha256, key in there.items():
            known.contents.setdefault(sha256, Content(key.endswith(".seg"), self._now))
        known.contents = {sha256: each for sha256, each in known.contents.items() if sha256 in there}

    def _others(self, listed: set[str]) -> None:
        """Objects that nobody knows, and rules of the bucket that delete."""
        foreign = sorted(name for name in listed if not due.known(self._archive, name))
        for name in foreign[:FOREIGN]:
            self.found[name] = Damaged("Foreign", "it is no object of an archive; nothing reads it")
        rules = self._store.endangering(f"{self._archive}/")
        self._known.rules = rules is not None
        if rules is None:
            return  # what was found before may still be so
        for name in [name for name in self._known.findings if name.startswith(RULE)]:
            del self._known.findings[name]
        for rule, does in rules.items():
            self.found[f"{RULE}{rule}"] = Damaged("Expiring", f"the bucket's lifecycle rule {rule} {does}")
