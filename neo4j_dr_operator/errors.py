"""Errors of this operator, each with a ``reason``: the CamelCase word that conditions, events and reports show.

The clients of vendors (Neo4j driver, Kubernetes, S3) have exceptions of their own. They are turned into these at the
door of the one room that imports the client, so that everything else can reason about a small, stable vocabulary.

Messages never carry a password, the user part of a URI or the value of a property: they end up in statuses, events and
logs.
"""

from __future__ import annotations

from typing import ClassVar


class DrError(Exception):
    """Root of all errors raised on purpose by this package."""

    reason: ClassVar[str] = "InternalError"

    @property
    def message(self) -> str:
        """The text without the class name, safe to show to a user."""
        return str(self) or self.reason


# -- talking to a database -------------------------------------------------------------------------------------------


class DatabaseError(DrError):
    """Something a database, or the way to it, said no to.

    ``code`` is the Neo4j status code (``Neo.ClientError...``) where the server answered with one, else an empty string.
    """

    reason = "DatabaseError"

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class DatabaseUnreachable(DatabaseError):
    """No connection, a broken one, or a database that is not (yet) available. Trying again later can help.

    After a *write* the outcome is unknown as well: look at the state before repeating it.
    """

    reason = "DatabaseUnreachable"


class HostUnknown(DatabaseUnreachable):
    """The host name of the address cannot be resolved."""

    reason = "HostUnknown"


class HandshakeFailed(DatabaseUnreachable):
    """Something accepted the connection and then did not speak Bolt, or not in the wanted way."""

    reason = "HandshakeFailed"


class OutcomeUnknown(DatabaseUnreachable):
    """The connection broke after COMMIT was sent: the transaction is either applied or not. Only a look tells."""

    reason = "OutcomeUnknown"


class TimedOut(DatabaseUnreachable):
    """No answer in the time allowed. For a write the outcome is unknown."""

    reason = "TimedOut"


class AuthenticationFailed(DatabaseError):
    """The server refused the credentials, or they may not be tried again yet (rate limit)."""

    reason = "AuthenticationFailed"


class PasswordChangeRequired(AuthenticationFailed):
    """The password is right, and the server wants another one before it does anything."""

    reason = "PasswordChangeRequired"


class PermissionDenied(DatabaseError):
    """The credentials are right, but the user may not do this."""

    reason = "PermissionDenied"


class CertificateRejected(DatabaseError):
    """TLS: the certificate is not signed by a trusted CA, is out of date, or names another host."""

    reason = "CertificateRejected"


class CertificateExpired(CertificateRejected):
    """TLS: the certificate, or one above it, is past its end."""

    reason = "CertificateExpired"


class CertificateNotYetValid(CertificateRejected):
    """TLS: the certificate is not valid yet, or the clock of this machine is behind."""

    reason = "CertificateNotYetValid"


class CertificateNameMismatch(CertificateRejected):
    """TLS: the certificate is another host's."""

    reason = "CertificateNameMismatch"


class CertificateUntrusted(CertificateRejected):
    """TLS: no trusted CA signed the certificate."""

    reason = "CertificateUntrusted"


class PlainServer(DatabaseError):
    """TLS was asked for, and the server speaks plain Bolt."""

    reason = "PlainServer"


class TlsRequired(DatabaseError):
    """Plain Bolt was asked for, and the server speaks TLS."""

    reason = "TlsRequired"


class ReadOnlyRefused(DatabaseError):
    """The database is read-only and refused a write."""

    reason = "ReadOnlyRefused"


class NotSupported(DatabaseError):
    """This edition or version of Neo4j does not have the procedure or the command."""

    reason = "NotSupported"


class ConstraintViolated(DatabaseError):
    """A uniqueness, key, existence or type constraint refused the write."""

    reason = "ConstraintViolated"


class StillConnected(ConstraintViolated):
    """A node cannot be deleted while it has relationships."""

    reason = "StillConnected"


class ChangeCaptureDisabled(DatabaseError):
    """Change data capture is off (or absent) on the source database."""

    reason = "ChangeCaptureDisabled"


class PositionLost(DatabaseError):
    """The change stream does not hold this position any more: pruned, restored, replaced or switched off meanwhile."""

    reason = "PositionLost"


class PositionPruned(PositionLost):
    """The source's transaction log was pruned beyond the position: the link was behind for longer than it is kept."""

    reason = "PositionPruned"


class CaptureInterrupted(PositionLost):
    """Change capture was off for a while after the position: what was committed then is in no stream."""

    reason = "CaptureInterrupted"


class SourceReplaced(PositionLost):
    """The source is another database than the one that the position belongs to."""

    reason = "SourceReplaced"


class SourceRestored(PositionLost):
    """The source was taken back to before the position, and may have gone on in another way."""

    reason = "SourceRestored"


class TransientFailure(DatabaseError):
    """Deadlock, full memory pool, leader switch and the like: the same again can succeed."""

    reason = "TransientFailure"


class MemoryExhausted(TransientFailure):
    """A transaction took more memory than the server gives it, or has left."""

    reason = "MemoryExhausted"


class StorageFailed(TransientFailure):
    """The database cannot write its own files, and refuses everything until it is started again with room on its disk.
    The transaction that it was asked for is not in it, or is found when it recovers."""

    reason = "StorageFailed"


class PositionAhead(TransientFailure):
    """The member that answered does not have the position yet. Lasting, it was restored to before the position."""

    reason = "PositionAhead"


class QueryFailed(DatabaseError):
    """Any other refusal of a query; ``code`` tells which."""

    reason = "QueryFailed"


class TransactionTooLarge(QueryFailed):
    """A source transaction is larger than what a worker may hold, or than what the target takes at once."""

    reason = "TransactionTooLarge"


# -- replication -----------------------------------------------------------------------------------------------------


class ReplicationError(DrError):
    """A link cannot go on, for a reason that is not the connection's."""

    reason = "ReplicationError"


class Stale(ReplicationError):
    """The link node in the target says something else than this worker: another worker, or another epoch, has it."""

    reason = "Stale"


class TargetNotEmpty(ReplicationError):
    """Seeding was asked for, and the target holds user data."""

    reason = "TargetNotEmpty"


class TargetAltered(ReplicationError):
    """The target does not hold what the element map says: something else wrote to the standby."""

    reason = "TargetAltered"


class TargetReplaced(ReplicationError):
    """The link stands in another database than the one in which it was made: its copy was loaded from a dump, say.

    What it knows of elements there holds for the other one.
    """

    reason = "TargetReplaced"


class TargetRestored(ReplicationError):
    """The target holds what a restore put there: it is a copy of no source until somebody asks for that."""

    reason = "Restored"


class TargetRestoring(ReplicationError):
    """A restore has begun in the target and has not ended."""

    reason = "RestoreUnderWay"


class SourceEmpty(ReplicationError):
    """Re-seeding was asked for from a source without user data: it would erase what may be the last copy."""

    reason = "SourceEmpty"


class SameDatabase(ReplicationError):
    """Source and target are one and the same database."""

    reason = "SameDatabase"


class UnsupportedIds(ReplicationError):
    """Internal identifiers that the flat element map, or a scan by ranges, cannot hold: those of relationships in the
    block format have high bits (Operations Manual, store formats: Enterprise's default from 5.22 on)."""

    reason = "UnsupportedIds"


class LinkMissing(ReplicationError):
    """A worker was to attach to a link that the target does not have."""

    reason = "LinkMissing"


class WorkerNotStarted(DrError):
    """The system has no process, descriptor, thread or memory for a worker. Trying again later can help."""

    reason = "WorkerNotStarted"


class WorkerFailed(DrError):
    """A worker said what its parent cannot take in: a mistake of ours."""

    reason = "WorkerFailed"


class ConfigInvalid(DrError):
    """A worker was started with a configuration that makes no sense."""

    reason = "ConfigInvalid"


# -- failover and its witness ----------------------------------------------------------------------------------------


class FenceBroken(DrError):
    """A fenced primary took writes after its final position was read: nothing may be promoted on it."""

    reason = "FenceBroken"


class ObjectStoreError(DrError):
    """An object store refused or did what it was not asked for; `code` is the store's own word."""

    reason = "ObjectStoreError"

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ObjectStoreUnreachable(ObjectStoreError):
    """No answer from the object store. After a put the outcome is unknown."""

    reason = "ObjectStoreUnreachable"


class PreconditionFailed(ObjectStoreError):
    """A conditional put lost: the object is there already, or is not what was compared with."""

    reason = "PreconditionFailed"


# -- the Kubernetes API ----------------------------------------------------------------------------------------------


class KubernetesError(DrError):
    """The API server refused; `status` is the HTTP code."""

    reason = "KubernetesError"

    def __init__(self, message: str = "", *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class KubernetesUnreachable(KubernetesError):
    """No answer from the API server."""

    reason = "KubernetesUnreachable"


class Conflict(KubernetesError):
    """The object changed meanwhile: read it again."""

    reason = "Conflict"


class NotFound(KubernetesError):
    """There is no such object."""

    reason = "NotFound"


class NotServed(NotFound):
    """404, but no word about the object: the API server does not serve the kind (yet), or something else answered."""

    reason = "NotServed"


class Gone(NotFound):
    """The object of that uid was deleted; what bears its name now, if anything does, is another one."""

    reason = "Gone"


class NoKubeconfig(KubernetesError):
    """There is no kubeconfig, it cannot be read, or it lacks the context that was asked for."""

    reason = "NoKubeconfig"


class WatchExpired(KubernetesError):
    """The API server does not remember the version from which a watch was to go on: list again."""

    reason = "WatchExpired"
