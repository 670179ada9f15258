"""Asking a server for values as they travel: the driver's own types cannot hold every value of Neo4j.

Structures of PackStream stay as they are: two databases are compared by what they send. Shares nothing with
the operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from lab import Neo4j
from tests.compare import Query, assert_equal


@contextmanager
def undecoded(server: Neo4j, fetch: int = 1000) -> Iterator[Query]:
    """A query function that gives rows as dictionaries, with temporal values and points as structures.

    ``fetch``: rows that the server may send at once, all of which it keeps in memory until they are read.
    """
    with server.driver() as driver:
        pool: Any = driver._pool
        opener = pool.opener

        def opened(*args: Any, **kwargs: Any) -> Any:
            connection = opener(*args, **kwargs)
            hooks = connection.hydration_handler.dehydration_hooks
            scope = SimpleNamespace(hydration_hooks={}, dehydration_hooks=hooks)
            connection.hydration_handler = SimpleNamespace(new_hydration_scope=lambda: scope)
            return connection

        pool.opener = opened

        def query(text: str, **parameters: Any) -> list[dict[str, Any]]:
            with driver.session(database="neo4j", fetch_size=fetch) as session:
                return [dict(record.items()) for record in session.run(text, parameters)]

        yield query


def same(left: Neo4j, right: Neo4j, fetch: int = 1000) -> tuple[int, int]:
    """Raise AssertionError unless both hold the same graph to the last bit; gives how many nodes and relationships."""
    with undecoded(left, fetch) as one, undecoded(right, fetch) as two:
        return assert_equal(one, two)
