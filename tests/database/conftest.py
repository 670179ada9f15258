"""Fixtures of the database tests: two real servers and link workers between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab import S3, Neo4j
from tests.database.archive_process import BackUp, BackupProcess, Restore, RestoreProcess
from tests.database.load import Load
from tests.database.process import LinkProcess
from tests.database.relay import Relay
from tests.database.shipping_process import Ship, ShipProcess, Store

pytest_plugins = ["lab.fixtures"]

Start = Callable[..., LinkProcess]


@pytest.fixture
def source(databases: tuple[Neo4j, Neo4j]) -> Iterator[Neo4j]:
    """The empty database that is written to; a failed test leaves no writer to the next one."""
    yield databases[0]
    Load.end_all()


@pytest.fixture
def ids_from_zero(source: Neo4j) -> None:
    """The source in a store made anew, for tests in which ids are used again: a server hands out the lowest free ids
    first, so what earlier tests freed, a hundred thousand now and then, would come before what the test frees."""
    source.reset(fresh=True)


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


@pytest.fixture
def store(s3: S3) -> Store:
    """An empty bucket."""
    return Store(s3)


@pytest.fixture
def relay(s3: S3) -> Iterator[Relay]:
    """A way to the S3 server that can be disturbed."""
    way = Relay(s3.port)
    yield way
    way.close()


@pytest.fixture
def ship(source: Neo4j, store: Store) -> Iterator[Ship]:
    """Start a shipper (from source to store unless said otherwise); all are killed in the end."""
    running: list[ShipProcess] = []

    def begin(*, origin: object = source, to: Store = store, **options: object) -> ShipProcess:
        running.append(ShipProcess(origin, to, **options))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()


@pytest.fixture
def back_up(source: Neo4j, store: Store) -> Iterator[BackUp]:
    """Start a backup (of the source, to store, unless said otherwise); all are killed in the end."""
    running: list[BackupProcess] = []

    def begin(*, of: Neo4j = source, to: Store = store, **options: object) -> BackupProcess:
        running.append(BackupProcess(of, to, **options))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()


@pytest.fixture
def restore(target: Neo4j, store: Store) -> Iterator[Restore]:
    """Start a restore into the target (from store unless said otherwise); all are killed in the end."""
    running: list[RestoreProcess] = []

    def begin(*, of: Store = store, **options: object) -> RestoreProcess:
        point = options.pop("point", {"snapshot": "newest"})
        running.append(RestoreProcess(of, target, point, **options))  # type: ignore[arg-type]
        return running[-1]

    yield begin
    for worker in running:
        worker.kill()
