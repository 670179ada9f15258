"""The guide's manifests, verbatim, and what this machine needs different in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

GUIDE = Path(__file__).parent / "guide"
NAMESPACE = "neo4j-production"
RECOVERY = "cross-region-dr"
CLUSTERS = {"primary": "primary-cluster", "secondary": "secondary-cluster"}
STORE_KEYS = "neo4j-dr-store"
"""Secret with the keys of the object store."""

THIRD, THIRD_REGION = "third-cluster", "eu-west-1"
"""Where a graph is restored to: in a region that has no part in the disaster recovery."""
RESTORE = "disaster-recovery-restore"

ARCHIVE_BUCKET, BACKUP_BUCKET = "neo4j-dr-logs", "neo4j-dr-backups"
DRILL = {"interval": "10s", "timeout": "5s", "consecutiveFailures": 2}
"""`failover.healthCheck` of the guide's drill, instead of three times 30 s."""
SHIP_EVERY = "1s"
"""Interval of log shipping, instead of a minute."""


@dataclass(frozen=True)
class Difference:
    """One field of the `spec` that is not as printed; `was` or `now` is None where it is absent."""

    path: str
    was: Any
    now: Any


def printed(name: str) -> dict[str, Any]:
    """A manifest as the guide prints it."""
    made: dict[str, Any] = yaml.safe_load((GUIDE / f"{name}.yaml").read_text(encoding="utf-8"))
    return made


def planned_failover() -> list[str]:
    """The `kubectl` lines of the guide's planned failover, verbatim and in order."""
    lines = (GUIDE / "planned-failover.bash").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("kubectl ")]


def cluster(site: str, uri: str) -> dict[str, Any]:
    """A cluster of the guide that the operator does not run itself: it is reached at `uri`."""
    made = printed(CLUSTERS[site])
    made["spec"]["external"] = {"uri": uri, "caSecret": f"neo4j-ca-{site}"}
    return made


def third(uri: str) -> dict[str, Any]:
    """A cluster as the guide's second one, elsewhere, that takes part in nothing."""
    made = printed(CLUSTERS["secondary"])
    made["metadata"]["name"] = THIRD
    made["spec"]["external"] = {"uri": uri, "caSecret": f"neo4j-ca-{THIRD}"}
    del made["spec"]["disasterRecovery"]
    return made


def restore(endpoint: str, at: datetime) -> dict[str, Any]:
    """The guide's restore, to a moment of this run, into the third cluster."""
    made = printed(RESTORE)
    made["spec"]["clusterRef"] = THIRD
    made["spec"]["pointInTime"] = at.isoformat(timespec="milliseconds")
    made["spec"]["source"]["location"] |= {"endpoint": endpoint, "credentialsSecret": STORE_KEYS}
    return made


def recovery(endpoint: str) -> dict[str, Any]:
    """The guide's disaster recovery, its archives (and beside one the third vote) in an object store at `endpoint`.

    The store has no key management, so encryption by it is left out; the archive is written often enough to be seen.
    """
    made = printed(RECOVERY)
    made["spec"]["failover"]["healthCheck"] = dict(DRILL)
    shipping = made["spec"]["replication"]["logShipping"]
    shipping["destination"] |= {"endpoint": endpoint, "credentialsSecret": STORE_KEYS}
    made["spec"]["backup"]["destination"] |= {"endpoint": endpoint, "credentialsSecret": STORE_KEYS}
    shipping["interval"] = SHIP_EVERY
    del shipping["encryption"]
    return made


def secret(name: str, **data: str) -> dict[str, Any]:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def differences(manifest: dict[str, Any]) -> list[Difference]:
    """What of a manifest's `spec` is not as the guide prints it, field by field; a branch left out counts as one."""
    was = printed(manifest["metadata"]["name"])
    return list(_differences("spec", copy.deepcopy(was["spec"]), manifest["spec"]))


def _differences(path: str, was: Any, now: Any) -> Iterator[Difference]:
    if isinstance(now, dict) and (was is None or isinstance(was, dict)):
        before = was or {}
        for key in [*before, *(key for key in now if key not in before)]:
            yield from _differences(f"{path}.{key}", before.get(key), now.get(key))
    elif was != now:
        yield Difference(path, was, now)


def text(value: Any) -> str:
    """A value on one line, as YAML would take it."""
    return value if isinstance(value, str) else json.dumps(value)
