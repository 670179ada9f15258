"""Writers that keep a database busy with a known mix, every element with a unique ``uid``."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import neo4j

from lab import Neo4j
from tests.database.values import VALUES

LABELS = (["Person"], ["Person", "Admin"], ["Thing"], [])
TYPES = ("KNOWS", "HAS")
EVERY_TYPE_SHARE = 0.1
DEADLOCK = "Neo.TransientError.Transaction.DeadlockDetected"


class Load(threading.Thread):
    """One client: small transactions of creates, updates, deletes until stopped. Deleted ids get used again."""

    def __init__(self, database: Neo4j, seed: int, *, pause: float = 0.0, others: int = 0) -> None:
        """``others``: uids 0..others-1 exist already and are updated, connected and deleted as well."""
        super().__init__(daemon=True, name=f"load-{seed}")
        self._driver = database.driver()
        self._random = random.Random(seed)
        self._seed, self._pause, self._others = seed, pause, others
        self._next = 0
        self._own: list[int] = []
        self._halt = threading.Event()
        self.transactions = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        """Until stopped."""
        try:
            with self._driver.session(database="neo4j") as session:
                while not self._halt.is_set():
                    try:
                        self._one(session)
                    except neo4j.exceptions.TransientError as error:
                        if error.code != DEADLOCK:
                            raise
                        continue  # another client was in the way: nothing was committed, and any client tries again
                    self.transactions += 1
                    if self._pause:
                        self._halt.wait(self._pause)
        except (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError) as error:
            self.failure = error
        finally:
            self._driver.close()

    def stop(self) -> int:
        """End it; the number of transactions committed. Raises what it failed with."""
        self._end()
        if self.failure is not None:
            raise self.failure
        return self.transactions

    @staticmethod
    def end_all() -> None:
        """End those that nobody has stopped, whatever they failed with."""
        for thread in threading.enumerate():
            if isinstance(thread, Load):
                thread._end()

    def _end(self) -> None:
        self._halt.set()
        self.join(30)

    def _uid(self) -> int:
        self._next += 1
        return self._seed * 1_000_000_000 + self._next

    def _any(self) -> int:
        if self._others and self._random.random() < 0.5:
            return self._random.randrange(self._others)
        return self._random.choice(self._own) if self._own else -1

    def _every_type(self) -> dict[str, Any]:
        """Now and then a value of every property type; the long text is left to the tests of copying."""
        if self._random.random() >= EVERY_TYPE_SHARE:
            return {}
        return {name: value for name, value in VALUES.items() if name != "long_text"}

    def _one(self, session: neo4j.Session) -> None:
        dice = self._random.random()
        if dice < 0.45 or not self._own:
            uid = self._uid()
            session.run(
                "CREATE (n:$($labels) {uid: $uid, at: $at, f: $f}) SET n += $more "
                "WITH n OPTIONAL MATCH (m:Old {uid: $other}) "
                "FOREACH (x IN CASE WHEN m IS NULL THEN [] ELSE [m] END | CREATE (n)-[:KNOWS {w: $uid}]->(x))",
                labels=[*self._random.choice(LABELS), "Live"],
                uid=uid,
                at=time.time(),
                f=self._random.random(),
                more=self._every_type(),
                other=self._random.randrange(self._others) if self._others else -1,
            ).consume()
            self._own.append(uid)
        elif dice < 0.6:
            self._link(session)
        elif dice < 0.8:
            self._update(session)
        else:
            self._remove(session)

    def _link(self, session: neo4j.Session) -> None:
        session.run(
            "MATCH (a:Live {uid: $a}), (b:Live {uid: $b}) CREATE (a)-[r:$($type)]->(b) SET r.w = $w, r += $more",
            more=self._every_type(),
            a=self._random.choice(self._own),
            b=self._random.choice(self._own),
            type=self._random.choice(TYPES),
            w=self._uid(),
        ).consume()

    def _update(self, session: neo4j.Session) -> None:
        text = self._random.choice(
            (
                "MATCH (n:{0} {{uid: $uid}}) SET n.v = $v, n:Seen REMOVE n:Thing",
                "MATCH (n:{0} {{uid: $uid}}) SET n.v = null, n.w = [$v, $v] REMOVE n:Seen",
                "MATCH (n:{0} {{uid: $uid}})-[r]-() SET r.v = $v",
            )
        )
        self._run_on_any(session, text, v=self._random.random())

    def _remove(self, session: neo4j.Session) -> None:
        text = self._random.choice(
            ("MATCH (n:{0} {{uid: $uid}}) DETACH DELETE n", "MATCH (n:{0} {{uid: $uid}})-[r]-() DELETE r")
        )
        self._run_on_any(session, text)

    def _run_on_any(self, session: neo4j.Session, text: str, **params: Any) -> None:
        if self._others and self._random.random() < 0.6:
            label, uid = "Old", self._random.randrange(self._others)
        else:
            label, uid = "Live", self._random.choice(self._own)
        session.run(text.format(label), uid=uid, **params).consume()


def prepare(database: Neo4j, nodes: int, relationships: int) -> None:
    """``nodes`` nodes of label Old with uid 0.., some removed and made again so that ids were reused before."""
    database.query("CREATE CONSTRAINT old_uid IF NOT EXISTS FOR (n:Old) REQUIRE n.uid IS UNIQUE")
    database.query("CREATE INDEX live_uid IF NOT EXISTS FOR (n:Live) ON (n.uid)")
    database.query("CALL db.awaitIndexes(60)")
    database.query(
        "UNWIND range(0, $n - 1) AS i CALL (i) { CREATE (:Old {uid: i, name: 'node ' + i, z: i * 0.5}) } "
        "IN TRANSACTIONS OF 10000 ROWS",
        n=nodes,
    )
    database.query(
        "UNWIND range(0, $r - 1) AS i CALL (i) { MATCH (a:Old {uid: i % $n}) MATCH (b:Old {uid: (i * 7 + 1) % $n}) "
        "CREATE (a)-[:LINK {w: i}]->(b) } IN TRANSACTIONS OF 10000 ROWS",
        n=nodes,
        r=relationships,
    )
