"""Certificates of the lab: an authority, server certificates for Bolt, and what a Kubernetes API server needs.

All keys are ECDSA P-256 (made in milliseconds) and valid for a year from five minutes ago, but for those made to be
refused.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=365)
DAY = datetime.timedelta(days=1)
SKEW = datetime.timedelta(minutes=5)
LOOPBACK_NAMES = ("localhost",)
LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
API_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM (the key PKCS 8)."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.crt and NAME.key, readable by the owner only."""
        write_private(folder / f"{name}.crt", self.certificate)
        write_private(folder / f"{name}.key", self.key)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)


class Authority:
    """A certificate authority that lives in memory."""

    def __init__(self, common_name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(common_name)
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pair(self) -> Pair:
        """The authority's own certificate and key."""
        return Pair(self._certificate.public_bytes(serialization.Encoding.PEM), private_pem(self._key))

    @property
    def pem(self) -> str:
        """The authority's certificate, PEM text."""
        return self.pair.certificate.decode()

    def server(self, common_name: str, names: Sequence[str] = LOOPBACK_NAMES, addresses: Sequence[str] = ()) -> Pair:
        """Certificate for a server, valid for these host names and addresses and for loopback addresses."""
        return self._leaf(
            common_name, (), names, (*LOOPBACK_ADDRESSES, *addresses), usage=ExtendedKeyUsageOID.SERVER_AUTH
        )

    def expired(self, common_name: str) -> Pair:
        """The server certificate of this machine, as it is a day after its end."""
        return self._dated(common_name, -LIFETIME, -DAY)

    def early(self, common_name: str) -> Pair:
        """The server certificate of this machine, a day before it counts."""
        return self._dated(common_name, DAY, LIFETIME)

    def elsewhere(self, common_name: str) -> Pair:
        """A server certificate in order, but for another machine."""
        return self._leaf(common_name, (), ("elsewhere.example",), (), usage=ExtendedKeyUsageOID.SERVER_AUTH)

    def _dated(self, common_name: str, start: datetime.timedelta, end: datetime.timedelta) -> Pair:
        span, usage = (start, end), ExtendedKeyUsageOID.SERVER_AUTH
        return self._leaf(common_name, (), LOOPBACK_NAMES, LOOPBACK_ADDRESSES, usage=usage, span=span)

    def client(self, common_name: str, groups: Sequence[str] = ()) -> Pair:
        """Certificate for a client; Kubernetes reads user name and groups from it."""
        return self._leaf(common_name, groups, (), (), usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def _leaf(
        self,
        common_name: str,
        groups: Sequence[str],
        names: Sequence[str],
        addresses: Sequence[str],
        usage: x509.ObjectIdentifier,
        span: tuple[datetime.timedelta, datetime.timedelta] = (-SKEW, LIFETIME),
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(common_name, groups), self._name, key.public_key(), span)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), private_pem(key))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as unencrypted PKCS 8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    span: tuple[datetime.timedelta, datetime.timedelta] = (-SKEW, LIFETIME),
) -> x509.CertificateBuilder:
    """`span`: first and last moment of validity, counted from now."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + span[0])
        .not_valid_after(now + span[1])
    )


def _name(common_name: str, groups: Sequence[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def write_control_plane(folder: Path, server: str, service_address: str) -> None:
    """Write everything an API server and its clients need into ``folder``.

    ``server`` is its URL, ``service_address`` the cluster address of the Service ``kubernetes``. Files: ca,
    apiserver, front-proxy-ca and front-proxy-client (.crt, .key), sa.key and sa.pub (tokens of service accounts),
    admin (group system:masters) and controller-manager (.crt, .key, .kubeconfig).
    """
    authority, front = Authority("lab-ca"), Authority("lab-front-proxy-ca")
    authority.pair.write(folder, "ca")
    front.pair.write(folder, "front-proxy-ca")
    front.client("front-proxy-client").write(folder, "front-proxy-client")
    authority.server("kube-apiserver", API_SERVER_NAMES, (service_address,)).write(folder, "apiserver")
    tokens = ec.generate_private_key(ec.SECP256R1())
    write_private(folder / "sa.key", private_pem(tokens))
    public = tokens.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(folder / "sa.pub", public)
    users = (
        ("admin", "lab-admin", ("system:masters",)),
        ("controller-manager", "system:kube-controller-manager", ()),
    )
    for file, user, groups in users:
        client = authority.client(user, groups)
        client.write(folder, file)
        kubeconfig = kubeconfig_for(server, authority.pair.certificate, client)
        write_private(folder / f"{file}.kubeconfig", kubeconfig)


def kubeconfig_for(server: str, authority: bytes, client: Pair, namespace: str = "default") -> bytes:
    """A kubeconfig (JSON, which is YAML) with everything inline."""

    def inline(data: bytes) -> str:
        return base64.b64encode(data).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": inline(authority)}}],
        "users": [
            {
                "name": "lab",
                "user": {
                    "client-certificate-data": inline(client.certificate),
                    "client-key-data": inline(client.key),
                },
            }
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": namespace}}],
    }
    return json.dumps(config, indent=1).encode()
