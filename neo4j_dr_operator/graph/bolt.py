"""The door to Neo4j: connections, and the driver's exceptions turned into ours.

Two facades over one :class:`Endpoint`: :class:`AsyncDatabase` for the operator's own few queries, and :class:`Database`
(:mod:`.bolt_sync`) for link workers, which move bulk data from threads (the asynchronous driver costs 1.8 times the
CPU a statement).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import neo4j

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.gate import gate_of
from neo4j_dr_operator.graph.spoken import diagnose
from neo4j_dr_operator.graph.translate import translated
from neo4j_dr_operator.threads import Threads

_SECURE = {"bolt+s": "bolt", "neo4j+s": "neo4j"}
_PLAIN = ("bolt", "neo4j")


CONNECT_SECONDS = 1.5
"""Longest wait for a TCP connection: also the longest time that a link's return can go unnoticed while connecting."""


@dataclass(frozen=True)
class Endpoint:
    """Where a database is and how to log in.

    ``uri``: ``bolt``, ``bolt+s``, ``neo4j`` or ``neo4j+s``. ``ca``: PEM text of a private CA, for the ``+s`` schemes;
    without it the system's CAs count. The host name is always checked. ``timeout``: seconds for one query.
    """

    uri: str
    user: str
    password: str = field(repr=False)
    ca: str | None = field(default=None, repr=False)
    database: str = "neo4j"
    timeout: float = 30.0

    @property
    def encrypted(self) -> bool:
        """Whether the address asks for TLS."""
        return urlsplit(self.uri).scheme in _SECURE

    @property
    def address(self) -> str:
        """Scheme, host and port, without any user part: safe to show."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def wire(self) -> dict[str, Any]:
        """What a worker process is told of it. Holds the password: for a pipe, never for a log."""
        return {
            "uri": self.uri,
            "user": self.user,
            "password": self.password,
            "ca": self.ca,
            "database": self.database,
        }


def driver_options(endpoint: Endpoint, *, fetch_size: int = 1000) -> tuple[str, dict[str, Any]]:
    """Address and options for the driver. Raises :class:`errors.CertificateRejected` when the CA is no PEM text."""
    scheme, _, rest = endpoint.uri.partition("://")
    if scheme not in (*_SECURE, *_PLAIN):
        raise errors.NotSupported(f"address of an unknown kind: {scheme!r}, wanted bolt, bolt+s, neo4j or neo4j+s")
    connect = min(endpoint.timeout, CONNECT_SECONDS)
    options: dict[str, Any] = {
        "auth": neo4j.basic_auth(endpoint.user, endpoint.password),
        "connection_timeout": connect,
        "connection_acquisition_timeout": connect + 5.0,
        "connection_write_timeout": endpoint.timeout,
        "keep_alive": True,
        "max_transaction_retry_time": 0.0,
        "notifications_min_severity": "OFF",
        "telemetry_disabled": True,
        "fetch_size": fetch_size,
        "user_agent": "neo4j-dr-operator",
    }
    if scheme in _SECURE and endpoint.ca is not None:
        options["ssl_context"] = _trust(endpoint.ca)
        return f"{_SECURE[scheme]}://{rest}", options
    return endpoint.uri, options


def _trust(ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise errors.CertificateRejected("the private CA is not a PEM certificate") from error
    return context


async def _diagnosed(uri: str, error: errors.HandshakeFailed) -> errors.DatabaseError:
    try:
        with Threads("handshake", 1) as own:
            return await own.run(diagnose, uri, error)
    except OSError:  # no thread to be had: then without a second look
        return error


class AsyncDatabase:
    """A few queries at a time on one database, from asyncio. Close it in the end."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Nothing is sent yet. Raises :class:`errors.NotSupported` or :class:`errors.CertificateRejected`."""
        self.endpoint = endpoint
        self._gate = gate_of(endpoint.address, endpoint.user, endpoint.password)
        uri, options = driver_options(endpoint)
        with translated():
            self._driver = neo4j.AsyncGraphDatabase.driver(uri, **options)

    async def run(
        self,
        query: str,
        database: str | None = None,
        timeout: float | None = None,
        **params: object,
    ) -> list[dict[str, Any]]:
        """Run one auto-commit query and return its rows as dictionaries of Cypher values.

        ``timeout`` in seconds bounds the whole call, connecting included, and tells the server as well. Raises the
        database errors of :mod:`neo4j_dr_operator.errors`; :class:`errors.TimedOut` leaves a write undecided.
        Credentials that were refused a moment ago are refused again without asking (:mod:`.gate`).
        """
        limit = self.endpoint.timeout if timeout is None else timeout
        self._gate.check()
        try:
            with self._gate.watching(), translated():
                async with asyncio.timeout(limit):
                    rows = await self._run(query, database or self.endpoint.database, limit, params)
        except TimeoutError as error:
            raise errors.TimedOut(f"no answer from {self.endpoint.address} within {limit:g} s") from error
        except errors.HandshakeFailed as error:
            raise await _diagnosed(self.endpoint.uri, error) from error
        self._gate.accepted()
        return rows

    async def _run(self, query: str, database: str, limit: float, params: dict[str, Any]) -> list[dict[str, Any]]:
        async with self._driver.session(database=database) as session:
            statement = neo4j.Query(query, timeout=limit)
            result = await session.run(statement, parameters=params)
            return [dict(zip(record.keys(), record.values(), strict=True)) async for record in result]

    async def close(self) -> None:
        """Give the connections back. Never raises for a connection that is already dead."""
        with translated():
            await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
