"""Two workers that know the same state of a link, interleaved at will: neither may take the other's map for left-overs.

Each is one of two operators'. The one that is overtaken is told by its next transaction, before it has made anything
valid.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import Neo4j
from neo4j_dr_operator.errors import Stale
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.element_map import ElementMap
from neo4j_dr_operator.replication import checkpoint, handover, link
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from tests.database.conftest import Start
from tests.database.process import FORWARD, REVERSE
from tests.database.test_links import promote

NODES, RELATIONSHIPS = 3_000, 1_500


class Ended(Exception):
    """A worker that goes no further."""


def way(server: Neo4j) -> Database:
    return Database(Endpoint(server.uri, server.user, server.password, server.ca_pem, timeout=10.0))


def attached(database: Database, name: str) -> LinkWriter:
    loaded = checkpoint.load(database, name)
    return LinkWriter(database, loaded.state, loaded.elements, Faults())


def counts(writer: LinkWriter) -> tuple[int, int]:
    return writer.map.nodes.count(), writer.map.relationships.count()


@pytest.fixture
def copied(source: Neo4j, target: Neo4j, start: Start) -> None:
    """A link that streams, with nobody at work any more."""
    source.query("UNWIND range(1, $n) AS i CREATE (:A {uid: i})", n=NODES)
    source.query("UNWIND range(1, $n) AS i MATCH (a:A {uid: i}) CREATE (a)-[:R {w: i}]->(a)", n=RELATIONSHIPS)
    worker = start()
    worker.caught_up()
    assert worker.finish() == 0


class Overtaken:
    """One worker (the caller's thread) that writes a generation, and another one that begins to when the first has
    written all its pages, and ends before it has written any."""

    def __init__(self, patch: pytest.MonkeyPatch, act: Callable[[], object], paused_behind: str | None = None) -> None:
        """``act``: what the other one does. ``paused_behind``: it has looked at this link before the first begins."""
        self._act, self._looked, self._go_on = act, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ended = False
        pages, read = checkpoint._pages, link.read

        def written(elements: ElementMap) -> Iterator[list[dict[str, Any]]]:
            if threading.current_thread() is self._thread:
                raise Ended
            yield from pages(elements)
            if paused_behind is None:
                self._thread.start()
            self._go_on.set()
            self._thread.join(30)

        def looked(database: Database, name: str) -> LinkState | None:
            found = read(database, name)
            if threading.current_thread() is self._thread and name == paused_behind:
                self._looked.set()
                assert self._go_on.wait(30)
            return found

        patch.setattr(checkpoint, "_pages", written)
        patch.setattr(link, "read", looked)
        if paused_behind is not None:
            self._thread.start()
            assert self._looked.wait(30)

    def _run(self) -> None:
        try:
            self._act()
        except Ended:
            self.ended = True


@pytest.mark.usefixtures("copied")
def test_a_generation_that_another_worker_has_begun_is_not_made_valid(target: Neo4j) -> None:
    with way(target) as one, way(target) as other:
        first = attached(one, FORWARD)
        with pytest.MonkeyPatch.context() as patch:
            rival = Overtaken(patch, lambda: checkpoint.save(attached(other, FORWARD)))
            with pytest.raises(Stale):
                checkpoint.save(first)
        assert rival.ended
        assert counts(attached(one, FORWARD)) == (NODES, RELATIONSHIPS)
        third = attached(one, FORWARD)
        checkpoint.save(third)
        assert counts(attached(other, FORWARD)) == counts(third) == (NODES, RELATIONSHIPS)


@pytest.mark.usefixtures("copied")
def test_a_handover_that_another_worker_has_begun_anew_is_not_ended(source: Neo4j, target: Neo4j) -> None:
    barrier = promote(target, 2)

    def hand_over(new: Database, old: Database) -> LinkWriter:
        return handover.hand_over(new, old, REVERSE, 2, FORWARD, barrier, Faults())

    with way(target) as new, way(source) as old, way(target) as rivals_new, way(source) as rivals_old:
        link.prepare(old)
        seed_link = LinkState(link=REVERSE, epoch=1, phase=link.FROZEN, cursor=barrier, cursor_tx=0, source_db="x")
        link.create(old, seed_link)  # of an earlier epoch: it has been there and back
        with pytest.MonkeyPatch.context() as patch:
            rival = Overtaken(patch, lambda: hand_over(rivals_new, rivals_old), paused_behind=REVERSE)
            with pytest.raises(Stale):
                hand_over(new, old)
        assert rival.ended
        made = hand_over(new, old)
        assert counts(attached(rivals_old, REVERSE)) == counts(made) == (NODES, RELATIONSHIPS)
