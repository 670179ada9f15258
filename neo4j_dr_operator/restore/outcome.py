"""What a restore's worker says, and what follows from the reason for which it ended. Pure."""

from __future__ import annotations

PHASES = {
    "attaching": "Surveying",
    "surveying": "Surveying",
    "emptying": "Emptying",
    "loading": "Loading",
    "amending": "Loading",
    "replaying": "Replaying",
    "checking": "Checking",
    "indexing": "Indexing",
}
"""Phases of a restore by the states of its worker."""


def touching(state: object) -> bool:
    """Whether a worker in this state has begun to write to its target."""
    return PHASES.get(str(state), "Surveying") != "Surveying"


OF_STORE = frozenset(
    {
        "BucketInOtherRegion",
        "BucketNotFound",
        "ClockSkewed",
        "CredentialsExpired",
        "CredentialsRejected",
        "KmsAccessDenied",
        "KmsKeyDisabled",
        "KmsKeyInOtherRegion",
        "KmsKeyNotFound",
        "KmsRefused",
        "ObjectStoreError",
        "ObjectStoreUnreachable",
        "S3AccessDenied",
    }
)
"""Reasons that speak of the archive, not of the target."""
MENDABLE = frozenset(
    {
        "AuthenticationFailed",
        "PasswordChangeRequired",
        "PermissionDenied",
        "CertificateExpired",
        "CertificateNotYetValid",
        "CertificateNameMismatch",
        "CertificateUntrusted",
        "CertificateRejected",
        "PlainServer",
        "TlsRequired",
        "PlainBoltRefused",
        "HostUnknown",
        "DatabaseUnreachable",
        "HandshakeFailed",
        "TimedOut",
        "ReferenceUnresolved",
        "ReadOnlyRefused",
        "StorageFailed",
        "TransientFailure",
        "MemoryExhausted",
        "OutcomeUnknown",
        *OF_STORE,
        "Stale",
        "Stopped",
    }
)
"""Reasons of a worker's end that somebody, or time, can mend: the restore waits and goes on by itself."""


def of_target(reason: str) -> bool:
    """Whether something that can be mended is wrong with the target, or the way to it."""
    return reason in MENDABLE - OF_STORE - {"Stopped"}


def mendable(reason: str) -> bool:
    """Whether the restore waits rather than fails."""
    return reason in MENDABLE


def advice(reason: str, message: str) -> str:
    """What the object store has refused, with the fields to look at; anything else as it is."""
    if reason not in OF_STORE:
        return message
    return f"{message}; look at spec.source.location, its credentialsSecret, and what those keys may read"
