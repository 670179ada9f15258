from __future__ import annotations

import socket
import ssl

import pytest
from neo4j import exceptions as driver_errors
from neo4j.exceptions import Neo4jError

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt import AsyncDatabase, Endpoint, driver_options
from neo4j_dr_operator.graph.translate import translate, translated


def server_error(code: str, message: str = "secret value 4711") -> Neo4jError:
    return Neo4jError._hydrate_neo4j(code=code, message=message)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Neo.ClientError.Security.Unauthorized", errors.AuthenticationFailed),
        ("Neo.ClientError.Security.CredentialsExpired", errors.PasswordChangeRequired),
        ("Neo.ClientError.Security.AuthenticationRateLimit", errors.AuthenticationFailed),
        ("Neo.ClientError.Security.Forbidden", errors.PermissionDenied),
        ("Neo.ClientError.Schema.ConstraintValidationFailed", errors.ConstraintViolated),
        ("Neo.ClientError.General.WriteOnReadOnlyAccessDatabase", errors.ReadOnlyRefused),
        ("Neo.ClientError.General.ForbiddenOnReadOnlyDatabase", errors.ReadOnlyRefused),
        ("Neo.DatabaseError.ChangeDataCapture.Disabled", errors.ChangeCaptureDisabled),
        ("Neo.DatabaseError.ChangeDataCapture.ScanFailure", errors.PositionLost),
        ("Neo.ClientError.ChangeDataCapture.InvalidIdentifier", errors.PositionLost),
        ("Neo.TransientError.ChangeDataCapture.FutureIdentifier", errors.PositionAhead),
        ("Neo.TransientError.Transaction.DeadlockDetected", errors.TransientFailure),
        ("Neo.ClientError.Cluster.NotALeader", errors.TransientFailure),
        ("Neo.ClientError.Transaction.Terminated", errors.TransientFailure),
        ("Neo.ClientError.Transaction.LockClientStopped", errors.TransientFailure),
        ("Neo.DatabaseError.Transaction.TransactionLogError", errors.StorageFailed),
        ("Neo.TransientError.General.DatabaseUnavailable", errors.DatabaseUnreachable),
        ("Neo.ClientError.Procedure.ProcedureNotFound", errors.NotSupported),
        ("Neo.ClientError.Statement.SyntaxError", errors.QueryFailed),
        ("Neo.DatabaseError.General.UnknownError", errors.QueryFailed),
        ("Neo.DatabaseError.Database.Unknown", errors.TransientFailure),
    ],
)
def test_the_servers_code_decides(code: str, kind: type[errors.DatabaseError]) -> None:
    ours = translate(server_error(code))
    assert type(ours) is kind
    assert ours.code
    assert "4711" not in ours.message


def test_texts_that_decide() -> None:
    code = "Neo.ClientError.Schema.ConstraintValidationFailed"
    connected = "Cannot delete node<7>, because it still has relationships. To delete this node, you must first delete"
    assert isinstance(translate(server_error(code, connected)), errors.StillConnected)
    quoted = "Node(7) already exists with label `P` and property `p` = 'Cannot delete node<7>, because it still has"
    assert type(translate(server_error(code, f"{quoted} relationships'"))) is errors.ConstraintViolated
    asked = server_error("Neo.ClientError.Statement.TypeError", "Type mismatch: 'it still has relationships'")
    assert type(translate(asked)) is errors.QueryFailed
    missing = server_error("Neo.ClientError.Statement.X", "Unable to find the transaction entry for the identifier")
    assert isinstance(translate(missing), errors.PositionLost)
    panic = server_error("Neo.DatabaseError.General.UnknownError", "a critical error, and needs to be restarted")
    assert isinstance(translate(panic), errors.StorageFailed)
    quoted = server_error("Neo.ClientError.Statement.ArgumentError", "'needs to be restarted' is no number")
    assert type(translate(quoted)) is errors.QueryFailed


def test_a_broken_connection_at_commit_is_undecided() -> None:
    assert type(translate(driver_errors.IncompleteCommit("x"))) is errors.OutcomeUnknown
    assert type(translate(driver_errors.ServiceUnavailable("x"))) is errors.DatabaseUnreachable
    assert issubclass(errors.OutcomeUnknown, errors.DatabaseUnreachable)


def test_a_rejected_certificate_is_found_below() -> None:
    error = driver_errors.ServiceUnavailable("x")
    error.__cause__ = RuntimeError()
    error.__cause__.__cause__ = ssl.SSLCertVerificationError(1, "self signed")
    assert isinstance(translate(error), errors.CertificateRejected)


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "as OpenSSL says"
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (9, errors.CertificateNotYetValid),
        (10, errors.CertificateExpired),
        (18, errors.CertificateUntrusted),
        (19, errors.CertificateUntrusted),
        (20, errors.CertificateUntrusted),
        (21, errors.CertificateUntrusted),
        (62, errors.CertificateNameMismatch),
        (64, errors.CertificateNameMismatch),
        (23, errors.CertificateRejected),
    ],
)
def test_certificates_are_told_apart_also_where_a_routing_driver_hides_them(code: int, kind: type) -> None:
    direct = driver_errors.ServiceUnavailable("x")
    direct.__cause__ = certificate(code)
    routed = driver_errors.ServiceUnavailable("Unable to retrieve routing information")
    routed.__cause__ = ExceptionGroup("All routing table requests failed", [ValueError("x"), direct])
    for error in (direct, routed):
        assert type(translate(error)) is kind


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (socket.gaierror(-2, "Name or service not known"), errors.HostUnknown),
        (ConnectionRefusedError(111, "x"), errors.DatabaseUnreachable),
        (driver_errors.ServiceUnavailable("closed with incomplete handshake response"), errors.HandshakeFailed),
        (ConnectionResetError(104, "x"), errors.DatabaseUnreachable),
    ],
)
def test_why_no_connection_came_about(cause: Exception, kind: type) -> None:
    error = driver_errors.ServiceUnavailable("x")
    error.__cause__ = cause
    assert type(translate(error)) is kind
    assert issubclass(kind, errors.DatabaseUnreachable)


def test_translated_lets_timeouts_pass() -> None:
    with pytest.raises(TimeoutError), translated():
        raise TimeoutError
    with pytest.raises(errors.DatabaseUnreachable), translated():
        raise ConnectionResetError


def test_endpoints_hide_their_password() -> None:
    endpoint = Endpoint("bolt+s://user:inside@host:7687", "neo4j", "geheim", ca="pem")
    assert "geheim" not in repr(endpoint)
    assert endpoint.address == "bolt+s://host:7687"
    assert endpoint.encrypted
    assert not Endpoint("bolt://host", "a", "b").encrypted


def test_addresses_and_authorities_that_cannot_be_used() -> None:
    with pytest.raises(errors.NotSupported):
        driver_options(Endpoint("https://host", "a", "b"))
    with pytest.raises(errors.CertificateRejected):
        driver_options(Endpoint("bolt+s://host", "a", "b", ca="not pem"))
    with pytest.raises(errors.NotSupported):
        AsyncDatabase(Endpoint("ftp://host", "a", "b"))


def test_every_error_has_a_reason_of_its_own() -> None:
    def below(kind: type[errors.DrError]) -> list[type[errors.DrError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    ours = [kind for kind in below(errors.DrError) if kind.__module__ == errors.__name__]
    assert all(kind.reason[0].isupper() and kind.reason.isalnum() for kind in ours)
    assert len({kind.reason for kind in ours}) == len(ours)
