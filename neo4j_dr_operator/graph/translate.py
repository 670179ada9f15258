"""The driver's exceptions in our words.

Neo4j 5.26 sends the GQLSTATUS ``50N42`` for nearly everything, so the decision is made by the Neo4j code. The texts of
the server are not passed on, as many quote property values; the code says enough.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

from neo4j import exceptions as driver_errors

from neo4j_dr_operator import errors

_READ_ONLY = (
    "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase",
    "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
    "Neo.ClientError.General.ReadOnly",
)
_UNAVAILABLE = (
    "Neo.TransientError.General.DatabaseUnavailable",
    "Neo.TransientError.Database.DatabaseUnavailable",
    "Neo.ClientError.Database.DatabaseNotFound",
)
_EXACT: dict[str, tuple[type[errors.DatabaseError], str]] = {
    **dict.fromkeys(_READ_ONLY, (errors.ReadOnlyRefused, "the database is read-only")),
    **dict.fromkeys(_UNAVAILABLE, (errors.DatabaseUnreachable, "the database is not available")),
    "Neo.ClientError.Schema.ConstraintValidationFailed": (
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
    "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration": (
        errors.TimedOut,
        "the query ran too long",
    ),
    "Neo.ClientError.Transaction.TransactionTimedOut": (
        errors.TimedOut,
        "the query ran too long",
    ),
}
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
        "Neo.ClientError.Cluster.NotALeader",
        errors.TransientFailure,
        "another member leads the database now",
    ),
)
_CONNECTED = "still has relationships"
_MISSING_ENTRY = "Unable to find the transaction entry"


def _from_server(error: driver_errors.Neo4jError) -> errors.DatabaseError:
    code = error.code or ""
    if _CONNECTED in (error.message or ""):
        return errors.StillConnected("a node to delete still has relationships", code=code)
    if code in _EXACT:
        kind, text = _EXACT[code]
        return kind(f"{text} ({code})", code=code)
    if _MISSING_ENTRY in (error.message or ""):
        return errors.PositionLost(
            f"the transaction log does not hold the position any more ({code})",
            code=code,
        )
    for prefix, kind, text in _PREFIX:
        if code.startswith(prefix):
            return kind(f"{text} ({code})", code=code)
    return errors.QueryFailed(f"the server refused the query ({code})", code=code)


def _rejected_certificate(error: BaseException) -> str | None:
    """The verification message when the error, or what caused it, is a certificate that was not accepted."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return str(getattr(seen, "verify_message", "")) or "verification failed"
        seen = seen.__cause__ or seen.__context__
    return None


def translate(error: Exception) -> errors.DatabaseError:
    """Our error for one of the driver's (or of the socket below it)."""
    if isinstance(error, driver_errors.Neo4jError):
        return _from_server(error)
    if isinstance(error, driver_errors.IncompleteCommit):
        return errors.OutcomeUnknown("the connection broke while the commit was under way")
    if (why := _rejected_certificate(error)) is not None:
        return errors.CertificateRejected(f"the server's certificate was not accepted: {why}")
    if isinstance(error, driver_errors.BrokenRecordError):
        return errors.QueryFailed("a value could not be decoded; is the time zone database up to date?")
    if isinstance(error, driver_errors.ConfigurationError):
        return errors.NotSupported("the address or its options cannot be used")
    cause = error.__cause__
    if isinstance(error, driver_errors.ResultFailedError) and isinstance(cause, Exception):
        return translate(cause)
    if isinstance(error, driver_errors.ResultError):
        return errors.QueryFailed("the query gave another number of rows than expected")
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return errors.DatabaseUnreachable(f"{type(error).__name__}: {text}")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Inside, errors of the driver and of sockets leave as ours. A timeout of asyncio passes unchanged."""
    try:
        yield
    except TimeoutError:
        raise
    except (driver_errors.Neo4jError, driver_errors.DriverError, OSError) as error:
        raise translate(error) from error
