"""From resources to an address with credentials. Order of DESIGN: external, endpoints, primaryEndpoint, Service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from neo4j_dr_operator.api.storage import S3Location
from neo4j_dr_operator.api.cluster import ClusterSpec
from neo4j_dr_operator.errors import DrError, NotFound
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.s3 import S3Address

BOLT_PORT = 7687


class Unresolved(DrError):
    """A cluster, Secret or key that a resource refers to is not there, or does not have what is needed."""

    reason = "ReferenceUnresolved"


class Secrets(Protocol):
    """Where Secrets are read; `kube.client.Kube` in the operator."""

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded keys. Raises NotFound."""
        ...


def address_of(name: str, namespace: str, spec: ClusterSpec) -> str:
    """The URI at which a cluster is reached."""
    if spec.external is not None:
        return spec.external.uri
    if spec.disaster_recovery.primary_endpoint is not None and spec.disaster_recovery.role == "primary":
        host = spec.disaster_recovery.primary_endpoint
        return f"neo4j://{host}" if ":" in host else f"neo4j://{host}:{BOLT_PORT}"
    return f"neo4j://{name}.{namespace}.svc.cluster.local:{BOLT_PORT}"


async def _secret(secrets: Secrets, namespace: str, name: str, what: str) -> dict[str, str]:
    try:
        return await secrets.secret(namespace, name)
    except NotFound as error:
        raise Unresolved(f"{what} names Secret {name}, which does not exist in {namespace}") from error


def credentials(data: Mapping[str, str], name: str) -> tuple[str, str]:
    """User and password of an admin Secret: `username` and `password`, or `NEO4J_AUTH` as `user/password`."""
    if data.get("username") and data.get("password"):
        return data["username"], data["password"]
    user, slash, password = data.get("NEO4J_AUTH", "").partition("/")
    if user and slash and password:
        return user, password
    raise Unresolved(f"Secret {name} has neither username and password nor NEO4J_AUTH=user/password")


async def resolve(
    secrets: Secrets, namespace: str, name: str, spec: ClusterSpec, timeout: float
) -> tuple[Endpoint, Endpoint]:
    """The endpoints of the operator and of the links, which differ only in their address. Raises Unresolved."""
    data = await _secret(secrets, namespace, spec.auth.admin_secret, f"spec.auth.adminSecret of {name}")
    user, password = credentials(data, spec.auth.admin_secret)
    uri, link_uri, ca = address_of(name, namespace, spec), None, None
    if spec.external is not None:
        link_uri = spec.external.replication_uri
        if spec.external.ca_secret is not None:
            held = await _secret(secrets, namespace, spec.external.ca_secret, f"spec.external.caSecret of {name}")
            ca = held.get("ca.crt")
            if not ca:
                raise Unresolved(f"Secret {spec.external.ca_secret} has no key ca.crt")
    return (
        Endpoint(uri, user, password, ca=ca, timeout=timeout),
        Endpoint(link_uri or uri, user, password, ca=ca, timeout=timeout),
    )


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
