"""Which objects an archive holds: what is new since the last look, or everything, and what of it is missing."""

from __future__ import annotations

from collections.abc import Callable

from neo4j_dr_operator.audit import due
from neo4j_dr_operator.audit.facts import Content, Damaged
from neo4j_dr_operator.audit.findings import epoch_of, missing_segments, missing_snapshots, segment_of
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
ABSENT = 1000
"""Objects that are missing, named at most; the window knows of all of them."""


class Sight:
    """One archive. ``found``: what is wrong beside what is read, by name; ``epochs``: those that have segments."""

    def __init__(self, store: Store, archive: str, known: Ledger, now: int) -> None:
        """``now``: seconds since 1970."""
        self._store, self._archive, self._known, self._now = store, archive, known, now
        self.found: dict[str, Damaged] = {}
        self.epochs: list[int] = sorted(known.tails)
        self.schemas: list[SchemaName] = []
        """Notes of the schema: few and small, so that all are read whenever everything is listed."""
        self._listed = False

    def news(self) -> list[str]:
        """Names of segments and manifests that nobody has read yet. Segments behind the last known ones only.

        What earlier rounds have found missing stays so until everything is listed again.
        """
        known, archive = self._known, self._archive
        self.epochs = sorted(int(each) for each in self._store.folders(f"{archive}/") if each.isdigit())
        new: list[str] = []
        for epoch in self.epochs:
            if epoch == self.epochs[-1] or epoch not in known.tails:
                after = names.segment(archive, epoch, known.tails.get(epoch, 0))
                new += self._store.names(names.folder(archive, epoch), after)
        listed = set(self._store.names(snapshot_names.snapshots(archive)))
        self._snapshots(listed)
        new += [key for key in listed if SnapshotName.of(key) not in known.copies]
        return [name for name in new if due.subject(name) is not None]

    def everything(self, manifest: Callable[[SnapshotName], Manifest | None]) -> list[str]:
        """The same after a list of everything, against which all that is known is compared."""
        known, archive = self._known, self._archive
        listed = set(self._store.names(f"{archive}/"))
        for name in list(known.findings):
            if name not in listed and name != names.marker(archive):
                del known.findings[name]
        self.epochs = sorted({epoch_of(name) for name in listed if segment_of(name) is not None})
        self._snapshots({name for name in listed if SnapshotName.of(name) is not None})
        self.schemas = sorted(note for key in listed if (note := SchemaName.of(key)) is not None)
        self._segments(listed)
        self._contents(listed, manifest)
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
        for name in missing_snapshots(expected, there):
            self.found[name.key(self._archive)] = Damaged("Missing", "it is not there, and older ones are")
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

    def _contents(self, listed: set[str], manifest: Callable[[SnapshotName], Manifest | None]) -> None:
        known = self._known
        there = {sha256: name for name in listed if (sha256 := snapshot_names.content(name)) is not None}
        needed: dict[str, bool] = {}
        for key in sorted(listed):
            if (name := SnapshotName.of(key)) is not None and (made := manifest(name)) is not None:
                needed.update(dict.fromkeys((ref.sha256 for ref in made.chunks), False))
                needed.update(dict.fromkeys((ref.sha256 for ref in made.amendments), True))
        lost = [sha256 for sha256 in needed if sha256 not in there]
        for sha256 in lost[:ABSENT]:
            named = snapshot_names.amendment if needed[sha256] else snapshot_names.chunk
            self.found[named(self._archive, sha256)] = Damaged("Missing", "it is not there, and a snapshot needs it")
        for sha256, key in there.items():
            known.contents.setdefault(sha256, Content(key.endswith(".seg"), self._now))
        known.contents = {sha256: each for sha256, each in known.contents.items() if sha256 in there}

    def _others(self, listed: set[str]) -> None:
        """Objects that nobody knows, and rules of the bucket that delete."""
        foreign = sorted(name for name in listed if not due.known(self._archive, name))
        for name in foreign[:FOREIGN]:
            self.found[name] = Damaged("Foreign", "it is no object of an archive; nothing reads it")
        for rule, does in (self._store.endangering(f"{self._archive}/") or {}).items():
            sentence = f"the bucket's lifecycle rule {rule} {does}"
            self.found[f"lifecycle rule {rule}"] = Damaged("Expiring", sentence)
