"""The synchronous door to Neo4j, for link workers: few threads, bulk data, explicit transactions."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Self

import neo4j

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import Endpoint, driver_options
from neo4j_dr_operator.graph.calls import CALLS
from neo4j_dr_operator.graph.gate import gate_of
from neo4j_dr_operator.graph.pipeline import Sent, begun_with_the_first_statement, send
from neo4j_dr_operator.graph.spoken import diagnose
from neo4j_dr_operator.graph.translate import translated
from neo4j_dr_operator.graph.wire import Traffic, undecoded

Row = list[Any]
FETCH = 20_000
"""Rows that a result asks for at once."""


class Transaction:
    """An open explicit transaction. Every call raises database errors of :mod:`neo4j_dr_operator.errors`."""

    def __init__(self, transaction: neo4j.Transaction) -> None:
        self._tx = transaction
        self._sent: list[tuple[Sent, Callable[[Row], None]]] = []

    def row(self, query: str, **params: object) -> Row:
        """The values of the one row that ``query`` gives, after what was sent before it has been looked at."""
        with translated(), CALLS.passing(query):
            sent = send(self._tx, query, params)
            self.settle()
            return sent.row()

    def send(self, look: Callable[[Row], None], query: str, **params: object) -> None:
        """Send a statement of one row. ``look`` is given it when the next row is wanted, before a commit at the latest.

        A mistake in it, and what ``look`` raises, come up there, in the order of the statements.
        """
        with translated(), CALLS.passing(query):
            self._sent.append((send(self._tx, query, params), look))

    def settle(self) -> None:
        """Look at every row that was sent for."""
        while self._sent:
            sent, look = self._sent.pop(0)
            with translated():
                row = sent.row()
            look(row)

    def commit(self, query: str | None = None, **params: object) -> None:
        """Commit, once every row has been looked at, together with a last statement that needs no look.

        :class:`errors.OutcomeUnknown` when the connection broke meanwhile.
        """
        self.settle()
        with translated():
            if query is not None:
                with CALLS.passing(query):
                    send(self._tx, query, params)
            with CALLS.passing("COMMIT"):
                self._tx.commit()


class Database:
    """One database over connections of its own. Connections are made when needed, and again after they broke.

    ``timeout`` (seconds) bounds connecting, each wait for the server's next bytes, and on the server every transaction,
    so that neither a half-open connection nor a forgotten lock holds anything up for longer. Whichever member of a
    cluster answers, it has got at least as far as those that answered before (bookmarks), until :meth:`close`.
    ``leading``: all reads go to the member that takes writes, as one does for which ``leading`` is said; of a single
    server, and of an address without routing, it is the one that there is.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float | None = None, leading: bool = False) -> None:
        """Nothing is sent yet. Raises :class:`errors.NotSupported` or :class:`errors.CertificateRejected`."""
        self._leading = leading
        self._waits = _Waits()
        self.timeout = endpoint.timeout if timeout is None else timeout
        self.traffic = Traffic()
        self.renew(endpoint)
        self._lock = threading.Lock()
        self._driver: neo4j.Driver | None = None
        self._order = neo4j.GraphDatabase.bookmark_manager()

    def renew(self, endpoint: Endpoint) -> None:
        """Make the next connections with the credentials of ``endpoint``, which leads to the same database."""
        self._uri, self._options = driver_options(endpoint, fetch_size=FETCH)
        self._gate = gate_of(endpoint.address, endpoint.user, endpoint.password)
        self.endpoint = endpoint

    def _connected(self) -> neo4j.Driver:
        with self._lock:
            if self._driver is None:
                with translated():
                    self._driver = neo4j.GraphDatabase.driver(self._uri, **self._options)
                _prepare(self._driver, self.timeout, self._waits, self.traffic)
            return self._driver

    def _session(self, access: str, fetch: int = FETCH) -> neo4j.Session:
        driver = self._connected()
        self._gate.check()
        if not self._gate.proven:
            with self._gate.alone:
                self._gate.check()
                driver.verify_connectivity()
                self._gate.accepted()
        return driver.session(
            database=self.endpoint.database,
            default_access_mode=access,
            fetch_size=fetch,
            bookmark_manager=self._order,
        )

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Around every call: the driver's errors as ours, refused credentials remembered (:mod:`.gate`)."""
        try:
            with self._gate.watching(), translated():
                yield
        except errors.HandshakeFailed as error:
            raise diagnose(self.endpoint.uri, error) from error

    def _reading(self, leading: bool) -> str:
        return neo4j.WRITE_ACCESS if leading or self._leading else neo4j.READ_ACCESS

    def row(self, query: str, *, leading: bool = False, within: float | None = None, **params: object) -> Row:
        """The values of the one row of a reading auto-commit query. ``within``: seconds, in place of the usual."""
        with (
            self._waits.allowing(within),
            self._asking(),
            self._session(self._reading(leading)) as session,
            CALLS.passing(query),
        ):
            return _single(session.run(neo4j.Query(query, timeout=within or self.timeout), params))

    def rows(self, query: str, **params: object) -> Generator[Row]:
        """The rows of a reading auto-commit query, as they come. Close the iterator when not read to its end."""
        return self.stream(query, params)

    def stream(
        self, query: str, params: dict[str, Any], *, within: float | None = None, fetch: int = FETCH
    ) -> Generator[Row]:
        """As :meth:`rows`. ``within``: time limit in seconds, in place of the usual; ``fetch``: rows at a time."""
        with self._asking(), self._session(self._reading(leading=False), fetch) as session:
            with self._waits.allowing(within), CALLS.passing(query):
                records = iter(session.run(neo4j.Query(query, timeout=within or self.timeout), params))
            while True:
                with self._waits.allowing(within):
                    record = next(records, None)
                if record is None:
                    return
                yield record.values()

    def write(self, query: str, *, within: float | None = None, **params: object) -> list[Row]:
        """The rows of a writing auto-commit query (also for schema commands, which allow no other).

        ``within``: seconds, in place of the usual.
        """
        with (
            self._waits.allowing(within),
            self._asking(),
            self._session(neo4j.WRITE_ACCESS) as session,
            CALLS.passing(query),
        ):
            result = session.run(neo4j.Query(query, timeout=within or self.timeout), params)
            return [record.values() for record in result]

    @contextlib.contextmanager
    def transaction(self, within: float | None = None) -> Iterator[Transaction]:
        """An explicit transaction, rolled back unless committed inside. ``within``: seconds, in place of the usual."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._waits.allowing(within))
            with self._asking():
                session = stack.enter_context(self._session(neo4j.WRITE_ACCESS))
                with CALLS.passing("BEGIN"), begun_with_the_first_statement(session):
                    inner = session.begin_transaction(timeout=within or self.timeout)
            try:
                yield Transaction(inner)
            finally:
                with contextlib.suppress(errors.DatabaseError), translated():
                    with CALLS.passing("ROLLBACK"):
                        inner.close()
                    session.close()

    def close(self) -> None:
        """Give the connections back, and forget how far the members were; the next use makes new ones.

        A database may come back as another one, or taken back, and would never reach what it is asked to have reached.
        So whoever goes on behind this sees for himself that whoever answers is as far as he needs.
        """
        self._order = neo4j.GraphDatabase.bookmark_manager()
        self.reconnect()

    def reconnect(self) -> None:
        """Give the connections back; the next use makes new ones, to members as far as those that answered before."""
        with self._lock:
            driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(errors.DatabaseError), translated():
                driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Waits(threading.local):
    """For how long (seconds) a thread waits for a server's next bytes, where that is more than usual."""

    seconds = 0.0

    @contextlib.contextmanager
    def allowing(self, seconds: float | None) -> Iterator[None]:
        """Inside, so long; None changes nothing."""
        before, self.seconds = self.seconds, seconds or self.seconds
        try:
            yield
        finally:
            self.seconds = before


def _single(result: neo4j.Result) -> Row:
    record = result.single(strict=True)
    return record.values()


def _prepare(driver: neo4j.Driver, seconds: float, waits: _Waits, traffic: Traffic) -> None:
    """Make every connection of ``driver`` give up when the server stays silent for ``seconds``, or for what the thread
    that reads allows it (``waits``), leave values as they come (:mod:`.wire`) and count what it receives.

    The driver has a setting for writing and for connecting, but for reading only a hint that the server sends (two
    minutes): far too long to notice a half-open connection between regions. So the pool's opener is wrapped. Raises
    AttributeError for a driver that is made in another way: going on would cut values short without a word.
    """
    pool: Any = driver._pool
    opener: Callable[..., Any] = pool.opener

    def bounded(*args: object, **kwargs: object) -> object:
        connection = opener(*args, **kwargs)
        _bound(connection.socket, lambda: max(seconds, waits.seconds))
        undecoded(connection)
        traffic.count(connection)
        CALLS.tap(connection)
        return connection

    pool.opener = bounded


def _bound(socket: Any, seconds: Callable[[], float]) -> None:
    """Bound each wait for bytes by what is allowed then."""
    receive: Callable[[Any, int], int] = socket.recv_into

    def bounded(buffer: Any, size: int) -> int:
        socket.set_read_timeout(seconds())
        return receive(buffer, size)

    socket.recv_into = bounded
