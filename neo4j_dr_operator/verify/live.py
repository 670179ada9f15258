"""Comparing while the link goes on.

Everything is looked at once; what the stream then says has changed meanwhile, and what did not look alike, is looked at
again, in rounds that become short. What is left is judged with the stream as a witness: for each element the states
that the primary has had are known, and the one that the standby shows must be the one of its position.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.verify import stream
from neo4j_dr_operator.verify.marks import Marks
from neo4j_dr_operator.verify.pace import Progress
from neo4j_dr_operator.verify.pairs import Pairing
from neo4j_dr_operator.verify.side import paged
from neo4j_dr_operator.verify.states import KINDS, Kind, State, same
from neo4j_dr_operator.verify.stream import Event
from neo4j_dr_operator.verify.verdict import CannotCompare

JUDGED = 1_000
"""Elements that are judged at a time."""
FEW = 2 * JUDGED
"""Elements that are not worth another round."""
ROUNDS = 12
TRIES = 30
"""Times that elements are judged which change under the eyes each time."""
POLL = 0.05


class Stopped(Exception):
    """The link does not move: no error, another way of comparing is for this."""


def reach(pairing: Pairing, tx: int, patience: float) -> LinkState:
    """Wait until the standby has applied source transaction ``tx``. Raises :class:`Stopped` when the link has not moved
    for ``patience`` seconds."""
    waiting, state = threading.Event(), pairing.followed.look()
    since, seq = time.monotonic(), state.seq
    while state.cursor_tx < tx:
        if time.monotonic() - since > patience:
            raise Stopped(state.cursor)
        pairing.pace.tell(Progress(f"waiting for the standby: {tx - state.cursor_tx} transactions behind"))
        waiting.wait(POLL)
        state = pairing.followed.look()
        if state.seq != seq:
            since, seq = time.monotonic(), state.seq
    return state


class Live:
    """One comparison of a link that moves."""

    def __init__(self, pairing: Pairing, patience: float) -> None:
        """``patience``: seconds without a move after which the link counts as stopped."""
        self.pairing, self.patience = pairing, patience
        self.doubtful: dict[Kind, Marks] = {kind: Marks() for kind in KINDS}
        self._from: Position | None = None
        """In the end: the position that everything else was compared at. The stream is asked from there on."""
        self._ahead = 0

    def run(self) -> None:
        """Fill the verdict. Raises :class:`~.pairs.Enough`, :class:`Stopped`, :class:`CannotCompare`."""
        pairing, verdict = self.pairing, self.pairing.verdict
        position = stream.current(pairing.primary)
        verdict.position, verdict.transaction, verdict.last_transaction = position.text, position.tx, position.tx
        reach(pairing, position.tx, self.patience)
        for kind in KINDS:
            for ids, source in pairing.scan(kind):
                self._doubt(kind, pairing.differing(kind, ids, source))
        for kind in KINDS:
            pairing.scan_standby(kind)
        last = self._rounds(position)
        verdict.position, verdict.transaction = last.text, last.tx
        verdict.last_transaction = max(last.tx, self._ahead)

    def _doubt(self, kind: Kind, ids: Ids) -> None:
        """Elements that did not look alike are looked at again later; very many of them at once."""
        if len(ids):
            self.doubtful[kind].add(ids)
        if self.doubtful[kind].count >= FEW:
            self._judge_all()

    def _rounds(self, position: Position) -> Position:
        """Look again at what changed since ``position`` until little is left, and judge that; where it ended."""
        before = 1 << 62
        for number in range(1, ROUNDS + 1):
            position = self._mark(position)
            count = sum(marks.count for marks in self.doubtful.values())
            if count <= FEW or count > before * 0.7:
                break
            before = count
            reach(self.pairing, position.tx, self.patience)
            self.pairing.followed.refresh()
            self._again(number, count)
        self._from, self.pairing.verdict.later = position, 0
        self._judge_all()
        return position

    def _mark(self, position: Position) -> Position:
        """Everything that changed after ``position`` is doubtful; gives where that ends."""
        end = position.text
        for cursor, ids in stream.touched(self.pairing.primary, position.text):
            end = cursor
            for kind in KINDS:
                self.doubtful[kind].add(ids[kind])
        return Position.decode(end)

    def _again(self, number: int, count: int) -> None:
        pairing, done = self.pairing, 0
        for kind in KINDS:
            for ids in paged(self.doubtful[kind].take(), pairing.room(JUDGED)):
                self.doubtful[kind].add(pairing.differing(kind, ids, pairing.primary.some(kind, ids)))
                done += len(ids)
                pairing.pace.spend(len(ids))
                pairing.pace.tell(Progress(f"changed meanwhile, round {number}", done, count))
        pairing.verdict.rechecked += count

    # -- judging -------------------------------------------------------------------------------------------------------

    def _judge_all(self) -> None:
        pairing = self.pairing
        for kind in KINDS:
            for ids in paged(self.doubtful[kind].take(), pairing.room(JUDGED)):
                pairing.pace.tell(Progress(f"judging {len(ids)} {kind}s"))
                self._judge(kind, ids)
                pairing.verdict.rechecked += len(ids)

    def _judge(self, kind: Kind, ids: Ids) -> None:
        for _ in range(TRIES):
            ids = self._once(kind, ids)
            if not len(ids):
                return
        raise CannotCompare(f"{len(ids)} {kind}s changed every time that they were looked at; run it again")

    def _once(self, kind: Kind, ids: Ids) -> Ids:
        """Judge elements; those that changed on the standby while it was read are left over."""
        pairing = self.pairing
        primary, followed = pairing.primary, pairing.followed
        start = self._from or stream.current(primary)
        seen = dict(zip(*primary.some(kind, ids), strict=True))
        reach(pairing, stream.current(primary).tx, self.patience)
        before = followed.refresh()
        targets = followed.of(kind).find(ids)
        held = pairing.held(kind, targets)
        after = followed.refresh()
        history = stream.events(primary, kind, ids, start.text, after.cursor_tx, pairing.room(stream.HEAVY))
        left = []
        for number, target, state in zip(ids.tolist(), targets.tolist(), held, strict=True):
            known = history.get(number, [])
            wanted = pairing.wanted(kind, at(known, before.cursor_tx, seen.get(number)))
            if not same(wanted, state):
                if any(before.cursor_tx < event.tx <= after.cursor_tx for event in known):
                    left.append(number)
                    continue
                pairing.verdict.last_transaction = max(pairing.verdict.last_transaction, before.cursor_tx)
                pairing.found(pairing.difference(kind, number, target, wanted, state))
            if known and known[0].tx <= before.cursor_tx:  # it changed again after the position of all others
                pairing.verdict.later += 1
                self._ahead = max(self._ahead, before.cursor_tx)
        return np.array(left, np.int64)


def at(known: list[Event], tx: int, first: State | None) -> State | None:
    """The state of an element right after transaction ``tx``: of its last change up to then, else ``first`` (pure)."""
    states = [event.state for event in known if event.tx <= tx]
    return states[-1] if states else first
