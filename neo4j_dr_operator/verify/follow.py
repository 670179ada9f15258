"""The link's element map, followed through its journal while the link's worker goes on."""

from __future__ import annotations

import time

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.columns import Ids
from neo4j_dr_operator.graph.element_map import ElementMap, FlatMap, MapChange
from neo4j_dr_operator.replication import checkpoint, link
from neo4j_dr_operator.replication.link import LinkState
from neo4j_dr_operator.verify.marks import Marks
from neo4j_dr_operator.verify.side import Side
from neo4j_dr_operator.verify.states import KINDS, Kind
from neo4j_dr_operator.verify.verdict import CannotCompare

FRESH = 1.0
"""Seconds for which the map is good enough for a first look."""


class Followed:
    """The map of one link as of :attr:`state`, and which elements of the standby stand in it."""

    def __init__(self, standby: Side, name: str) -> None:
        """Loads the map. Raises :class:`CannotCompare`."""
        self._standby, self._name = standby, name
        self._at = 0.0
        self._load()

    def _load(self) -> None:
        try:
            loaded = self._standby.ask(lambda database: checkpoint.load(database, self._name))
        except errors.LinkMissing as error:
            raise CannotCompare(error.message) from error
        self.state: LinkState = loaded.state
        self.elements: ElementMap = loaded.elements
        self.known: dict[Kind, Marks] = {kind: Marks() for kind in KINDS}
        """Ids of the standby that the map knows."""
        for kind in KINDS:
            self.known[kind].add(self.of(kind).pairs()[1])
        self._at = time.monotonic()

    def of(self, kind: Kind) -> FlatMap:
        """Source id -> standby id of one kind."""
        return self.elements.nodes if kind == "node" else self.elements.relationships

    def look(self) -> LinkState:
        """The link as it stands now. Raises :class:`CannotCompare` when it is not the one that was begun with.

        The map stays as it is.
        """
        state = self._standby.ask(lambda database: link.read(database, self._name))
        if state is None or (state.phase, state.epoch) != (self.state.phase, self.state.epoch):
            said = "is gone" if state is None else f"is at epoch {state.epoch}, phase {state.phase} now"
            raise CannotCompare(f"link {self._name} {said}: a failover or a new seeding began; run it again")
        return state

    def refresh(self) -> LinkState:
        """Follow the link to where it stands now."""
        state = self.look()
        if state.seq != self.state.seq:
            held = self.state
            records = self._standby.ask(
                lambda database: list(checkpoint.records(database, self._name, held.seq, state.seq))
            )
            now = self.look()
            if now.gen == held.gen and now.gen_seq <= held.seq:
                for record in records:
                    self._replay(record)
                self.state = state
            else:  # a compaction deletes the journal that it replaces
                self._load()
        self._at = time.monotonic()
        return self.state

    def freshen(self) -> None:
        """The same, unless it was done a moment ago."""
        if time.monotonic() - self._at > FRESH:
            self.refresh()

    def _replay(self, record: bytes) -> None:
        change = MapChange.decode(record)
        drops: dict[Kind, Ids] = {"node": change.node_drops[0], "relationship": change.relationship_drops[0]}
        for kind in KINDS:
            targets = self.of(kind).find(drops[kind])
            self.known[kind].discard(targets[targets >= 0])
        self.elements.replay(record)
        self.known["node"].add(change.node_puts[0][1])
        self.known["relationship"].add(change.relationship_puts[0][1])
