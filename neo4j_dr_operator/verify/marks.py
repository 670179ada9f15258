"""Sets of element ids at one byte an id (pure)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neo4j_dr_operator.graph.columns import Ids

_ROOM = 1 << 16


class Marks:
    """A set of ids that grows as it is needed."""

    def __init__(self) -> None:
        self._held: npt.NDArray[np.bool_] = np.zeros(_ROOM, bool)
        self.count = 0

    def add(self, ids: Ids) -> None:
        """Put ids in."""
        if not len(ids):
            return
        top = int(ids.max()) + 1
        if top > len(self._held):
            grown = np.zeros(max(top, len(self._held) * 2), bool)
            grown[: len(self._held)] = self._held
            self._held = grown
        fresh = np.unique(ids[~self._held[ids]])
        self._held[fresh] = True
        self.count += len(fresh)

    def discard(self, ids: Ids) -> None:
        """Take ids out."""
        gone = np.unique(ids[self.among(ids)])
        self._held[gone] = False
        self.count -= len(gone)

    def among(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """For each id, whether it is in."""
        inside = ids < len(self._held)
        found = np.zeros(len(ids), bool)
        found[inside] = self._held[ids[inside]]
        return found

    def ids(self) -> Ids:
        """All of them, rising."""
        return np.flatnonzero(self._held).astype(np.int64)

    def take(self) -> Ids:
        """All of them, rising; afterwards there are none."""
        found = self.ids()
        self._held[found] = False
        self.count = 0
        return found
