"""``spec.backup``: snapshots on a schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import SpecModel, rule, rules
from neo4j_dr_operator.api.formats import Retention
from neo4j_dr_operator.api.schedule import Cron
from neo4j_dr_operator.api.storage import KEY_IN_REGION, S3Location, StoreEncryption


class Backup(SpecModel):
    """Snapshots on a schedule."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("!self.enabled || has(self.schedule)", "is needed with enabled: true", field=".schedule"),
            rule("!self.enabled || has(self.destination)", "is needed with enabled: true", field=".destination"),
            KEY_IN_REGION,
        )
    )

    enabled: bool = Field(default=False, description="Take snapshots.")
    schedule: Cron | None = Field(
        default=None, description="When, in UTC: minute, hour, day of month, month, day of week, such as 0 2 * * *."
    )
    retention: Retention = Field(default="30d", description="How long snapshots are kept, such as 30d.")
    destination: S3Location | None = Field(default=None, description="Where snapshots go.")
    compression: Literal["gzip"] = Field(default="gzip", description="Compression of snapshots.")
    dedupe: bool = Field(default=True, description="Store what has not changed once.")
    encryption: StoreEncryption = Field(default_factory=StoreEncryption, description="Encryption by the store.")
