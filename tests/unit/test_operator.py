"""Where the operator's own ports are opened."""

from __future__ import annotations

import socket
from unittest.mock import MagicMock, patch
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, start_http_server

from neo4j_dr_operator import operator


@pytest.mark.parametrize(("alone", "address"), [(0, "::"), (1, "0.0.0.0")])
def test_both_families_are_served_where_one_socket_hears_both(alone: int, address: str) -> None:
    made = MagicMock()
    made.__enter__.return_value.getsockopt.return_value = alone
    with patch.object(operator.socket, "socket", lambda *_: made):
        assert operator.every_address() == address


def test_a_host_without_ipv6_is_served_over_ipv4() -> None:
    with patch.object(operator.socket, "socket", MagicMock(side_effect=OSError("no such family"))):
        assert operator.every_address() == "0.0.0.0"


def test_metrics_are_answered_over_every_family_of_this_host() -> None:
    server, thread = start_http_server(0, operator.every_address(), registry=CollectorRegistry())
    try:
        hosts = ["127.0.0.1"] + (["[::1]"] if _has_loopback6() else [])
        for host in hosts:
            with urlopen(f"http://{host}:{server.server_port}/metrics", timeout=10) as answer:
                assert answer.status == 200
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _has_loopback6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True
