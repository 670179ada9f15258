"""What both ways of comparing share: reading pairs, keeping what differs, the scan of both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.replication import scan
from neo4j_dr_operator.verify.follow import Followed
from neo4j_dr_operator.verify.pace import Pace, Progress
from neo4j_dr_operator.verify.side import Found, Side
from neo4j_dr_operator.verify.states import KINDS, Aspect, Kind, State, aspects, unequal
from neo4j_dr_operator.verify.verdict import Difference, Verdict, Which

PAGE = 5_000
"""Most elements that are read at a time; wide ones are fewer."""
LOOKS = 3
"""Times that an element of the standby is found outside the map before it counts as somebody else's."""
FOREIGN = "the link did not write it"
NEVER = "the link never wrote it"
GONE = "the link wrote it, and it is not there any more"
TAKEN = "the link wrote it, and it was deleted: its place was given to another one since"
LEFT = "the primary does not have it"


class Enough(Exception):
    """No error: as many differences were found as were asked for."""


@dataclass(slots=True)
class Pairing:
    """Both sides, the map between them, and what was found so far."""

    primary: Side
    standby: Side
    followed: Followed
    pace: Pace
    limit: int
    verdict: Verdict
    seen: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def found(self, difference: Difference) -> None:
        """Keep a difference. Raises :class:`Enough`."""
        self.verdict.differences.append(difference)
        if len(self.verdict.differences) >= self.limit:
            raise Enough

    def room(self, most: int) -> int:
        """How many elements may be held at a time, however wide those were that the scan has seen."""
        return max(1, min(most, int(scan.PAGE_BYTES / self.primary.widest)))

    # -- states by source id -------------------------------------------------------------------------------------------

    def wanted(self, kind: Kind, state: State | None) -> State | None:
        """A state of the primary as the standby should have it: its ends as ids of the standby, -1 for an unknown."""
        if state is None or kind == "node":
            return state
        start, end = self.followed.elements.nodes.find(state[1:3]).tolist()
        return [state[0], start, end, state[3]]

    def all_wanted(self, kind: Kind, states: list[State]) -> list[State]:
        """The same for a page."""
        if kind == "relationship" and states:
            find = self.followed.elements.nodes.find
            starts = find([max(0, state[1]) for state in states]).tolist()
            ends = find([max(0, state[2]) for state in states]).tolist()
            for state, start, end in zip(states, starts, ends, strict=True):
                state[1], state[2] = start, end
        return states

    def held(self, kind: Kind, targets: Ids) -> list[State | None]:
        """What the standby holds under these ids, in their order; None for -1 and for what is not there."""
        ids, states = self.standby.some(kind, targets[targets >= 0])
        if len(ids) == len(targets):
            return list(states)
        by_id = dict(zip(ids, states, strict=True))
        return [by_id.get(target) for target in targets.tolist()]

    def differing(self, kind: Kind, ids: Ids, source: Found) -> Ids:
        """Of these source ids, those whose elements do not look alike now. ``source``: what the primary has of them."""
        self.followed.freshen()
        targets = self.followed.of(kind).find(ids)
        numbers, states = source
        wanted: list[State | None] = list(self.all_wanted(kind, states))
        if len(numbers) != len(ids):
            by_id = dict(zip(numbers, wanted, strict=True))
            wanted = [by_id.get(number) for number in ids.tolist()]
        return ids[unequal(wanted, self.held(kind, targets))]

    def difference(self, kind: Kind, number: int, target: int, wanted: State | None, held: State | None) -> Difference:
        """The difference between two states of one element that are not the same."""
        which: Which = "differs"  # unless the id was freed by somebody else, and the link got it for another element
        why, found = "", tuple[Aspect, ...]()
        if wanted is None:
            which, why = "extra", LEFT
        elif held is None:
            which, why = "missing", GONE if target >= 0 else NEVER
        elif len(self.followed.of(kind).sources_of([target])) > 1:
            which, why, held = "missing", TAKEN, None
        else:
            found = tuple(aspects(kind, wanted, held))
        shown = wanted or held
        assert shown is not None
        names = tuple(shown[0]) if kind == "node" else (shown[0],)
        primary = self.primary.element_id(kind, number if wanted is not None else -1)
        standby = self.standby.element_id(kind, target if held is not None else -1)
        return Difference(kind, which, primary, standby, names, found, why)

    # -- scans ---------------------------------------------------------------------------------------------------------

    def scan(self, kind: Kind) -> Iterator[tuple[Ids, Found]]:
        """Every id that either the primary or the map uses, page by page, with what the primary has there.

        The next pages are read while one is compared. Ids that come up behind the end meanwhile are in the stream.
        """
        end = max(self.primary.end(kind), self.followed.of(kind).top)
        for ids, source in self.primary.pages(kind, range(end), PAGE):
            self.seen[kind] += len(source[0])
            self.pace.spend(len(source[0]))
            self.pace.tell(Progress(f"{kind}s", ids.stop, end))
            yield self._used(kind, ids, source[0]), source

    def _used(self, kind: Kind, ids: range, numbers: list[int]) -> Ids:
        """Ids of the range in use on either side."""
        every = np.arange(ids.start, ids.stop, dtype=np.int64)
        if len(numbers) == len(ids):
            return every
        used = self.followed.of(kind).find(every) >= 0
        used[np.array(numbers, np.int64) - ids.start] = True
        return every[used]

    def scan_standby(self, kind: Kind) -> None:
        """Find elements of the standby that are in no entry of the map: somebody else wrote them."""
        end = self.standby.end(kind)
        for first in range(0, end, PAGE):
            ids = range(first, min(first + PAGE, end))
            self.followed.freshen()
            there = np.array(self.standby.present(kind, ids), np.int64)
            strangers = there[~self.followed.known[kind].among(there)]
            self.pace.spend(len(there))
            self.pace.tell(Progress(f"{kind}s of the standby", ids.stop, end))
            if len(strangers):
                self._strangers(kind, strangers)

    def _strangers(self, kind: Kind, ids: Ids) -> None:
        """An element that the link has just written is in the map a moment later; one that it has just deleted is not
        there any more. Seen outside the map again and again, with the map followed in between, it is neither."""
        for _ in range(LOOKS):
            self.followed.refresh()
            ids = ids[~self.followed.known[kind].among(ids)]
            numbers, states = self.standby.some(kind, ids)
            ids = np.array(numbers, np.int64)
        for number, state in zip(numbers, states, strict=True):
            names = tuple(state[0]) if kind == "node" else (state[0],)
            self.found(Difference(kind, "extra", "", self.standby.element_id(kind, number), names, why=FOREIGN))
