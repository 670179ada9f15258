"""Faults of a world that is set up: what is done to it, how it is mended, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab import pki
from tests.scenario.world import CLUSTERS, World


@dataclass(frozen=True)
class Fault:
    """What is done to a world that is set up, how it is mended, and what must be said of it."""

    reason: str
    says: tuple[str, ...]
    cause: Callable[[World], None]
    mend: Callable[[World], None]


def reach(world: World, site: str, uri: str | None = None) -> None:
    """Apply a cluster with another address, None for its right one."""
    manifest = world.cluster_manifest(site)
    if uri is not None:
        manifest["spec"]["external"]["uri"] = uri
        if "+s" not in uri:
            manifest["spec"]["external"].pop("caSecret", None)
            world.kubectl("delete", "n4c", CLUSTERS[site])
    world.apply(manifest)


def sign_in(world: World, site: str, user: str | None = None, password: str | None = None) -> None:
    """Write a cluster's admin Secret, by default what is right."""
    server = world.sites[site]
    world.secret(f"{site}-admin", username=user or server.user, password=password or server.password)


def trust(world: World, site: str, ca: str | None = None) -> None:
    """Write a cluster's CA Secret, by default the right one."""
    world.secret(f"{site}-ca", **{"ca.crt": ca or world.sites[site].ca_pem or ""})


def query(world: World, site: str, text: str, database: str = "neo4j") -> None:
    """Ask a database as its administrator."""
    world.sites[site].query(text, database)


def take(world: World, kind: str, name: str) -> None:
    """Delete an object."""
    world.kubectl("delete", kind, name)


def new_user(world: World) -> None:
    """Sign in as somebody who has to change the password first."""
    query(world, "primary", "CREATE OR REPLACE USER operator SET PASSWORD 'first-4711' CHANGE REQUIRED", "system")
    sign_in(world, "primary", "operator", "first-4711")


def insist(world: World, encryption: bool) -> None:
    """Ask for encrypted links, or not."""
    manifest = world.recovery_manifest()
    manifest["spec"]["replication"] = {"encryption": encryption}
    world.apply(manifest)


def insist_on_tls(world: World) -> None:
    """Encrypted links to an address of plain Bolt."""
    reach(world, "secondary", f"bolt://localhost:{world.sites['secondary'].port}")
    insist(world, True)


def lack_keys(world: World) -> None:
    """An admin Secret without a password."""
    take(world, "secret", "secondary-admin")
    world.secret("secondary-admin", username="neo4j")


def twice(world: World) -> None:
    """Let both clusters lead to the primary's database."""
    first = world.sites["primary"]
    sign_in(world, "secondary", first.user, first.password)
    trust(world, "secondary", first.ca_pem)
    reach(world, "secondary", first.uri)


def apart(world: World) -> None:
    """Two databases again."""
    sign_in(world, "secondary")
    trust(world, "secondary")
    reach(world, "secondary")


FAULTS = {
    "wrong-password": Fault(
        "AuthenticationFailed",
        ("secondary-cluster", "Secret secondary-admin", "put the user and password"),
        lambda world: sign_in(world, "secondary", password="wrong-4711"),
        lambda world: sign_in(world, "secondary"),
    ),
    "password-to-be-changed": Fault(
        "PasswordChangeRequired",
        ("primary-cluster", "change that password", "Secret primary-admin"),
        new_user,
        lambda world: sign_in(world, "primary"),
    ),
    "wrong-ca": Fault(
        "CertificateUntrusted",
        ("secondary-cluster", "ca.crt of Secret secondary-ca"),
        lambda world: trust(world, "secondary", pki.Authority("somebody-else").pem),
        lambda world: trust(world, "secondary"),
    ),
    "no-ca": Fault(
        "CertificateRejected",
        ("secondary-cluster", "PEM", "Secret secondary-ca"),
        lambda world: trust(world, "secondary", "no certificate"),
        lambda world: trust(world, "secondary"),
    ),
    "unknown-host": Fault(
        "HostUnknown",
        ("bolt+s://no-such-host.invalid:7687", "spec.external.uri of primary-cluster"),
        lambda world: reach(world, "primary", "bolt+s://no-such-host.invalid:7687"),
        lambda world: reach(world, "primary"),
    ),
    "refused-port": Fault(
        "DatabaseUnreachable",
        ("bolt+s://localhost:9", "spec.external.uri of primary-cluster"),
        lambda world: reach(world, "primary", "bolt+s://localhost:9"),
        lambda world: reach(world, "primary"),
    ),
    "plain-address-of-a-tls-server": Fault(
        "TlsRequired",
        ("secondary-cluster", "write bolt+s://"),
        lambda world: reach(world, "secondary", f"bolt://localhost:{world.sites['secondary'].port}"),
        lambda world: reach(world, "secondary"),
    ),
    "plain-bolt-where-tls-is-asked-for": Fault(
        "PlainBoltRefused",
        ("secondary-cluster", "nothing is connected to", "write bolt+s://localhost:"),
        insist_on_tls,
        lambda world: reach(world, "secondary"),
    ),
    "missing-secret": Fault(
        "ReferenceUnresolved",
        ("spec.auth.adminSecret of secondary-cluster", "Secret secondary-admin", "create it"),
        lambda world: take(world, "secret", "secondary-admin"),
        lambda world: sign_in(world, "secondary"),
    ),
    "secret-without-keys": Fault(
        "ReferenceUnresolved",
        ("Secret secondary-admin lacks keys", "username and password"),
        lack_keys,
        lambda world: sign_in(world, "secondary"),
    ),
    "missing-cluster": Fault(
        "ReferenceUnresolved",
        ("spec.secondaryClusterRef names secondary-cluster", "create it"),
        lambda world: take(world, "n4c", "secondary-cluster"),
        lambda world: world.apply(world.cluster_manifest("secondary")),
    ),
    "standby-not-empty": Fault(
        "TargetNotEmpty",
        ("secondary", "empty it, or name another cluster"),
        lambda world: query(world, "secondary", "CREATE (:Precious {uid: 1})-[:KEEP]->(:Precious {uid: 2})"),
        lambda world: query(world, "secondary", "MATCH (n) DETACH DELETE n"),
    ),
    "one-database-twice": Fault(
        "SameDatabase",
        ("two databases", "spec.external.uri"),
        twice,
        apart,
    ),
    "no-right-to-read-changes": Fault(
        "PermissionDenied",
        ("primary-cluster", "give the user of Secret primary-admin the rights of an administrator"),
        lambda world: query(world, "primary", "CALL lab.cdc.configure({refuse: ['db.cdc.query']})"),
        lambda world: query(world, "primary", "CALL lab.cdc.configure({refuse: []})"),
    ),
    "no-change-capture": Fault(
        "ChangeCaptureDisabled",
        ("the database of primary", "Enterprise"),
        lambda world: query(world, "primary", "CALL lab.cdc.configure({mode: 'OFF'})"),
        lambda world: query(world, "primary", "CALL lab.cdc.configure({mode: 'FULL', keepTx: 9223372036854775807})"),
    ),
}
