"""What a port speaks when a handshake failed: TLS where plain Bolt was asked for, or the other way round.

A server that answers in the wrong way is alive. Told apart from an unreachable one it is DEGRADED, which promotes
nothing (P6).
"""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from neo4j_dr_operator import errors

BOLT_PORT = 7687
SECONDS = 2.0
"""Longest wait for the second look."""
_HELLO = bytes.fromhex("6060b01700000405000000000000000000000000")
"""Bolt handshake: magic, one version offered (5.4). Source: Bolt protocol, "Handshake"."""


def diagnose(uri: str, error: errors.HandshakeFailed) -> errors.DatabaseError:
    """A better error where the port answers to the other way of speaking, else the one given. Takes up to 2 s."""
    parts = urlsplit(uri)
    host, port = parts.hostname or "", parts.port or BOLT_PORT
    if parts.scheme.endswith("+s"):
        if _speaks_bolt(host, port):
            return errors.PlainServer("TLS was asked for, and the server speaks plain Bolt")
    elif _speaks_tls(host, port):
        return errors.TlsRequired("plain Bolt was asked for, and the server wants TLS")
    return error


def _speaks_bolt(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), SECONDS) as connection:
            connection.sendall(_HELLO)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def _speaks_tls(host: str, port: int) -> bool:
    """Whether a TLS handshake completes; whose certificate it is does not matter, as nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except OSError:
        return False
