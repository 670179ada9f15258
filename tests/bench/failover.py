"""Kill to decision to writable, over automatic failovers of a real operator under the guide's drill settings.

*Decision*: `Confirmed` in the stored status, before the first fencing action. *Writable*: the first write that an
outside client was acknowledged at the new active site. The lower bound of the detection is the settings' own:
(consecutiveFailures - 1) intervals; its upper one adds an interval and a time-out.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import neo4j

from lab import S3, ControlPlane, Lab, Neo4j
from tests.scenario.world import ROOT, World, instant, wait_for, world

ROUNDS = int(os.environ.get("BENCH_FAILOVERS", "10"))
DRILL = {"interval": "10s", "timeout": "5s", "consecutiveFailures": 2}
GOAL_SECONDS = 5.0


def _first_write(database: Neo4j, found: list[float], stop: threading.Event) -> None:
    """Try to write as a client would whose resource says that this site is the primary; note the first success."""
    query = (
        "MATCH (s:__Neo4jDRSite) WHERE s.role = 'primary' WITH s LIMIT 1 CREATE (w:Written {at: timestamp()}) RETURN w"
    )
    with database.driver() as driver:
        while not stop.is_set() and not found:
            try:
                with driver.session(database="neo4j") as session:
                    if session.run(query).data():
                        found.append(time.time())
                        return
            except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
                pass
            stop.wait(0.02)


def _round(dr: World, active: str) -> dict[str, float]:
    """One kill; the seconds of each part."""
    standby = "secondary" if active == "primary" else "primary"
    dr.settled(active, 90)
    dr.await_condition("FailoverReady", "True")
    found: list[float] = []
    stop = threading.Event()
    client = threading.Thread(target=_first_write, args=(dr.sites[standby], found, stop))
    killed = time.time()
    dr.sites[active].kill9()
    client.start()
    try:
        wait_for("taken over", lambda: dr.status().get("activeSite") == standby, 120)
        wait_for("written", lambda: found, 30)
    finally:
        stop.set()
        client.join()
    entry = dr.status()["failover"]["history"][-1]
    decision = next(instant(step["at"]) for step in entry["steps"] if step["name"] == "Confirmed")
    dr.sites[active].start()
    return {"detection": decision - killed, "promotion": found[0] - decision, "total": found[0] - killed}


def main() -> dict[str, Any]:
    """Measure, print a table, give the figures."""
    sites, plane, store = (Neo4j("primary"), Neo4j("secondary")), ControlPlane(), S3()
    with Lab(*sites, plane, store) as lab, tempfile.TemporaryDirectory() as home:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        served = ("get", "n4dr,n4c,n4r", "-A")
        wait_for("served", lambda: plane.kubectl(*served, check=False).returncode == 0, 20)
        with world(plane, sites, store, Path(home), lab.run.ports.free()) as dr:
            dr.set_up(healthCheck=DRILL)
            dr.operator.start()
            rounds = [_round(dr, "secondary" if turn % 2 else "primary") for turn in range(ROUNDS)]
    figures: dict[str, Any] = {"rounds": rounds, "settings": DRILL}
    print(
        f"failover: {ROUNDS} automatic ones, settings {DRILL}; goal: decision to writable within {GOAL_SECONDS:.0f} s"
    )
    print(f"  {'':24}{'min':>8}{'median':>8}{'max':>8}   limit")
    limits = {"detection": "10..25 s by the settings", "promotion": f"{GOAL_SECONDS:.0f} s", "total": ""}
    for name, limit in limits.items():
        values = sorted(each[name] for each in rounds)
        low, middle, high = values[0], values[len(values) // 2], values[-1]
        figures[name] = {"min": low, "median": middle, "max": high}
        print(f"  {name:24}{low:8.2f}{middle:8.2f}{high:8.2f}   {limit}")
    return figures


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
