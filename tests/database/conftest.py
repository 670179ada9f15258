"""Fixtures of the database tests: two real servers and link workers between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab import Neo4j
from tests.database.process import LinkProcess

pytest_plugins = ["lab.fixtures"]

Start = Callable[..., LinkProcess]


@pytest.fixture
def source(databases: tuple[Neo4j, Neo4j]) -> Neo4j:
    """The empty database that is written to."""
    return databases[0]


@pytest.fixture
def target(databases: tuple[Neo4j, Neo4j]) -> Neo4j:
    """The empty database that is to become a copy."""
    return databases[1]


@pytest.fixture
def start(source: Neo4j, target: Neo4j) -> Iterator[Start]:
    """Start a link worker (from source to target unless said otherwise); all are killed in the end."""
    running: list[LinkProcess] = []

    def begin(origin: str = "seed", *, ends: tuple[object, object] | None = None, **options: object) -> LinkProcess:
        left, right = ends or (source, target)
        worker = LinkProcess(left, right, origin=origin, **options)  # type: ignore[arg-type]
        running.append(worker)
        return worker

    yield begin
    for worker in running:
        worker.kill()
