"""From resources to an address with credentials. Order of DESIGN: external, endpoints, primaryEndpoint, Service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec
from neo4j_dr_operator.api.storage import S3Location
from neo4j_dr_operator.errors import DrError, KubernetesError, NotFound
from neo4j_dr_operator.failover.state import Site, other
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.graph.spoken import BOLT_PORT
from neo4j_dr_operator.health.advice import Place
from neo4j_dr_operator.objectstore.s3 import S3Address

FORBIDDEN = 403


class Unresolved(DrError):
    """A cluster, Secret or key that a resource refers to is not there, or does not have what is needed."""

    reason = "ReferenceUnresolved"


class PlainBoltRefused(DrError):
    """TLS is asked for on every link, and an address is plain Bolt."""

    reason = "PlainBoltRefused"


class Secrets(Protocol):
    """Where Secrets are read; `kube.client.Kube` in the operator."""

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded keys. Raises NotFound."""
        ...


@dataclass(frozen=True)
class Address:
    """A URI, the field it comes from (or ``Service``), and the object which that field stands in."""

    uri: str
    source: str
    of: str


@dataclass(frozen=True)
class Resolved:
    """One site's two ways in, the operator's and the links', each with what people call it."""

    own: Endpoint
    link: Endpoint
    place: Place
    link_place: Place


def address_of(site: Site, specs: Mapping[Site, ClusterSpec], spec: DisasterRecoverySpec, where: str) -> Address:
    """The address of a site's cluster: the first there is of the cluster's own `external.uri`, the resource's
    `crossRegion.networking.endpoints`, the `primaryEndpoint` that the other cluster has of the primary (or the primary
    of itself), and the cluster's Service.

    `where`: the namespace. A host alone becomes `neo4j+s://` where plain Bolt is refused, else `neo4j://`, with port
    7687 unless it names one.
    """
    cluster, scheme = specs[site], "neo4j+s" if spec.encrypted_links else "neo4j"
    if cluster.external is not None:
        return Address(cluster.external.uri, "spec.external.uri", spec.cluster_of(site))
    if (host := spec.cross_region.networking.endpoints.of(site)) is not None:
        return Address(
            f"{scheme}://{_with_port(host)}", f"spec.crossRegion.networking.endpoints.{site}", "this resource"
        )
    for told in (other(site), site) if site == "primary" else ():
        if (host := specs[told].disaster_recovery.primary_endpoint) is not None:
            source = "spec.disasterRecovery.primaryEndpoint"
            return Address(f"{scheme}://{_with_port(host)}", source, spec.cluster_of(told))
    return Address(f"{scheme}://{spec.cluster_of(site)}.{where}.svc.cluster.local:{BOLT_PORT}", "Service", "")


def _with_port(host: str) -> str:
    return host if ":" in host.rpartition("]")[2] else f"{host}:{BOLT_PORT}"


async def _secret(secrets: Secrets, namespace: str, name: str, what: str) -> dict[str, str]:
    try:
        return await secrets.secret(namespace, name)
    except NotFound as error:
        raise Unresolved(f"{what} names Secret {name}, which does not exist in {namespace}: create it") from error
    except KubernetesError as error:
        if error.status != FORBIDDEN:
            raise
        raise Unresolved(
            f"{what} names Secret {name}, which the operator may not read: grant it get on Secrets in {namespace}"
        ) from error


def credentials(data: Mapping[str, str], name: str) -> tuple[str, str]:
    """User and password of an admin Secret: `username` and `password`, or `NEO4J_AUTH` as `user/password`."""
    if data.get("username") and data.get("password"):
        return data["username"], data["password"]
    user, slash, password = data.get("NEO4J_AUTH", "").partition("/")
    if user and slash and password:
        return user, password
    raise Unresolved(f"Secret {name} lacks keys: give it username and password, or NEO4J_AUTH as user/password")


async def resolve(
    secrets: Secrets, namespace: str, site: Site, specs: Mapping[Site, ClusterSpec], spec: DisasterRecoverySpec
) -> Resolved:
    """The two ways to a site's cluster. Raises Unresolved, PlainBoltRefused; no connection is made."""
    address = address_of(site, specs, spec, namespace)
    how = _How(spec.encrypted_links, spec.failover.health_check.timeout.seconds)
    return await _ways(secrets, namespace, spec.cluster_of(site), specs[site], address, how)


async def resolve_follower(
    secrets: Secrets, namespace: str, name: str, cluster: ClusterSpec, spec: DisasterRecoverySpec
) -> Resolved:
    """The two ways to the cluster `name` of a follower: its `external.uri`, else its Service. Raises as `resolve`."""
    how = _How(spec.encrypted_links, spec.failover.health_check.timeout.seconds)
    return await _ways(secrets, namespace, name, cluster, _own_address(namespace, name, cluster, how), how)


async def resolve_alone(secrets: Secrets, namespace: str, name: str, cluster: ClusterSpec, timeout: float) -> Resolved:
    """The two ways to a cluster that no disaster recovery resource names. `timeout`: seconds for one query.

    Raises Unresolved.
    """
    how = _How(encrypted=False, timeout=timeout)
    return await _ways(secrets, namespace, name, cluster, _own_address(namespace, name, cluster, how), how)


@dataclass(frozen=True)
class _How:
    """Whether plain Bolt is refused, and the seconds that one query may take."""

    encrypted: bool
    timeout: float


def _own_address(namespace: str, name: str, cluster: ClusterSpec, how: _How) -> Address:
    if cluster.external is not None:
        return Address(cluster.external.uri, "spec.external.uri", name)
    scheme = "neo4j+s" if how.encrypted else "neo4j"
    return Address(f"{scheme}://{name}.{namespace}.svc.cluster.local:{BOLT_PORT}", "Service", "")


async def _ways(
    secrets: Secrets, namespace: str, name: str, cluster: ClusterSpec, address: Address, how: _How
) -> Resolved:
    link, external, ca = None, cluster.external, None
    if external is not None and external.replication_uri is not None:
        link = Address(external.replication_uri, "spec.external.replicationUri", name)
    if how.encrypted:
        for each in (address, link or address):
            _refuse_plain(name, each)
    secret = cluster.auth.admin_secret
    held = await _secret(secrets, namespace, secret, f"spec.auth.adminSecret of {name}")
    user, password = credentials(held, secret)
    ca_secret = external.ca_secret if external is not None else None
    if ca_secret is not None:
        ca = await _authority(secrets, namespace, ca_secret, name)

    def way(to: Address) -> tuple[Endpoint, Place]:
        endpoint = Endpoint(to.uri, user, password, ca=ca, timeout=how.timeout)
        return endpoint, Place(name, endpoint.address, to.source, to.of, secret, ca_secret)

    (own, place), (links, link_place) = way(address), way(link or address)
    return Resolved(own, links, place, link_place)


def _refuse_plain(name: str, address: Address) -> None:
    scheme, _, rest = address.uri.partition("://")
    if not scheme.endswith("+s"):
        origin = f"{address.source} of {address.of}" if address.of else f"the Service of {name}"
        raise PlainBoltRefused(
            f"{name} at {address.uri}: this resource asks for encrypted links, and the address is plain Bolt, so "
            f"nothing is connected to; write {scheme}+s://{rest} into {origin}"
        )


async def _authority(secrets: Secrets, namespace: str, secret: str, name: str) -> str:
    held = await _secret(secrets, namespace, secret, f"spec.external.caSecret of {name}")
    ca = held.get("ca.crt")
    if not ca:
        raise Unresolved(f"Secret {secret} (spec.external.caSecret of {name}) has no key ca.crt: put the CA there, PEM")
    return ca


async def resolve_s3(secrets: Secrets, namespace: str, location: S3Location) -> S3Address:
    """The address of an S3 location with its keys. Raises Unresolved."""
    keys: dict[str, str] = {}
    if location.credentials_secret is not None:
        keys = await _secret(secrets, namespace, location.credentials_secret, "credentialsSecret")
        if not keys.get("AWS_ACCESS_KEY_ID") or not keys.get("AWS_SECRET_ACCESS_KEY"):
            raise Unresolved(f"Secret {location.credentials_secret} lacks AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY")
    return S3Address(
        location.bucket,
        location.prefix,
        location.region,
        location.endpoint,
        keys.get("AWS_ACCESS_KEY_ID"),
        keys.get("AWS_SECRET_ACCESS_KEY"),
        keys.get("AWS_SESSION_TOKEN"),
    )
