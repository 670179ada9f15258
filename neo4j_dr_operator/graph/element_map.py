"""Which element of the target stands for which element of the source.

Internal ids are reused on both sides after deletes, so an entry is forgotten in the same transaction that deletes the
element. In memory the map is one 64-bit integer a slot: 8 bytes an element, no growth copies, and gaps that cost
nothing because the memory is reserved, not used. In the target it is a journal of small records, one a transaction,
compacted into slices now and then (:mod:`neo4j_dr_operator.replication.checkpoint`).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from neo4j_dr_operator.errors import UnsupportedIds
from neo4j_dr_operator.graph import columns
from neo4j_dr_operator.graph.columns import Ids

_MAP_NORESERVE = 0x4000
_SIZES = (1 << 32, 1 << 30, 1 << 28, 1 << 26)
_VERSION = 1
SLICE = 16_384
"""Entries of one slice of a checkpoint."""


def _reserve(sizes: Sequence[int]) -> mmap.mmap:
    """Address space for as many slots as the machine lets us reserve (``vm.overcommit_memory=2`` and limits refuse)."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    for slots in sizes:
        try:
            memory = mmap.mmap(-1, slots * 8, flags=flags)
        except (OSError, ValueError, OverflowError):
            continue
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        return memory
    raise UnsupportedIds(f"cannot reserve memory for an element map of {sizes[-1]} entries")


class FlatMap:
    """Source id -> target id of one kind of element, with an undo log for the transaction under way.

    A slot holds target id + 1; 0 means none. Raises :class:`UnsupportedIds` for ids beyond the reserved slots, on
    either side: after a promotion the map is turned round.
    """

    def __init__(self, sizes: Sequence[int] = _SIZES) -> None:
        self._memory = _reserve(sizes)
        self._slots: Ids = np.frombuffer(self._memory, dtype=np.int64)
        self._undo: list[tuple[Ids, Ids]] = []
        self._changed = np.zeros(-(-len(self._slots) // SLICE), np.bool_)
        self.top = 0
        """One more than the highest source id ever put."""

    def find(self, ids: Sequence[int] | Ids) -> Ids:
        """Target ids, -1 where there is none."""
        wanted = np.asarray(ids, dtype=np.int64)
        self._check(wanted)
        return self._slots[wanted] - 1

    def put(self, sources: Ids, targets: Ids) -> None:
        """Remember pairs."""
        if not len(sources):
            return
        self._check(sources)
        self._check(targets)
        self._undo.append((sources, self._slots[sources]))
        self._slots[sources] = targets + 1
        self._changed[sources // SLICE] = True
        self.top = max(self.top, int(sources.max()) + 1)

    def drop(self, sources: Ids) -> None:
        """Forget entries."""
        if not len(sources):
            return
        self._check(sources)
        self._undo.append((sources, self._slots[sources]))
        self._slots[sources] = 0
        self._changed[sources // SLICE] = True

    def keep(self) -> None:
        """The transaction is in: nothing to undo any more."""
        self._undo.clear()

    def undo(self) -> None:
        """The transaction is not in: the map is again as it was at the last :meth:`keep`."""
        while self._undo:
            sources, before = self._undo.pop()
            self._slots[sources] = before

    def sources_of(self, targets: Sequence[int]) -> Ids:
        """Source ids that stand for these target ids: a scan of the whole map, for rare use."""
        return np.flatnonzero(np.isin(self._slots[: self.top], np.asarray(targets, np.int64) + 1)).astype(np.int64)

    def count(self) -> int:
        """Entries in the map: a scan."""
        return int(np.count_nonzero(self._slots[: self.top]))

    def pairs(self) -> tuple[Ids, Ids]:
        """All source ids, rising, and their target ids."""
        sources = np.flatnonzero(self._slots[: self.top]).astype(np.int64)
        return sources, self._slots[sources] - 1

    def slices(self) -> Iterator[tuple[int, bytes]]:
        """(first source id, bytes) of every slice with entries in it."""
        for base in range(0, self.top, SLICE):
            if self._slots[base : min(base + SLICE, self.top)].any():
                yield base, self.slice(base)

    def slice(self, base: int) -> bytes:
        """The slice of source ids from ``base`` on."""
        return columns.pack_slice(self._slots[base : min(base + SLICE, self.top)])

    def unsaved(self) -> list[int]:
        """First source ids of the slices that may differ from what :meth:`saved` was told of last, rising.

        A change that was undone still counts: what is written once too often does no harm.
        """
        slices: list[int] = (np.flatnonzero(self._changed[: -(-self.top // SLICE)]) * SLICE).tolist()
        return slices

    def saved(self, bases: Iterable[int]) -> None:
        """These slices stand in the target as they are here, with nothing to undo."""
        self._changed[np.fromiter(bases, np.int64) // SLICE] = False

    def load_slice(self, base: int, data: bytes) -> None:
        """Take over one slice of a checkpoint, written for source ids from ``base``."""
        slots = columns.unpack_slice(data)
        end = base + len(slots)
        self._check(np.array([end - 1], np.int64))
        self._slots[base:end] = slots
        self.top = max(self.top, end)

    def _check(self, ids: Ids) -> None:
        if len(ids) and (int(ids.max()) >= len(self._slots) or int(ids.min()) < 0):
            raise UnsupportedIds(
                f"internal id {int(ids.max())} is beyond the {len(self._slots)} entries that the element map can hold"
            )


@dataclass(slots=True)
class MapChange:
    """What one transaction does to the map, in this order: entries dropped, then pairs put."""

    node_drops: list[Ids] = field(default_factory=list)
    relationship_drops: list[Ids] = field(default_factory=list)
    node_puts: list[tuple[Ids, Ids]] = field(default_factory=list)
    relationship_puts: list[tuple[Ids, Ids]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.node_drops or self.relationship_drops or self.node_puts or self.relationship_puts)

    def encode(self) -> bytes:
        """The journal record: a version byte, then six columns (drops, drops, then sources, targets of each kind)."""
        return bytes([_VERSION]) + b"".join(
            columns.pack(column)
            for column in (
                _joined(self.node_drops),
                _joined(self.relationship_drops),
                _joined([sources for sources, _ in self.node_puts]),
                _joined([targets for _, targets in self.node_puts]),
                _joined([sources for sources, _ in self.relationship_puts]),
                _joined([targets for _, targets in self.relationship_puts]),
            )
        )

    @classmethod
    def decode(cls, record: bytes) -> MapChange:
        """What :meth:`encode` wrote, one column a list. Raises :class:`ValueError` for a record that is cut or of
        another version."""
        if not record or record[0] != _VERSION:
            raise ValueError("a journal record of the element map has an unknown version")
        at, parts = 1, []
        for _ in range(6):
            column, at = columns.unpack(record, at)
            parts.append(column)
        return cls([parts[0]], [parts[1]], [(parts[2], parts[3])], [(parts[4], parts[5])])


def _joined(parts: list[Ids]) -> Ids:
    if not parts:
        return np.empty(0, np.int64)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class ElementMap:
    """Both kinds of elements of one link."""

    def __init__(self, sizes: Sequence[int] = _SIZES) -> None:
        self.nodes = FlatMap(sizes)
        self.relationships = FlatMap(sizes)

    def keep(self) -> None:
        """See :meth:`FlatMap.keep`."""
        self.nodes.keep()
        self.relationships.keep()

    def undo(self) -> None:
        """See :meth:`FlatMap.undo`."""
        self.nodes.undo()
        self.relationships.undo()

    def replay(self, record: bytes) -> None:
        """Apply one journal record. Raises :class:`ValueError` for one that is cut or of another version."""
        change = MapChange.decode(record)
        self.nodes.drop(change.node_drops[0])
        self.relationships.drop(change.relationship_drops[0])
        self.nodes.put(*change.node_puts[0])
        self.relationships.put(*change.relationship_puts[0])
        self.keep()

    def inverted(self, sizes: Sequence[int] = _SIZES) -> ElementMap:
        """Target id -> source id: the map of the reverse direction."""
        other = ElementMap(sizes)
        for mine, theirs in (
            (self.nodes, other.nodes),
            (self.relationships, other.relationships),
        ):
            sources, targets = mine.pairs()
            theirs.put(targets, sources)
        other.keep()
        return other
