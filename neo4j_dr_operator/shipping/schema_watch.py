"""Looking at the source's schema beside the stream, and noting in the archive what has changed of it."""

from __future__ import annotations

import time

from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.replication import schema
from neo4j_dr_operator.replication.stream import from_source
from neo4j_dr_operator.shipping.chain import Chain
from neo4j_dr_operator.shipping.config import ShipperConfig
from neo4j_dr_operator.shipping.present import present
from neo4j_dr_operator.shipping.schema import PERIOD, SchemaNote, SchemaRef


def rules(database: Database) -> tuple[SchemaRef, ...]:
    """The users' constraints and indexes, sorted. Raises SourceFailure."""
    with from_source():
        found = schema.rules(database).values()
    refs = (SchemaRef(rule.kind, rule.name, rule.statement, rule.lookup) for rule in found)
    return tuple(sorted(refs, key=lambda ref: (ref.kind, ref.name)))


class SchemaWatch:
    """One shipper's, on a connection of its own. At rest it asks the source, and nothing of the store."""

    def __init__(self, config: ShipperConfig, chain: Chain) -> None:
        """Nothing is sent yet."""
        self._config, self._chain = config, chain
        self._source = Database(config.source)
        self._known: tuple[str, tuple[SchemaRef, ...]] | None = None
        self._due = 0.0

    def attach(self) -> None:
        """Know what the archive holds by now; a look is due. Raises ObjectStoreError."""
        note = self._chain.schema()
        self._known = None if note is None else (note.database, note.rules)
        self._due = 0.0

    def due(self) -> bool:
        """Whether the schema is to be looked at again."""
        return time.monotonic() >= self._due

    def look(self, segment: int) -> int | None:
        """Look, and put what has changed; ``segment``: the last one of the chain. The transaction as of which it is
        noted then, None where nothing has changed.

        The position is read behind the rules: what was committed up to it, was committed before they were gone. Raises
        SourceFailure, ObjectStoreError, NotEncrypted; the next look is due after the period all the same.
        """
        self._due = time.monotonic() + PERIOD
        found = rules(self._source)
        position, clock = present(self._source)
        if self._known == (position.database, found):
            return None
        config = self._config
        self._chain.put_schema(
            SchemaNote(
                archive=config.archive,
                epoch=config.epoch,
                segment=segment,
                site=config.site,
                database=position.database,
                position=position.text,
                seen=clock,
                created=round(time.time() * 1000),
                rules=found,
            )
        )
        self._known = position.database, found
        return position.tx

    def again(self, pause: float) -> None:
        """The last look came to nothing: the next one is due in so many seconds, on a new connection."""
        self._source.close()
        self._due = time.monotonic() + pause
