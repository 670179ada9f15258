"""P1 as a client sees it: who tries both sides all the time is acknowledged by one of them only."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import neo4j
from kubernetes import client, config

from tests.compare import assert_equal
from tests.scenario.world import DR, World, instant, wait_for

EVERY = 0.05


@dataclass(frozen=True)
class Acknowledged:
    """One committed write: at which site, its number, when it was sent and acknowledged (wall seconds)."""

    site: str
    number: int
    sent: float
    at: float


class Client(threading.Thread):
    """Tries one site every 50 ms. Where the resource says standby it rolls back: a Community standby, which has no
    commit guard, would take the write."""

    def __init__(self, world: World, site: str) -> None:
        super().__init__(daemon=True, name=f"client-{site}")
        api = config.new_client_from_config(str(world.plane.kubeconfig))
        self._objects, self._world, self._site = client.CustomObjectsApi(api), world, site
        self._end = threading.Event()
        self.acknowledged: list[Acknowledged] = []
        self.refused = self.rolled_back = 0

    def _active(self) -> str | None:
        """Asked right before every attempt: an active site is deposed in the status before anybody opens it again."""
        found: Any = self._objects.get_namespaced_custom_object(
            "neo4j.neo4j.com", "v1alpha1", self._world.namespace, "neo4jdisasterrecoveries", DR
        )
        return found.get("status", {}).get("activeSite")

    def run(self) -> None:
        """One attempt after the other."""
        number = 0
        with self._world.sites[self._site].driver() as driver:
            while not self._end.wait(EVERY):
                number += 1
                try:
                    self._try(driver, number)
                except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
                    self.refused += 1

    def _try(self, driver: neo4j.Driver, number: int) -> None:
        commit, sent = self._active() == self._site, time.time()
        with driver.session(database="neo4j") as session, session.begin_transaction() as tx:
            tx.run("CREATE (:Try {site: $s, uid: $s + $n})", s=self._site, n=str(number)).consume()
            if commit:
                tx.commit()
                self.acknowledged.append(Acknowledged(self._site, number, sent, time.time()))
            else:
                tx.rollback()
                self.rolled_back += 1

    def stop(self) -> None:
        """End."""
        self._end.set()
        self.join(30)


def _fenced_at(entry: dict[str, Any]) -> float:
    """When the operator had seen the old primary read-only."""
    stamp = next(step["at"] for step in entry["steps"] if step["name"] == "Fencing")
    return instant(stamp)


def test_no_write_is_acknowledged_by_a_fenced_primary(dr: World) -> None:
    dr.set_up()
    dr.operator.start()
    dr.settled("primary")
    clients = {site: Client(dr, site) for site in dr.sites}
    for each in clients.values():
        each.start()
    for target in ("secondary", "primary", "secondary"):
        before = len(clients["secondary" if target == "primary" else "primary"].acknowledged)
        busy = clients["secondary" if target == "primary" else "primary"]
        wait_for("writes before", lambda b=busy, n=before: len(b.acknowledged) > n + 10, 30)
        dr.request(target)
        dr.settled(target, 90)
    wait_for("writes after", lambda: len(clients["secondary"].acknowledged) > 20, 30)
    for each in clients.values():
        each.stop()
    for entry in dr.status()["failover"]["history"]:
        fenced, ended = _fenced_at(entry), _fenced_at(entry) + entry["durationSeconds"]
        late = [a for a in clients[entry["from"]].acknowledged if fenced <= a.sent <= ended]
        assert late == []
    held = {row["u"] for row in dr.sites["secondary"].query("MATCH (t:Try) RETURN t.uid AS u")}
    sent = {f"{a.site}{a.number}" for each in clients.values() for a in each.acknowledged}
    assert sent <= held, f"acknowledged and lost: {sorted(sent - held)[:5]}"
    assert all(each.rolled_back > 0 for each in clients.values())
    assert sum(each.refused for each in clients.values()) > 0
    wait_for("the rest arrives", lambda: _same(dr), 30)


def _same(world: World) -> bool:
    try:
        assert_equal(*(site.query for site in world.sites.values()))
    except AssertionError:
        return False
    return True
