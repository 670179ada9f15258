"""`spec.secondaryClusters`: items by name, each inheriting what it leaves out from what is known of that name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neo4j_dr_operator.api.disaster_recovery import SecondaryCluster

INHERITED = ("clusterRef", "region", "priority")


def inherit(items: Sequence[SecondaryCluster], known: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`status.secondaryClusters`: each item of the spec with what it names, else what was known of its name."""
    before = {str(entry.get("name")): entry for entry in known}
    made = []
    for item in items:
        own = {"clusterRef": item.cluster_ref, "region": item.region, "priority": item.priority}
        old = before.get(item.name, {})
        merged = {key: own[key] if own[key] is not None else old.get(key) for key in INHERITED}
        made.append({"name": item.name, **{key: value for key, value in merged.items() if value is not None}})
    return made


def unknown(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """What to say of entries that name no cluster and inherit none, or None."""
    names = [str(entry["name"]) for entry in entries if not entry.get("clusterRef")]
    if not names:
        return None
    return f"spec.secondaryClusters: {', '.join(names)}: clusterRef is needed, since nothing is known of that name yet"
