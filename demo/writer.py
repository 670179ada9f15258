"""An application: writes numbered transactions to whichever site is active, for as long as it may.

``python -m demo.writer FOLDER``; ``FOLDER/writer.json`` says how to reach the two databases. It writes to the site
named in ``FOLDER/active`` and keeps its log in ``FOLDER/ledger.jsonl``. While ``FOLDER/hold`` exists it begins no
transaction, and says so with ``FOLDER/held``. One transaction at a time, so that the order of the numbers is the
order of the commits.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import neo4j
from neo4j.exceptions import DatabaseError, DriverError, Neo4jError

from demo import connect, workload
from demo.ledger import Outcome, unpack_all

PERIOD = 0.03
"""Seconds from the start of one transaction to the next."""
PAUSE = 0.05
"""Seconds before a refused transaction is tried again."""

NODES = "UNWIND $rows AS row CREATE (x:$(row.labels)) SET x = row.properties"
RELATIONSHIPS = """
UNWIND $rows AS row MATCH (a:Thing {uid: row.from}) MATCH (b:Thing {uid: row.to})
CREATE (a)-[r:$(row.type)]->(b) SET r = row.properties"""
SET = """
UNWIND $rows AS row MATCH (x:Thing {uid: row.uid})
SET x += row.properties SET x:$(row.added) REMOVE x:$(row.removed)"""
SET_RELATIONSHIP = """
UNWIND $rows AS row MATCH (:Thing {uid: row.from})-[r {uid: row.uid}]->() SET r += row.properties"""
DELETE = "UNWIND $rows AS row MATCH (x:Thing {uid: row.uid}) DETACH DELETE x"
DELETE_RELATIONSHIP = "UNWIND $rows AS row MATCH (:Thing {uid: row.from})-[r {uid: row.uid}]->() DELETE r"
CONSTRAINT = "CREATE CONSTRAINT thing_uid IF NOT EXISTS FOR (x:Thing) REQUIRE x.uid IS UNIQUE"

STATEMENTS: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "node": (
        NODES,
        lambda uid, labels, properties: {"labels": labels, "properties": {**unpack_all(properties), "uid": uid}},
    ),
    "rel": (
        RELATIONSHIPS,
        lambda uid, kind, start, end, properties: {
            "type": kind,
            "from": start,
            "to": end,
            "properties": {**unpack_all(properties), "uid": uid},
        },
    ),
    "set": (
        SET,
        lambda uid, properties, added, removed: {
            "uid": uid,
            "properties": unpack_all(properties),
            "added": added,
            "removed": removed,
        },
    ),
    "setrel": (
        SET_RELATIONSHIP,
        lambda uid, start, properties: {"uid": uid, "from": start, "properties": unpack_all(properties)},
    ),
    "delete": (DELETE, lambda uid: {"uid": uid}),
    "deleterel": (DELETE_RELATIONSHIP, lambda uid, start: {"uid": uid, "from": start}),
}
"""For each operation of the ledger its statement and the making of a row from its arguments."""


def send(transaction: neo4j.Transaction, ops: list[list[Any]]) -> None:
    """Run the operations in order, neighbours of one kind in one statement."""
    for kind, group in itertools.groupby(ops, key=lambda op: op[0]):
        statement, row = STATEMENTS[kind]
        transaction.run(statement, rows=[row(*op[1:]) for op in group]).consume()


def attempt(driver: neo4j.Driver, ops: list[list[Any]]) -> tuple[Outcome, str]:
    """Commit the operations as one transaction; its outcome, and the reason when it is not ``acknowledged``."""
    committing = False
    try:
        with driver.session(database="neo4j") as session, session.begin_transaction() as transaction:
            send(transaction, ops)
            committing = True
            transaction.commit()
    except DriverError as error:
        return ("doubtful" if committing else "refused"), type(error).__name__
    except Neo4jError as error:  # the server answered: it did not commit, unless it failed in the middle of that
        broke = committing and isinstance(error, DatabaseError)
        return ("doubtful" if broke else "refused"), str(error.code)
    return "acknowledged", ""


class Writer:
    """The loop. ``limit``: number of the last transaction, None for no end."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self._folder, self._limit = folder, limit
        sites = json.loads((folder / "writer.json").read_text())
        self._drivers = {name: connect.driver(site) for name, site in sites.items()}
        self._ledger: IO[str] = (folder / "ledger.jsonl").open("a", buffering=1, encoding="utf-8")

    def run(self) -> None:
        """Write until the limit, or until the process is ended."""
        n = 1
        while self._limit is None or n <= self._limit:
            if self._held():
                time.sleep(PAUSE)
                continue
            began = time.monotonic()
            outcome = self._write(n)
            if outcome == "refused":
                time.sleep(PAUSE)
                continue
            n += 1
            if n > workload.BASE:
                time.sleep(max(0.0, began + PERIOD - time.monotonic()))

    def close(self) -> None:
        """Give the connections back."""
        for driver in self._drivers.values():
            driver.close()
        self._ledger.close()

    def _held(self) -> bool:
        held = (self._folder / "hold").exists()
        if held:
            (self._folder / "held").touch()
        else:
            (self._folder / "held").unlink(missing_ok=True)
        return held

    def _write(self, n: int) -> Outcome:
        site = (self._folder / "active").read_text().strip()
        ops = workload.operations(n)
        self._say({"n": n, "site": site, "at": time.time(), "ops": ops})
        if n == 1:
            with contextlib.suppress(DriverError, Neo4jError), self._drivers[site].session() as session:
                session.run(CONSTRAINT).consume()
        outcome, reason = attempt(self._drivers[site], ops)
        self._say({"n": n, "site": site, "at": time.time(), "outcome": outcome, "reason": reason})
        return outcome

    def _say(self, line: dict[str, Any]) -> None:
        self._ledger.write(json.dumps(line) + "\n")


def main(arguments: list[str]) -> int:
    """Run in the folder that is named; a second argument limits the number of transactions."""
    writer = Writer(Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else None)
    try:
        writer.run()
    finally:
        writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
