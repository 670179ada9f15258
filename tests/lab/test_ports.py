"""Ports: never given twice, and a port that somebody takes at the last moment costs a retry, not a run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab import S3, ControlPlane, Lab, Neo4j, Proxies
from lab.component import Component, NotReady
from lab.ports import FIRST, LAST, Ports, usable


@contextmanager
def listener(port: int) -> Iterator[None]:
    """Somebody else's server, which accepts and says nothing."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield


def test_no_port_is_given_twice_until_it_is_given_back() -> None:
    """Two labs draw from one pool, outside of the kernel's own range."""
    one, two = Ports(), Ports()
    try:
        drawn = [ports.free() for ports in (one, two) for _ in range(100)]
        assert len(set(drawn)) == len(drawn)
        assert all(FIRST <= port <= LAST for port in drawn)
        assert all(usable(port) for port in drawn)
    finally:
        one.close()
        two.close()


def test_a_port_in_use_is_not_usable() -> None:
    """While somebody listens; again when nobody does."""
    ports = Ports()
    port = ports.free()
    with listener(port):
        assert not usable(port)
    assert usable(port)
    ports.close()


@pytest.mark.parametrize("kind", [S3, Proxies, ControlPlane, Neo4j])
def test_a_port_taken_at_the_last_moment_is_replaced(lab: Lab, kind: type[Component]) -> None:
    """The first port is taken between choice and start: the component starts on another one."""
    component = kind(f"unlucky-{kind.__name__.lower()}")
    component.READY_WITHIN = 5.0 if kind is Proxies else component.READY_WITHIN  # it does not end when it cannot listen
    component.attach(lab.run)
    first = component._ports[0]
    try:
        with listener(first):
            component.start()
        assert component.alive
        assert first not in component._ports
    finally:
        component.kill9()


def test_a_restart_keeps_its_port_or_fails(lab: Lab) -> None:
    """Clients know the old port: with somebody else on it, a restart is refused."""
    store = lab.add(S3("stubborn"))
    store.kill9()
    with listener(store.port), pytest.raises(NotReady):
        store.start()
    assert not store.alive
    store.start()
    assert store.client().list_buckets()["Buckets"] == []
    store.kill9()
