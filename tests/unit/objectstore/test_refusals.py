"""What a store's refusal means: whose fault it is, in words that a person can act on, and no word too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable
from neo4j_dr_operator.objectstore.refusals import Refusal, error
from neo4j_dr_operator.restore.outcome import OF_STORE

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd"
USER = "User: arn:aws:sts::123456789012:assumed-role/ops/somebody is not authorized to perform: "
DENIED = USER + "{} on resource: {} because no identity-based policy allows the {} action"


def refusal(code: str, message: str = "", status: int = 400, **more: str | None) -> Refusal:
    """One to a put with a key."""
    given_: dict[str, str | None] = {"region": "us-east-1", "key": KEY, "operation": "PutObject", **more}
    return Refusal(code, message, status, "logs", **given_)  # type: ignore[arg-type]


KEY_AT_FAULT = [
    (refusal("KMS.NotFoundException", f"Key '{KEY}' does not exist"), "KmsKeyNotFound", "in region us-east-1"),
    (refusal("KMS.NotFoundException", "Invalid arn eu-west-1"), "KmsKeyInOtherRegion", "is in region eu-west-1"),
    (refusal("KMS.NotFoundException", region="eu-west-1"), "KmsKeyInOtherRegion", "is in region us-east-1"),
    (refusal("kms:KeyNotFound", status=404, key="no-such-key"), "KmsKeyNotFound", "no key no-such-key"),
    (refusal("KMS.DisabledException", f"{KEY} is disabled."), "KmsKeyDisabled", "enable it"),
    (refusal("KMS.KMSInvalidStateException", "pending deletion"), "KmsKeyDisabled", "cancel its deletion"),
    (refusal("KMS.InvalidKeyUsageException"), "KmsKeyDisabled", "symmetric"),
    (refusal("KMS.SomethingNewException"), "KmsRefused", "KMS.SomethingNewException"),
    (refusal("KMS.DisabledException", key=None, operation="GetObject"), "KmsKeyDisabled", "key of the bucket"),
]
POLICY_AT_FAULT = [
    (
        refusal("AccessDenied", DENIED.format("kms:GenerateDataKey", KEY, "kms:GenerateDataKey"), 403),
        "KmsAccessDenied",
        "does not allow kms:GenerateDataKey",
    ),
    (
        refusal(
            "AccessDenied", USER + "kms:Decrypt on resource: x because the resource does not exist in this Region", 403
        ),
        "KmsAccessDenied",
        "or is not in the bucket's region",
    ),
    (refusal("KMS.AccessDeniedException", operation="GetObject"), "KmsAccessDenied", "kms:Decrypt"),
    (
        refusal("AccessDenied", DENIED.format("s3:PutObject", "arn:aws:s3:::logs/x", "s3:PutObject"), 403),
        "S3AccessDenied",
        "does not allow s3:PutObject",
    ),
    (refusal("AccessDenied", "Access Denied", 403), "S3AccessDenied", "does not say whether key"),
    (refusal("AccessDenied", "Access Denied", 403, operation="ListObjectsV2"), "S3AccessDenied", "s3:ListBucket"),
]
BUCKET_AT_FAULT = [
    (refusal("NoSuchBucket", status=404), "BucketNotFound", "no bucket logs"),
    (refusal("PermanentRedirect", status=301), "BucketInOtherRegion", "not in us-east-1"),
    (
        refusal("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
        "BucketInOtherRegion",
        "is in region eu-west-1, not in us-east-1",
    ),
]
OURS_AT_FAULT = [
    (refusal("InvalidAccessKeyId", status=403), "CredentialsRejected", "mend the credentials"),
    (refusal("SignatureDoesNotMatch", status=403), "CredentialsRejected", "SignatureDoesNotMatch"),
    (refusal("ExpiredToken"), "CredentialsExpired", "have expired"),
    (refusal("RequestTimeTooSkewed", status=403), "ClockSkewed", "set the clock"),
]
NOBODY_AT_FAULT = [
    (refusal("SlowDown", status=503), "ObjectStoreUnreachable", "503 SlowDown"),
    (refusal("InternalError", status=500), "ObjectStoreUnreachable", "500 InternalError"),
    (refusal("RequestTimeout"), "ObjectStoreUnreachable", "RequestTimeout"),
    (refusal("PreconditionFailed", status=412), "PreconditionFailed", "first"),
    (refusal("ConditionalRequestConflict", status=409), "PreconditionFailed", "first"),
    (refusal("OperationAborted", status=409, operation="ListObjectsV2"), "ObjectStoreUnreachable", "busy"),
    (refusal("NoSuchKey", status=404), "ObjectStoreError", "404 NoSuchKey"),
    (refusal("404", "Not Found", status=404, operation="GetObject"), "ObjectStoreUnreachable", "cut short"),
    (refusal("AuthorizationHeaderMalformed", "it makes no sense"), "ObjectStoreError", "AuthorizationHeaderMalformed"),
]
ALL = KEY_AT_FAULT + POLICY_AT_FAULT + BUCKET_AT_FAULT + OURS_AT_FAULT + NOBODY_AT_FAULT


@pytest.mark.parametrize(("said", "reason", "words"), ALL, ids=lambda each: getattr(each, "code", None))
def test_who_is_at_fault(said: Refusal, reason: str, words: str) -> None:
    found = error(said)
    assert found.reason == reason, found.message
    assert words in found.message
    assert found.code == said.code


@pytest.mark.parametrize(("said", "reason", "words"), ALL, ids=lambda each: getattr(each, "code", None))
def test_only_what_may_pass_is_called_so(said: Refusal, reason: str, words: str) -> None:
    """What a person has to mend is told as that, and not waited for as for a server that is away."""
    assert isinstance(error(said), ObjectStoreUnreachable) == (reason == "ObjectStoreUnreachable")


def test_a_restore_waits_for_what_somebody_can_mend() -> None:
    assert {reason for _, reason, _ in ALL} - {"PreconditionFailed"} <= OF_STORE


@given(st.sampled_from([each[0].code for each in ALL]), st.text(), st.integers(300, 599), st.booleans())
def test_any_answer_is_an_error_of_ours_and_nothing_of_it_is_shown(
    code: str, message: str, status: int, keyed: bool
) -> None:
    """A message may hold anything, names of users among it."""
    found = error(refusal(code, f"hunter2 {USER}s3:GetObject hunter2 {message}", status, key=KEY if keyed else None))
    assert isinstance(found, ObjectStoreError)
    assert "hunter2" not in found.message
    assert "assumed-role" not in found.message


@given(st.text(), st.text(), st.integers(300, 599))
def test_an_unknown_code_is_one_too(code: str, message: str, status: int) -> None:
    assert isinstance(error(refusal(code, message, status)), ObjectStoreError)
