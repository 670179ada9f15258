"""pytest plugin: ``pytest_plugins = ["lab.fixtures"]``.

One lab a test process (each xdist worker has its own, on its own ports), started piece by piece when a fixture first
asks. ``lab``, ``control_plane``, ``neo4j_pair``, ``s3`` and ``proxies`` live as long as the test session;
``databases`` is the pair, running and empty, for one test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import S3, ControlPlane, Lab, Neo4j, Proxies

__all__ = ["control_plane", "databases", "lab", "neo4j_pair", "proxies", "s3"]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """An empty lab: ``lab.add(component)``, ``lab.start(component, ...)``."""
    with Lab() as running:
        yield running


@pytest.fixture(scope="session")
def control_plane(lab: Lab) -> ControlPlane:
    """A Kubernetes API without controllers."""
    return lab.add(ControlPlane())


@pytest.fixture(scope="session")
def neo4j_pair(lab: Lab) -> tuple[Neo4j, Neo4j]:
    """Two databases with TLS, in whatever state the tests before left them."""
    pair = Neo4j("primary"), Neo4j("secondary")
    lab.start(*pair)
    return pair


@pytest.fixture
def databases(neo4j_pair: tuple[Neo4j, Neo4j]) -> tuple[Neo4j, Neo4j]:
    """The pair, running, empty, writable, capture on."""
    for database in neo4j_pair:
        database.resume()
        database.reset()
    return neo4j_pair


@pytest.fixture(scope="session")
def s3(lab: Lab) -> S3:
    """An S3 server without buckets; take a new one for every test."""
    return lab.add(S3())


@pytest.fixture(scope="session")
def proxies(lab: Lab) -> Proxies:
    """The proxy server; take a new link for every test."""
    return lab.add(Proxies())
