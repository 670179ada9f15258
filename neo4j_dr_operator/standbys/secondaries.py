"""`spec.secondaryClusters`: items by name, which of them is the site `secondary`, whom every other one follows. Pure.

One item, the first by priority, is the standby of the pair: it takes over. Every other one is a *follower*: a copy with
a link of its own from a source that stays the same whoever is active (docs/decisions/0002-several-standbys.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec, SecondaryCluster
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.failover.state import SITES, link_name

INHERITED = ("clusterRef", "region", "priority")
_LAST = 101
"""Behind every priority that can be given."""


class LayoutRefused(DrError):
    """The standbys cannot be laid out as the resource says."""

    reason = "InvalidTopology"


@dataclass(frozen=True)
class Standby:
    """One item, with what it inherits. `region`: its own, else its cluster's, None while neither is known."""

    name: str
    cluster: str
    region: str | None = None
    priority: int | None = None


@dataclass(frozen=True)
class Follower:
    """A standby that never takes over by itself. `source`: a site, or the name of another follower."""

    standby: Standby
    source: str

    @property
    def name(self) -> str:
        """Its name in the resource."""
        return self.standby.name

    @property
    def link(self) -> str:
        """The name of its link in its own bookkeeping."""
        return link_name(self.source, self.name)


@dataclass(frozen=True)
class Layout:
    """`secondary` is the standby of the pair; of the followers, each comes after its source."""

    secondary: Standby
    followers: tuple[Follower, ...] = ()


def inherit(items: Sequence[SecondaryCluster], known: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`status.secondaryClusters`: each item of the spec with what it names, else what was known of its name.

    A cluster that is known stays: what `exchanged` finds is never taken over.
    """
    before = {str(entry.get("name")): entry for entry in known}
    made = []
    for item in items:
        own = {"clusterRef": item.cluster_ref, "region": item.region, "priority": item.priority}
        old = before.get(item.name, {})
        merged = {key: own[key] if own[key] is not None else old.get(key) for key in INHERITED}
        merged["clusterRef"] = old.get("clusterRef") or item.cluster_ref
        made.append({"name": item.name, **{key: value for key, value in merged.items() if value is not None}})
    return made


def unknown(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """What to say of entries that name no cluster and inherit none, or None."""
    names = [str(entry["name"]) for entry in entries if not entry.get("clusterRef")]
    if not names:
        return None
    return f"spec.secondaryClusters: {', '.join(names)}: clusterRef is needed, since nothing is known of that name yet"


def exchanged(items: Sequence[SecondaryCluster], known: Sequence[Mapping[str, Any]]) -> str | None:
    """What to say of an item that names another cluster than its name is known with, or None.

    The API server sees that only where the item named its cluster before: an inherited one is not in the spec.
    """
    before = {str(entry.get("name")): entry.get("clusterRef") for entry in known}
    for item in items:
        old = before.get(item.name)
        if old and item.cluster_ref not in (None, old):
            return (
                f"spec.secondaryClusters: {item.name}: clusterRef is {item.cluster_ref}, but the standby of that name "
                f"is {old} and cannot be exchanged: put {old} back, or give {item.cluster_ref} a name of its own"
            )
    return None


def kept(entries: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`status.secondaryClusters` while nothing is decided: what is stored, brought to what the items say now."""
    told = {str(entry["name"]): {**entry} for entry in stored}
    for entry in entries:
        told[str(entry["name"])] = {**told.get(str(entry["name"]), {}), **entry}
    return list(told.values())


def clusters_named(body: Mapping[str, Any]) -> set[str]:
    """The clusters that a resource refers to, inherited ones too."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    known = {entry.get("name"): entry.get("clusterRef") for entry in status.get("secondaryClusters") or []}
    items = spec.get("secondaryClusters") or []
    named = [spec.get("primaryClusterRef"), spec.get("secondaryClusterRef")]
    return {name for name in [*named, *(known.get(i.get("name")) or i.get("clusterRef") for i in items)] if name}


def regions_of(
    cluster: Callable[[str, str], Mapping[str, Any] | None], namespace: str, body: Mapping[str, Any]
) -> dict[str, str]:
    """The regions that the clusters of a resource say of themselves, as far as they have been seen, by their names."""
    found = {}
    for name in clusters_named(body):
        seen = cluster(namespace, name)
        region = ((seen or {}).get("spec") or {}).get("disasterRecovery", {}).get("region")
        if region:
            found[name] = region
    return found


def standbys(entries: Sequence[Mapping[str, Any]], regions: Mapping[str, str]) -> list[Standby]:
    """The entries of `inherit`, in order of priority and then as listed. `regions`: of clusters that say theirs."""
    found = [
        Standby(
            str(e["name"]), str(e["clusterRef"]), e.get("region") or regions.get(e["clusterRef"]), e.get("priority")
        )
        for e in entries
    ]
    return sorted(found, key=lambda standby: standby.priority or _LAST)


def lay_out(
    spec: DisasterRecoverySpec, found: Sequence[Standby], primary_region: str | None = None, pinned: str = ""
) -> Layout:
    """Who follows whom. `found`: of `standbys`, at least one; `primary_region`: what the primary's cluster says.

    `pinned`: the standby that has been the site secondary since the first epoch, empty before: it stays that, whatever
    the priorities become. Raises LayoutRefused, which names what does not fit.
    """
    _refuse_twice(spec, found)
    second = next((standby for standby in found if standby.name == pinned), found[0])
    if pinned and second.name != pinned:
        raise LayoutRefused(
            f"spec.secondaryClusters lacks {pinned}, which is the standby that takes over and cannot be taken away: "
            "put it back, or create another resource"
        )
    others = [standby for standby in found if standby is not second]
    reserved = [standby.name for standby in others if standby.name in SITES]
    if reserved:
        raise LayoutRefused(f"spec.secondaryClusters: {reserved[0]} is the name of a site: choose another one")
    if spec.replication.topology is None:
        return Layout(second, tuple(Follower(standby, "primary") for standby in others))
    sources = _sources(spec, found, second, primary_region)
    if sources[second.name] != "primary":
        raise LayoutRefused(
            f"spec.secondaryClusters: {second.name} takes over when the primary is lost, so it must follow the primary "
            f"itself; spec.replication.topology lets it follow {sources[second.name]}"
        )
    return Layout(second, tuple(_sorted([Follower(standby, sources[standby.name]) for standby in others])))


def _refuse_twice(spec: DisasterRecoverySpec, found: Sequence[Standby]) -> None:
    """The API server sees this only where an item names its cluster itself."""
    seen = {spec.primary_cluster_ref: "primaryClusterRef"}
    for standby in found:
        if standby.cluster in seen:
            raise LayoutRefused(
                f"spec.secondaryClusters: {standby.name}: clusterRef {standby.cluster} is that of "
                f"{seen[standby.cluster]} already"
            )
        seen[standby.cluster] = standby.name


def _sources(
    spec: DisasterRecoverySpec, found: Sequence[Standby], second: Standby, primary_region: str | None
) -> dict[str, str]:
    """Whom each standby follows, by its name. Raises LayoutRefused."""
    topology = spec.replication.topology
    assert topology is not None
    where = "spec.replication.topology"
    if primary_region not in (None, topology.primary):
        raise LayoutRefused(
            f"{where}.primary is {topology.primary}, but {spec.primary_cluster_ref} is in {primary_region}"
        )
    edges: dict[str, str] = {}
    for edge in topology.secondaries:
        if edge.region == topology.primary:
            raise LayoutRefused(
                f"{where}.secondaries names {edge.region}, the region of the primary, which follows nobody"
            )
        if edge.region in edges:
            raise LayoutRefused(f"{where}.secondaries gives {edge.region} two sources")
        edges[edge.region] = edge.source
    within: dict[str, list[Standby]] = {}
    for standby in found:
        if standby.region is None:
            raise LayoutRefused(f"spec.secondaryClusters: {standby.name}: region is needed with mode: cascading")
        if standby.region not in edges:
            raise LayoutRefused(f"{where}.secondaries lacks {standby.region}, the region of {standby.name}")
        within.setdefault(standby.region, []).append(standby)
    names = {topology.primary: "primary"}
    for region in edges:
        if region not in within:
            raise LayoutRefused(f"{where}.secondaries names {region}, and no item of secondaryClusters is there")
        first = within[region][0]
        names[region] = "secondary" if first is second else first.name
    for region, source in edges.items():
        if source not in names:
            raise LayoutRefused(f"{where}.secondaries: {region} follows {source}, and no cluster is known there")
        if len(within.get(source, ())) > 1:
            listed = " and ".join(standby.name for standby in within[source])
            raise LayoutRefused(
                f"{where}.secondaries: {region} follows {source}, where {listed} are: it can be only one"
            )
    return {standby.name: names[edges[standby.region or ""]] for standby in found}


def _sorted(followers: list[Follower]) -> list[Follower]:
    """Each after its source. Raises LayoutRefused for a circle."""
    done: list[Follower] = []
    waiting = list(followers)
    while waiting:
        known = {*SITES, *(follower.name for follower in done)}
        ready = [follower for follower in waiting if follower.source in known]
        if not ready:
            names = ", ".join(follower.name for follower in waiting)
            raise LayoutRefused(f"spec.replication.topology: {names} follow each other in a circle")
        done += ready
        waiting = [follower for follower in waiting if follower not in ready]
    return done


def as_pair(spec: DisasterRecoverySpec, layout: Layout) -> DisasterRecoverySpec:
    """The resource as that of its pair alone: `secondaryClusterRef` and the regions as the layout has them."""
    topology, regions = spec.replication.topology, spec.cross_region
    primary = regions.primary_region or (topology.primary if topology is not None else None)
    named = regions.model_copy(update={"primary_region": primary, "secondary_region": layout.secondary.region})
    return spec.model_copy(update={"secondary_cluster_ref": layout.secondary.cluster, "cross_region": named})


def layout_of(
    spec: DisasterRecoverySpec,
    entries: Sequence[Mapping[str, Any]],
    stored: Sequence[Mapping[str, Any]],
    regions: Mapping[str, str],
    pinned: str = "",
) -> Layout:
    """The layout of the entries that `inherit` made of `stored`; `regions` and `pinned` as above. Raises
    LayoutRefused."""
    wrong = unknown(entries) or exchanged(spec.secondary_clusters or [], stored)
    if wrong is not None:
        raise LayoutRefused(wrong)
    own = spec.cross_region.primary_region or regions.get(spec.primary_cluster_ref)
    return lay_out(spec, standbys(entries, regions), own, pinned)


def pair_of(body: Mapping[str, Any], regions: Mapping[str, str]) -> DisasterRecoverySpec:
    """A stored resource as that of its pair, as the operator has it: for everybody who must take the operator's way.

    Raises pydantic.ValidationError for a spec that cannot be read, LayoutRefused.
    """
    spec, status = DisasterRecoverySpec.read(body.get("spec") or {}), body.get("status") or {}
    if spec.secondary_clusters is None:
        return spec
    stored = status.get("secondaryClusters") or []
    entries, pinned = inherit(spec.secondary_clusters, stored), (status.get("control") or {}).get("secondary") or ""
    return as_pair(spec, layout_of(spec, entries, stored, regions, pinned))
