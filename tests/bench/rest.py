"""What resources at rest cost: CPU and memory of the operator, and of a link's worker.

Three kinds of rest: *waiting* (the clusters referred to do not exist), *refused* (real databases that belong to another
resource, probed as the guide's defaults say) and *live* (a pair that replicates, heartbeats and lease on, nobody
writing). CPU is the process's own from `/proc`, kernel time included, as per cent of one core.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lab import S3, ControlPlane, Lab, Neo4j
from tests.bench.usage import cpu_seconds, resident
from tests.scenario.world import DR, ROOT, World, wait_for, world

SECONDS = float(os.environ.get("BENCH_REST_SECONDS", "60"))
SETTLE = 10.0
"""Seconds of rest before anything is measured."""
MANY = 50


def _measured(pids: dict[str, int]) -> dict[str, dict[str, float]]:
    time.sleep(SETTLE)
    before, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    return {
        name: {"cpu_percent": round(100 * (cpu_seconds(pid) - before[name]) / took, 2), "rss_mib": round(resident(pid))}
        for name, pid in pids.items()
    }


def _add(dr: World, count: int, prefix: str, clusters: tuple[str, str]) -> None:
    """So many more resources that refer to these two clusters."""
    manifest = dr.recovery_manifest(automatic=False, quorum={})
    del manifest["spec"]["failover"]["healthCheck"]
    manifest["spec"] |= {"primaryClusterRef": clusters[0], "secondaryClusterRef": clusters[1]}
    items = [{**manifest, "metadata": {"name": f"{prefix}-{number}"}} for number in range(count)]
    dr.apply({"apiVersion": "v1", "kind": "List", "items": items})


def _reasons(dr: World, prefix: str) -> list[str]:
    found = json.loads(dr.kubectl("get", "n4dr", "-o", "json"))["items"]
    return [
        condition["reason"]
        for item in found
        if item["metadata"]["name"].startswith(prefix)
        for condition in (item.get("status") or {}).get("conditions") or []
        if condition["type"] == "Ready"
    ]


def _rest(dr: World, name: str, count: int, reason: str, workers: bool = False) -> dict[str, dict[str, float]]:
    """The operator started anew over what is there, at rest."""
    dr.operator.start()
    process = dr.operator.process
    assert process is not None
    wait_for(f"{count} resources of {name}", lambda: _reasons(dr, name).count(reason) == count, 120, 0.5)
    if workers:
        dr.settled("primary")
    pids = {"operator": process.pid}
    if workers:
        pids["worker"] = dr.operator.workers()[0]
    found = _measured(pids)
    assert dr.operator.stop() == 0
    return found


def main() -> dict[str, Any]:
    """Measure, print a table, give the figures."""
    sites, plane, store = (Neo4j("primary"), Neo4j("secondary")), ControlPlane(), S3()
    rows: dict[str, dict[str, dict[str, float]]] = {}
    with Lab(*sites, plane, store) as lab, tempfile.TemporaryDirectory() as home:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        served = ("get", "n4dr,n4c,n4r", "-A")
        wait_for("served", lambda: plane.kubectl(*served, check=False).returncode == 0, 20)
        with world(plane, sites, store, Path(home), lab.run.ports.free()) as dr:
            plane.kubectl("create", "namespace", dr.namespace)
            rows["nothing"] = _rest(dr, "waiting", 0, "")
            for count in (1, MANY):
                _add(dr, count, "waiting", ("nowhere-east", "nowhere-west"))
                rows[f"{count} waiting"] = _rest(dr, "waiting", count, "ReferenceUnresolved")
            dr.kubectl("delete", "n4dr", "--all")
            dr.set_up(create=False)
            rows["1 live"] = _rest(dr, DR, 1, "Replicating", workers=True)
            _add(dr, MANY, "refused", ("primary-cluster", "secondary-cluster"))
            rows[f"1 live, {MANY} refused"] = _rest(dr, "refused", MANY, "OwnedByAnother", workers=True)
    print(f"rest: {SECONDS:.0f} s each, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"  {'':24}{'process':10}{'CPU % of a core':>17}{'RSS MiB':>9}")
    for name, processes in rows.items():
        for process, found in processes.items():
            print(f"  {name:24}{process:10}{found['cpu_percent']:17.2f}{found['rss_mib']:9.0f}")
    return rows


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
