"""Reading resources and the clusters they name; what is not there is said with what is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import CLUSTER, DISASTER_RECOVERY
from neo4j_dr_operator.cli.command import Failure
from neo4j_dr_operator.cli.facts import Snapshot, cluster_names
from neo4j_dr_operator.cli.raw import Document, text
from neo4j_dr_operator.errors import KubernetesError, KubernetesUnreachable, NotFound

if TYPE_CHECKING:
    from neo4j_dr_operator.kube.user import UserKube

NAMES_SHOWN = 10
KIND_MISSING = (
    f"this API server has no {DISASTER_RECOVERY.plural}.{GROUP}: install the operator there (kubectl apply -f crds/), "
    "or choose another --context"
)
NO_CLUSTER = "does not exist in this namespace; the spec names it"


def read_one(kube: UserKube, namespace: str, name: str) -> Snapshot:
    """One resource with its clusters. Raises Failure when it is not there, KubernetesError when it cannot be read."""
    try:
        recovery = kube.get(GROUP, VERSION, DISASTER_RECOVERY.plural, namespace, name)
    except NotFound:
        raise Failure(_not_there(kube, namespace, name)) from None
    clusters, absent = {}, {}
    for cluster in cluster_names(recovery):
        try:
            clusters[cluster] = kube.get(GROUP, VERSION, CLUSTER.plural, namespace, cluster)
        except KubernetesUnreachable:
            raise
        except KubernetesError as error:
            absent[cluster] = NO_CLUSTER if isinstance(error, NotFound) else unreadable(error)
    return Snapshot(recovery, clusters, absent)


def read_all(kube: UserKube, namespace: str | None) -> list[Snapshot]:
    """Every resource of the namespace (None: of all). Raises Failure when the kind is not there."""
    try:
        recoveries, _ = kube.list(GROUP, VERSION, DISASTER_RECOVERY.plural, namespace)
    except NotFound:
        raise Failure(KIND_MISSING) from None
    try:
        clusters: Iterable[Document] | str = kube.list(GROUP, VERSION, CLUSTER.plural, namespace)[0]
    except KubernetesUnreachable:
        raise
    except KubernetesError as error:
        clusters = unreadable(error)
    return assemble(recoveries, clusters)


def assemble(recoveries: Iterable[Document], clusters: Iterable[Document] | str) -> list[Snapshot]:
    """Each resource with its clusters, in order of namespace and name; `clusters` may be why there are none."""
    known = {} if isinstance(clusters, str) else {_key(body): body for body in clusters}
    why = clusters if isinstance(clusters, str) else NO_CLUSTER
    return [_joined(recovery, known, why) for recovery in sorted(recoveries, key=_key)]


def _joined(recovery: Document, known: Mapping[tuple[str, str], Document], why: str) -> Snapshot:
    space, _ = _key(recovery)
    names = cluster_names(recovery)
    found = {name: known[space, name] for name in names if (space, name) in known}
    return Snapshot(recovery, found, {name: why for name in names if name not in found})


def _key(body: Document) -> tuple[str, str]:
    return text(body, "metadata", "namespace") or "", text(body, "metadata", "name") or ""


def unreadable(error: KubernetesError) -> str:
    """Why a cluster is not shown, in a few words."""
    return "cannot be read: you may not get or list it" if error.status == 403 else f"cannot be read: {error.message}"


def none_there(namespace: str | None) -> str:
    """What is said where there is no resource at all."""
    if namespace is None:
        return "there is no disaster recovery resource in any namespace"
    return f"there is no disaster recovery resource in namespace {namespace}; -A looks in all of them, -n in another"


def _not_there(kube: UserKube, namespace: str, name: str) -> str:
    try:
        there, _ = kube.list(GROUP, VERSION, DISASTER_RECOVERY.plural, namespace)
    except NotFound:
        return KIND_MISSING
    except KubernetesError:
        return f"there is no {name} in namespace {namespace} (and you may not list which there are)"
    names = sorted(_key(body)[1] for body in there)
    if not names:
        return f"there is no {name}: {none_there(namespace)}"
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"there is no {name} in namespace {namespace}; there is: {', '.join(names[:NAMES_SHOWN])}{more}"
