"""A client as applications are: numbered transactions against the site it believes active, and a log of what was said.

It shares no code with the operator. A transaction is acknowledged only when `commit` returned; everything else is in
doubt. While `paused` it holds its next transaction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import neo4j

from lab import Neo4j


@dataclass
class Log:
    """What happened to each number: acknowledged at (site, monotonic seconds), or in doubt."""

    acknowledged: dict[int, tuple[str, float]] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    refused: int = 0


class Writer(threading.Thread):
    """Writes until stopped; `where` names the site to write to, asked before every transaction."""

    def __init__(self, sites: dict[str, Neo4j], where: Callable[[], str], pause: float = 0.02) -> None:
        super().__init__(daemon=True, name="writer")
        self.log = Log()
        self._sites, self._where, self._pause = sites, where, pause
        self._go, self._end = threading.Event(), threading.Event()
        self._idle = threading.Event()
        self._drivers: dict[str, neo4j.Driver] = {}
        self._go.set()
        self.start()

    def run(self) -> None:
        """One transaction after the other."""
        number = 0
        while not self._end.is_set():
            if not self._go.is_set():
                self._idle.set()
                self._go.wait(0.5)
                continue
            self._idle.clear()
            number += 1
            self._write(number, self._where())
            self._end.wait(self._pause)
        for driver in self._drivers.values():
            driver.close()

    def _write(self, number: int, site: str) -> None:
        try:
            driver = self._drivers.get(site) or self._drivers.setdefault(site, self._sites[site].driver())
            with driver.session(database="neo4j") as session, session.begin_transaction() as tx:
                tx.run(
                    "CREATE (a:Order {uid: $n})-[:PLACED {uid: $n}]->(:Item {uid: -$n}) "
                    "WITH a MATCH (b:Order {uid: $n - 1}) SET b.next = $n",
                    n=number,
                ).consume()
                tx.commit()
            self.log.acknowledged[number] = (site, time.monotonic())
        except neo4j.exceptions.ClientError:
            self.log.refused += 1
        except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
            self.log.doubtful.add(number)

    def pause(self) -> None:
        """Hold the next transaction; returns when none is on its way."""
        self._idle.clear()
        self._go.clear()
        assert self._idle.wait(30)

    def resume(self) -> None:
        """Go on."""
        self._go.set()

    def stop(self) -> Log:
        """End; the log."""
        self._end.set()
        self._go.set()
        self.join(30)
        return self.log


def missing(log: Log, site: Neo4j) -> list[int]:
    """Acknowledged numbers that a database does not hold."""
    held = {row["n"] for row in site.query("MATCH (o:Order) RETURN o.uid AS n")}
    return sorted(number for number in log.acknowledged if number not in held)
