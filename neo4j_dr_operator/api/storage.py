"""Places in an object store, as resources name them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import SpecModel, rule, rules
from neo4j_dr_operator.api.formats import Bucket, KeyPrefix, KmsKey, Region, SecretName, StoreUrl


class S3Location(SpecModel):
    """A place in S3 or in a store that speaks its protocol."""

    type: Literal["s3"] = Field(description="Kind of object store. Only s3 is known.")
    bucket: Bucket = Field(description="Name of the bucket. It must exist.")
    region: Region | None = Field(default=None, description="Region of the bucket; by default the SDK's own setting.")
    path: KeyPrefix | None = Field(
        default=None, description="Prefix of all keys. Leading and trailing slashes do not count."
    )
    endpoint: StoreUrl | None = Field(
        default=None, description="URL of the store where it is not Amazon's, such as https://minio.example.com:9000."
    )
    credentials_secret: SecretName | None = Field(
        default=None,
        description="Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if needed, AWS_SESSION_TOKEN. "
        "By default the SDK's own chain of credentials.",
    )

    @property
    def prefix(self) -> str:
        """``path`` without outer slashes; empty at the root of the bucket."""
        return (self.path or "").strip("/")


class StoreEncryption(SpecModel):
    """Encryption of objects by the store. What the store answers is checked: nothing is sent to one that does not."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!has(self.kmsKeyId) || self.enabled", "kmsKeyId needs enabled: true", field=".kmsKeyId")
        )
    )

    enabled: bool = Field(default=False, description="Ask the store to encrypt every object.")
    kms_key_id: KmsKey | None = Field(
        default=None,
        description="Key of the store's key management (SSE-KMS); by default the store's own keys (SSE-S3).",
    )


KEY_IN_REGION = rule(
    "!has(self.destination) || !has(self.destination.region) || has(self.destination.endpoint) || "
    "!has(self.encryption.kmsKeyId) || !self.encryption.kmsKeyId.startsWith('arn:') || "
    "self.encryption.kmsKeyId.split(':')[3] == self.destination.region",
    "must be a key in the region of destination: S3 takes no other",
    field=".encryption.kmsKeyId",
)
"""Rule of an object with ``destination`` and ``encryption`` (Amazon S3 User Guide, "Using SSE-KMS")."""
