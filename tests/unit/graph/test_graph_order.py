"""Who is asked, and what he has to have reached: a driver that writes down what each session wants of it.

Servers that are single take every read for current, so this is where the order of a cluster's members is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import neo4j
import pytest

from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.bolt_sync import Database

READ, WRITE = neo4j.READ_ACCESS, neo4j.WRITE_ACCESS


class Socket:
    """Bytes that come at once; remembers for how long each wait was bounded."""

    def __init__(self) -> None:
        self.bounds: list[float] = []

    def set_read_timeout(self, seconds: float) -> None:
        self.bounds.append(seconds)

    def recv_into(self, buffer: Any, size: int) -> int:
        return size


class Connection:
    def __init__(self) -> None:
        self.socket = Socket()
        self.hydration_handler = type("Handler", (), {"dehydration_hooks": None})()


class Result:
    def __init__(self, session: Session) -> None:
        self._session = session

    def single(self, strict: bool) -> Result:
        self._session.answer()
        return self

    def values(self) -> list[Any]:
        return [1]

    def __iter__(self) -> Iterator[Result]:
        for _ in range(2):
            self._session.answer()
            yield self


class Session:
    """Every answer has the next bookmark."""

    def __init__(self, driver: Driver, wanted: dict[str, Any]) -> None:
        self._driver, self._manager = driver, wanted["bookmark_manager"]
        self._before = set(self._manager.get_bookmarks())
        driver.asked.append((wanted["default_access_mode"], tuple(sorted(self._before))))

    def run(self, query: neo4j.Query, params: dict[str, Any]) -> Result:
        self._driver.limits.append(query.timeout)
        return Result(self)

    def answer(self) -> None:
        self._driver.connection.socket.recv_into(bytearray(1), 1)
        self._driver.answers += 1
        after = {f"bookmark {self._driver.answers}"}
        self._manager.update_bookmarks(self._before, after)
        self._before = after

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Driver:
    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.limits: list[float | None] = []
        self.answers = 0
        self._pool = type("Pool", (), {"opener": staticmethod(lambda: Connection())})()
        self.connection = Connection()

    def session(self, **wanted: Any) -> Session:
        return Session(self, wanted)

    def verify_connectivity(self) -> None:
        self.connection = self._pool.opener()

    def close(self) -> None:
        return


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    monkeypatch.setattr(neo4j.GraphDatabase, "driver", lambda *_, **__: made)
    return made


def database(name: str, **options: Any) -> Database:
    return Database(Endpoint(f"neo4j://{name}", "neo4j", "x", timeout=7.0), **options)


def test_each_answer_is_what_the_next_member_has_to_have_reached(driver: Driver) -> None:
    source = database("order")
    source.row("a")
    assert list(source.rows("b")) == [[1], [1]]
    source.write("c")
    source.row("d", leading=True)
    assert driver.asked == [
        (READ, ()),
        (READ, ("bookmark 1",)),
        (WRITE, ("bookmark 3",)),
        (WRITE, ("bookmark 5",)),
    ]


def test_a_target_is_read_from_the_member_that_takes_writes(driver: Driver) -> None:
    target = database("leading", leading=True)
    target.row("a")
    list(target.rows("b"))
    assert [access for access, _ in driver.asked] == [WRITE, WRITE]


def test_the_order_outlives_connections_that_broke_and_not_a_database_that_may_be_another(driver: Driver) -> None:
    source = database("again")
    source.row("a")
    source.reconnect()
    source.row("b")
    source.close()
    source.row("c")
    assert [order for _, order in driver.asked] == [(), ("bookmark 1",), ()]


def test_a_look_that_takes_long_is_given_the_time_by_server_and_connection_alike(driver: Driver) -> None:
    source = database("long")
    source.row("a")
    source.row("b", within=3600.0)
    list(source.stream("c", {}, within=60.0))
    source.row("d", within=1.0)
    assert driver.limits == [7.0, 3600.0, 60.0, 1.0]
    assert driver.connection.socket.bounds == [7.0, 3600.0, 60.0, 60.0, 7.0]
