"""The driver's exceptions in our words.

Neo4j 5.26 sends the GQLSTATUS ``50N42`` for nearly everything, so the decision is made by the Neo4j code. The texts of
the server are not passed on, as many quote property values; the code says enough.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator

from neo4j import exceptions as driver_errors

from neo4j_dr_operator import errors

_READ_ONLY = (
    "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase",
    "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
    "Neo.ClientError.General.ReadOnly",
)
_MEMORY = tuple(
    f"Neo.TransientError.General.{word}"
    for word in ("MemoryPoolOutOfMemoryError", "TransactionOutOfMemoryError", "OutOfMemoryError")
)
_UNAVAILABLE = (
    "Neo.TransientError.General.DatabaseUnavailable",
    "Neo.TransientError.Database.DatabaseUnavailable",
    "Neo.ClientError.Database.DatabaseNotFound",
)
_CONSTRAINT = "Neo.ClientError.Schema.ConstraintValidationFailed"
_EXACT: dict[str, tuple[type[errors.DatabaseError], str]] = {
    **dict.fromkeys(_READ_ONLY, (errors.ReadOnlyRefused, "the database is read-only")),
    **dict.fromkeys(_MEMORY, (errors.MemoryExhausted, "the transaction needs more memory than the server gives it")),
    **dict.fromkeys(_UNAVAILABLE, (errors.DatabaseUnreachable, "the database is not available")),
    _CONSTRAINT: (
        errors.ConstraintViolated,
        "a constraint refused the write",
    ),
    "Neo.ClientError.Procedure.ProcedureNotFound": (
        errors.NotSupported,
        "the server has no such procedure",
    ),
    "Neo.ClientError.Statement.UnsupportedAdministrationCommand": (
        errors.NotSupported,
        "this edition does not have the command",
    ),
    "Neo.ClientError.Statement.NotSystemDatabaseError": (
        errors.NotSupported,
        "this edition has no such command",
    ),
    "Neo.ClientError.Security.CredentialsExpired": (
        errors.PasswordChangeRequired,
        "the server wants the password of this user changed first",
    ),
    "Neo.ClientError.Security.AuthenticationRateLimit": (
        errors.AuthenticationFailed,
        "too many wrong passwords were tried, so that the server takes none for a while",
    ),
    "Neo.DatabaseError.ChangeDataCapture.Disabled": (
        errors.ChangeCaptureDisabled,
        "change data capture is not enabled for the database",
    ),
    "Neo.DatabaseError.ChangeDataCapture.ScanFailure": (
        errors.PositionLost,
        "the transaction log does not hold the position any more",
    ),
    "Neo.ClientError.ChangeDataCapture.InvalidIdentifier": (
        errors.PositionLost,
        "the position does not belong to the database's change stream any more",
    ),
    "Neo.TransientError.ChangeDataCapture.FutureIdentifier": (
        errors.PositionAhead,
        "the change stream ends before the position",
    ),
    "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration": (
        errors.TimedOut,
        "the query ran too long",
    ),
    "Neo.ClientError.Transaction.TransactionTimedOut": (
        errors.TimedOut,
        "the query ran too long",
    ),
}
_STORAGE = "the database cannot write its own files: its disk is full or failing"
_PREFIX: tuple[tuple[str, type[errors.DatabaseError], str], ...] = (
    (
        "Neo.ClientError.Security.Forbidden",
        errors.PermissionDenied,
        "the user is not allowed to do this",
    ),
    (
        "Neo.ClientError.Security.",
        errors.AuthenticationFailed,
        "the server refused the credentials",
    ),
    (
        "Neo.TransientError.",
        errors.TransientFailure,
        "the server could not do it just now",
    ),
    (
        "Neo.ClientError.Transaction.Terminated",
        errors.TransientFailure,
        "somebody, or the server, ended the transaction",
    ),
    (
        "Neo.ClientError.Transaction.LockClientStopped",
        errors.TransientFailure,
        "the transaction was ended while it waited for a lock",
    ),
    (
        "Neo.DatabaseError.Database.",  # seen while a server was being stopped
        errors.TransientFailure,
        "the database is being started or stopped",
    ),
    ("Neo.DatabaseError.Transaction.", errors.StorageFailed, _STORAGE),
    *(
        (
            f"Neo.ClientError.Transaction.InvalidBookmark{mixture}",
            errors.TransientFailure,
            "the database is another one than a moment ago",
        )
        for mixture in ("", "Mixture")
    ),
    (
        "Neo.ClientError.Cluster.NotALeader",
        errors.TransientFailure,
        "another member leads the database now",
    ),
)
_CONNECTED = re.compile(r"Cannot delete node<\d+>, because it still has relationships")
"""How the server's word on a node with relationships begins. Those on other constraints quote what users have written,
which may read as anything."""
_PANIC = "needs to be restarted"
_MISSING_ENTRY = "Unable to find the transaction entry"


def _from_server(error: driver_errors.Neo4jError) -> errors.DatabaseError:
    code = error.code or ""
    if code == _CONSTRAINT and _CONNECTED.match(error.message or ""):
        return errors.StillConnected("a node to delete still has relationships", code=code)
    if code in _EXACT:
        kind, text = _EXACT[code]
        return kind(f"{text} ({code})", code=code)
    own = not code.startswith("Neo.ClientError.Statement.")  # what those say may quote the query's values
    if own and _PANIC in (error.message or ""):
        return errors.StorageFailed(f"{_STORAGE} ({code})", code=code)
    if _MISSING_ENTRY in (error.message or ""):
        return errors.PositionLost(
            f"the transaction log does not hold the position any more ({code})",
            code=code,
        )
    for prefix, kind, text in _PREFIX:
        if code.startswith(prefix):
            return kind(f"{text} ({code})", code=code)
    return errors.QueryFailed(f"the server refused the query ({code})", code=code)


_VERIFY: dict[int, tuple[type[errors.CertificateRejected], str]] = {
    9: (errors.CertificateNotYetValid, "is not valid yet"),
    10: (errors.CertificateExpired, "has expired"),
    62: (errors.CertificateNameMismatch, "is not for the host in the address"),
    64: (errors.CertificateNameMismatch, "is not for the address"),
    **dict.fromkeys((18, 19, 20, 21), (errors.CertificateUntrusted, "is not signed by a trusted CA")),
}
"""What OpenSSL found (X509_V_ERR_* in x509_vfy.h): 18 to 21 are ways of having no trusted issuer."""
_HANDSHAKE = ("BoltSecurityError", "BoltHandshakeError", "BoltProtocolError")
"""Errors of the driver that it does not export: a connection stood, and what came over it was not what it wants."""


def _below(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came from: causes, and what a routing driver collects in groups."""
    waiting, seen = [error], set[int]()
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [each for each in (found.__cause__ or found.__context__,) if each is not None]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions


def _of_connection(error: Exception) -> errors.DatabaseError:
    """Why no connection came about. Texts of the driver are left out where they would differ from time to time."""
    chain = list(_below(error))
    for found in chain:
        if isinstance(found, ssl.SSLCertVerificationError):
            said = str(getattr(found, "verify_message", "")) or "verification failed"
            unknown = errors.CertificateRejected, f"was not accepted: {said}"
            kind, text = _VERIFY.get(getattr(found, "verify_code", 0), unknown)
            return kind(f"the server's certificate {text}")
    for found in chain:
        if isinstance(found, driver_errors.Neo4jError):
            return _from_server(found)
    for found in chain:
        if isinstance(found, socket.gaierror):
            return errors.HostUnknown("the host name cannot be resolved")
        if isinstance(found, ConnectionRefusedError):
            return errors.DatabaseUnreachable("nothing accepts connections at the port")
        if type(found).__name__ in _HANDSHAKE or "incomplete handshake" in str(found):
            return errors.HandshakeFailed("the connection was closed in the handshake")
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return errors.DatabaseUnreachable(f"{type(error).__name__}: {text}")


def translate(error: Exception) -> errors.DatabaseError:
    """Our error for one of the driver's (or of the socket below it)."""
    if isinstance(error, driver_errors.Neo4jError):
        return _from_server(error)
    if isinstance(error, driver_errors.IncompleteCommit):
        return errors.OutcomeUnknown("the connection broke while the commit was under way")
    if isinstance(error, driver_errors.BrokenRecordError):
        return errors.QueryFailed("a value could not be decoded; is the time zone database up to date?")
    if isinstance(error, driver_errors.ConfigurationError):
        return errors.NotSupported("the address or its options cannot be used")
    cause = error.__cause__
    if isinstance(error, driver_errors.ResultFailedError) and isinstance(cause, Exception):
        return translate(cause)
    if isinstance(error, driver_errors.ResultError):
        return errors.QueryFailed("the query gave another number of rows than expected")
    return _of_connection(error)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Inside, errors of the driver and of sockets leave as ours. A timeout of asyncio passes unchanged."""
    try:
        yield
    except TimeoutError:
        raise
    except (driver_errors.Neo4jError, driver_errors.DriverError, OSError) as error:
        raise translate(error) from error
