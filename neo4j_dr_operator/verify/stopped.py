"""Comparing while the link stands still, at the transaction where it stands, though the primary has gone on.

What changed in the primary since then is compared with what stood there *before* its first change, which the stream
tells; all else with what stands in the primary now.
"""

from __future__ import annotations

import numpy as np

from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.verify import stream
from neo4j_dr_operator.verify.live import JUDGED
from neo4j_dr_operator.verify.marks import Marks
from neo4j_dr_operator.verify.pace import Progress
from neo4j_dr_operator.verify.pairs import Pairing
from neo4j_dr_operator.verify.side import paged
from neo4j_dr_operator.verify.states import KINDS, Kind, State, same


class Moved(Exception):
    """The link moves again: no error, the other way of comparing is for this."""


class Standing:
    """One comparison of a link that does not move."""

    def __init__(self, pairing: Pairing) -> None:
        self.pairing = pairing
        self.changed: dict[Kind, Marks] = {kind: Marks() for kind in KINDS}
        """What changed in the primary after the link's position: compared by what stood there before."""
        self._suspects: dict[Kind, Marks] = {kind: Marks() for kind in KINDS}
        self._cursor = ""

    def run(self) -> None:
        """Fill the verdict. Raises :class:`~.pairs.Enough`, :class:`Moved`, CannotCompare."""
        pairing, verdict = self.pairing, self.pairing.verdict
        state = pairing.followed.refresh()
        self._cursor = state.cursor
        verdict.stopped, verdict.position, verdict.later = True, state.cursor, 0
        verdict.transaction = verdict.last_transaction = state.cursor_tx
        self._past()
        for kind in KINDS:
            for ids, source in pairing.scan(kind):
                self._suspects[kind].add(pairing.differing(kind, ids, source))
            self._unmoved(state.seq)
        self._past()
        for kind in KINDS:
            for ids in paged(self._suspects[kind].take(), pairing.room(JUDGED)):
                self._judge(kind, ids)
            pairing.scan_standby(kind)
        self._unmoved(state.seq)

    def _unmoved(self, seq: int) -> None:
        if self.pairing.followed.look().seq != seq:
            raise Moved

    def _past(self) -> None:
        """Compare what changed since the last call by what stood there before its first change."""
        pairing = self.pairing
        for cursor, kind, ids, states in stream.befores(pairing.primary, self._cursor, pairing.room(stream.HEAVY)):
            first: dict[int, State | None] = {}
            for number, state in zip(ids, states, strict=True):
                first.setdefault(number, state)
            numbers = np.fromiter(first, np.int64, len(first))
            numbers = numbers[~self.changed[kind].among(numbers)]
            self.changed[kind].add(numbers)
            self._compare(kind, numbers, first)
            pairing.verdict.rechecked += len(numbers)
            pairing.pace.tell(
                Progress(f"changed after transaction {pairing.verdict.transaction}", pairing.verdict.rechecked)
            )
            self._cursor = cursor

    def _judge(self, kind: Kind, ids: Ids) -> None:
        """What did not look alike and has not changed since differs."""
        states = dict(zip(*self.pairing.primary.some(kind, ids), strict=True))
        self._past()
        self._compare(kind, ids[~self.changed[kind].among(ids)], states)

    def _compare(self, kind: Kind, ids: Ids, states: dict[int, State] | dict[int, State | None]) -> None:
        pairing = self.pairing
        targets = pairing.followed.of(kind).find(ids)
        for number, target, held in zip(ids.tolist(), targets.tolist(), pairing.held(kind, targets), strict=True):
            wanted = pairing.wanted(kind, states.get(number))
            if not same(wanted, held):
                pairing.found(pairing.difference(kind, number, target, wanted, held))
