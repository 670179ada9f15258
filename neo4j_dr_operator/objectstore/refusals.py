"""What a store's refusal means: whether key, policy, bucket, credentials or clock is at fault, and what to do. Pure.

Codes are those of the Amazon S3 API Reference ("Error responses") and, behind the prefix ``KMS.``, of the AWS KMS API
Reference (GenerateDataKey, Decrypt: "Errors"), which S3 passes on. Which policy denied an action stands in the message
of ``AccessDenied`` only (Amazon S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors"): ``… is not
authorized to perform: kms:GenerateDataKey on resource: …``. A key of another region is ``KMS.NotFoundException``, with
``Invalid arn REGION`` (asked for by ARN) or ``Key 'arn…' does not exist`` (by id, looked for in the bucket's region).
Other stores have words of their own; those of MinIO are known here. Of a message nothing is passed on but names of
actions and regions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable, PreconditionFailed


class KmsRefused(ObjectStoreError):
    """The key management service would not encrypt or decrypt, in words that are not known here."""

    reason = "KmsRefused"


class KmsKeyNotFound(KmsRefused):
    """There is no such key in the bucket's region."""

    reason = "KmsKeyNotFound"


class KmsKeyInOtherRegion(KmsRefused):
    """The key is in another region than the bucket. S3 uses keys of its own region only."""

    reason = "KmsKeyInOtherRegion"


class KmsKeyDisabled(KmsRefused):
    """The key is there, and is disabled, about to be deleted, or of a kind that does not encrypt."""

    reason = "KmsKeyDisabled"


class KmsAccessDenied(KmsRefused):
    """The key is there, and its policy, or ours, does not let us use it."""

    reason = "KmsAccessDenied"


class S3AccessDenied(ObjectStoreError):
    """A policy of the bucket, or ours, forbids what was asked."""

    reason = "S3AccessDenied"


class BucketNotFound(ObjectStoreError):
    """There is no such bucket."""

    reason = "BucketNotFound"


class BucketInOtherRegion(ObjectStoreError):
    """The bucket is in another region than was said."""

    reason = "BucketInOtherRegion"


class CredentialsRejected(ObjectStoreError):
    """The store does not know the access key, or the secret key is not its own."""

    reason = "CredentialsRejected"


class CredentialsExpired(ObjectStoreError):
    """The session is over for which the credentials were made."""

    reason = "CredentialsExpired"


class ClockSkewed(ObjectStoreError):
    """This machine's clock and the store's differ by more than the store allows (15 minutes)."""

    reason = "ClockSkewed"


OURS = (BucketNotFound, BucketInOtherRegion, CredentialsRejected, CredentialsExpired, ClockSkewed)
"""Refusals that speak of us or of the bucket, not of an object."""


def of_object(error: ObjectStoreError) -> bool:
    """Whether the store refuses this one object, and may give others: its key is disabled, a policy names it."""
    return not isinstance(error, (ObjectStoreUnreachable, *OURS))


@dataclass(frozen=True)
class Refusal:
    """What a store answered, and to what. ``status``: HTTP; ``operation``: as the API calls it.

    ``bucket`` and ``region`` as they were given (None: not said), ``key`` the one that puts name.
    """

    code: str
    message: str
    status: int
    bucket: str
    region: str | None = None
    key: str | None = None
    operation: str = ""


CONDITIONAL = ("PutObject",)
"""What is asked with a condition. The same answers to anything else are a conflict that passes (OperationAborted)."""
_KEY_NOT_FOUND = ("kms.notfoundexception", "kms:keynotfound", "kms.invalidarnexception")
_KEY_UNUSABLE = {
    "kms.disabledexception": "is disabled: enable it",
    "kms.kmsinvalidstateexception": "is of no use in its state: cancel its deletion",
    "kms.invalidkeyusageexception": "is not made for encryption: take a symmetric one for encrypting and decrypting",
    "kms.keyunavailableexception": "is not available at the moment",
}
_REJECTED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
_ELSEWHERE = ("PermanentRedirect", "IllegalLocationConstraintException", "TemporaryRedirect")
_ACTION = re.compile(r"not authorized to perform: ((?:s3|kms):[A-Za-z*]+)")
_EXPECTED = re.compile(r"expecting '([a-z0-9-]+)'")
_ARN = re.compile(r"[Ii]nvalid arn ([a-z0-9-]+)")
_ARN_REGION = re.compile(r"^arn:[^:]*:kms:([a-z0-9-]+):")


def error(refusal: Refusal) -> ObjectStoreError:
    """Our error for it. After ObjectStoreUnreachable another try can help, after the others somebody has to mend it."""
    code, status, bucket = refusal.code, refusal.status, refusal.bucket
    if code in ("PreconditionFailed", "ConditionalRequestConflict") or status in (409, 412):
        if refusal.operation not in CONDITIONAL:
            return ObjectStoreUnreachable(f"bucket {bucket} answered {status} {code}: it is busy", code=code)
        return PreconditionFailed("another writer was first", code=code)
    if code.lower().startswith("kms"):
        return _of_key(refusal)
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "RequestTimeoutException"):
        return ObjectStoreUnreachable(f"bucket {bucket} answered {status} {code}", code=code)
    if code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403"):
        return _denied(refusal)
    if code in ("NoSuchBucket", "InvalidBucketName"):
        return BucketNotFound(f"there is no bucket {bucket} ({code}): make it, or mend its name", code=code)
    if code in _ELSEWHERE or (code == "AuthorizationHeaderMalformed" and _EXPECTED.search(refusal.message)):
        return _elsewhere(refusal)
    if code in _REJECTED:
        text = f"bucket {bucket} does not take the access key ({code}): mend the credentials"
        return CredentialsRejected(text, code=code)
    if code in _EXPIRED:
        text = f"the credentials for bucket {bucket} have expired ({code}): new ones are needed"
        return CredentialsExpired(text, code=code)
    if code == "RequestTimeTooSkewed":
        text = f"the clock of this machine and that of bucket {bucket} differ by more than 15 minutes: set the clock"
        return ClockSkewed(text, code=code)
    if code in ("", str(status)):  # what the SDK makes of a body that is no error of S3, or ends in its middle
        text = f"bucket {bucket} answered {status} without a word of S3's: cut short, or not by a store"
        return ObjectStoreUnreachable(text, code=code)
    return ObjectStoreError(f"bucket {bucket} answered {status} {code}", code=code)


def _of_key(refusal: Refusal) -> ObjectStoreError:
    """The key management service's own word."""
    code, key, word = refusal.code, refusal.key or "of the bucket", refusal.code.lower()
    arn = _ARN_REGION.match(refusal.key or "")
    named = _ARN.search(refusal.message)
    if word in _KEY_NOT_FOUND:
        where = named[1] if named else arn[1] if arn else None
        if where is not None and where != refusal.region:
            text = f"key {key} is in region {where}, bucket {refusal.bucket} is not: take a key of the bucket's region"
            return KmsKeyInOtherRegion(f"{text} ({code})", code=code)
        place = f"region {refusal.region}" if refusal.region else "the bucket's region"
        return KmsKeyNotFound(f"there is no key {key} in {place} ({code}): mend kmsKeyId, or make the key", code=code)
    if word in _KEY_UNUSABLE:
        return KmsKeyDisabled(f"key {key} {_KEY_UNUSABLE[word]} ({code})", code=code)
    if "accessdenied" in word or "notauthorized" in word:
        return _key_denied(refusal, None)
    return KmsRefused(f"the key management service refused key {key}: {code}", code=code)


def _denied(refusal: Refusal) -> ObjectStoreError:
    """A policy's word. Which one is said by newer stores only."""
    found = _ACTION.search(refusal.message)
    if found is not None and found[1].startswith("kms:"):
        return _key_denied(refusal, found[1])
    action = found[1] if found else f"s3:{refusal.operation.removesuffix('V2') or '*'}".replace("Objects", "Bucket")
    bucket, code = refusal.bucket, refusal.code
    text = f"bucket {bucket} does not allow {action} ({code}): mend the bucket's policy or that of these credentials"
    if found is None and refusal.key and refusal.operation in ("PutObject", "GetObject"):
        text += f"; the store does not say whether key {refusal.key} or the bucket is meant"
    return S3AccessDenied(text, code=code)


def _key_denied(refusal: Refusal, action: str | None) -> KmsAccessDenied:
    action = action or ("kms:Decrypt" if refusal.operation == "GetObject" else "kms:GenerateDataKey")
    text = f"key {refusal.key or 'of the bucket'} does not allow {action} ({refusal.code})"
    if "because the resource does not exist in this Region" in refusal.message:
        text += ", or is not in the bucket's region"
    return KmsAccessDenied(f"{text}: allow it in the key's policy and in that of these credentials", code=refusal.code)


def _elsewhere(refusal: Refusal) -> BucketInOtherRegion:
    found = _EXPECTED.search(refusal.message)
    where = f"in region {found[1]}" if found else "in another region"
    said = f", not in {refusal.region}" if refusal.region else ""
    text = f"bucket {refusal.bucket} is {where}{said} ({refusal.code}): mend the destination's region"
    return BucketInOtherRegion(text, code=refusal.code)
