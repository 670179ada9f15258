"""What is wrong with a database, where, and what to do about it: one sentence for conditions and events. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a database is reached, and which fields and objects say so.

    ``address`` is scheme, host and port; ``source`` the field that the address comes from, or ``Service``; ``of`` the
    object that field stands in; ``secret`` and ``ca_secret`` are names of Secrets.
    """

    cluster: str
    address: str = ""
    source: str = "Service"
    of: str = ""
    secret: str = ""
    ca_secret: str | None = None

    @property
    def origin(self) -> str:
        """The field of the address with its object, for people."""
        return f"{self.source} of {self.of}" if self.of else f"the Service of {self.cluster}"


ADVICE = {
    "AuthenticationFailed": "put the user and password that it accepts into {secret}",
    "PasswordChangeRequired": "change that password once in the database, then put the new one into {secret}",
    "PermissionDenied": "give the user of {secret} the rights of an administrator",
    "CertificateExpired": "renew the server's certificate",
    "CertificateNotYetValid": "use a certificate that is valid, or set the clock of the operator's node",
    "CertificateNameMismatch": "write a host that the certificate names into {origin}, or issue it for this one",
    "CertificateUntrusted": "put the CA that signed it into {ca}",
    "CertificateRejected": "look at the server's certificate and at {ca}",
    "PlainServer": "switch TLS on in the server, or write bolt:// or neo4j:// into {origin}",
    "TlsRequired": "write bolt+s:// or neo4j+s:// into {origin}",
    "HostUnknown": "mend the host in {origin}, or the name service",
    "DatabaseUnreachable": "see that the database runs, that {origin} is right, and that no network policy is between",
    "HandshakeFailed": "see that {origin} is the Bolt port of a database",
    "TimedOut": "see whether the database, or the network to it, is overloaded",
    "ChangeCaptureDisabled": "use Neo4j Enterprise 5.23 or newer, which the operator lets record its changes",
    "NotSupported": "use Neo4j Enterprise 5.23 or newer",
    "TargetNotEmpty": "empty that database, or name another cluster: what it holds is never overwritten",
    "SameDatabase": "let the two clusters be two databases: look at {origin}",
    "UnsupportedIds": "keep that database in the aligned format (db.format=aligned, neo4j-admin database copy "
    "--to-format=aligned): in the block format internal ids are not dense",
    "StorageFailed": "kill the server, give its disk room, then start it",
    "WorkerNotStarted": "give the operator more processes, file descriptors or memory: it goes on by itself",
    "ReadOnlyRefused": "make the database writable: somebody else has made it read-only",
}
"""What to do, by reason. `docs/troubleshooting.md` has a row for each."""

SIDED = {"AuthFailed": "AuthenticationFailed", "Unreachable": "DatabaseUnreachable", "ReadOnly": "ReadOnlyRefused"}
"""Words of a link's report, behind Source or Target, for reasons that are called something else here."""

OF_SOURCE = (
    "ChangeCaptureDisabled",
    "PositionLost",
    "PositionPruned",
    "PositionAhead",
    "CaptureInterrupted",
    "SourceReplaced",
    "SourceRestored",
    "SourceEmpty",
)
"""Reasons of a link that only its source can have."""


def explain(reason: str, message: str, place: Place) -> str:
    """`CLUSTER at ADDRESS: what is wrong; what to do`. A reason without advice gets none."""
    said = f"{place.cluster} at {place.address}: {message}" if place.address else f"{place.cluster}: {message}"
    todo = ADVICE.get(reason)
    if todo is None:
        return said
    ca = (
        f"key ca.crt of Secret {place.ca_secret}"
        if place.ca_secret
        else "a Secret (ca.crt) that external.caSecret names"
    )
    return f"{said}; {todo.format(secret=f'Secret {place.secret}', origin=place.origin, ca=ca)}"


def of_link(reason: str) -> tuple[str, str]:
    """Which end of a link a reason speaks of (`source`, `target`) and the reason without that. The target holds what
    is not said to be the source's, but for what a source alone can lack."""
    for side in ("Source", "Target"):
        word = reason.removeprefix(side)
        if word != reason and (word in ADVICE or word in SIDED):
            return side.lower(), SIDED.get(word, word)
    return ("source" if reason in OF_SOURCE else "target"), reason
