"""``spec.backup``: snapshots on a schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import SpecModel, rule, rules
from neo4j_dr_operator.api.formats import Retention
from neo4j_dr_operator.api.schedule import Cron, TimeZone
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
        default=None,
        description="When: minute, hour, day of month, month, day of week, such as 0 2 * * *. One that was missed is "
        "caught up once. The first snapshot is taken at once.",
    )
    time_zone: TimeZone = Field(
        default="UTC",
        description="Time zone of the schedule, such as Europe/Berlin. An hour that comes twice counts once; a time "
        "that is skipped counts when the clock has been put forward.",
    )
    retention: Retention = Field(
        default="30d",
        description="How long every point stays restorable, such as 30d, or how many snapshots are kept, such as 7. "
        "What neither these snapshots nor points after them need is deleted after each scheduled snapshot.",
    )
    destination: S3Location | None = Field(
        default=None,
        description="Where snapshots go: below path/NAMESPACE/NAME. The place of logShipping.destination makes one "
        "archive of both.",
    )
    compression: Literal["gzip"] = Field(default="gzip", description="Compression of snapshots. Always gzip.")
    dedupe: bool = Field(default=True, description="Store what has not changed once. It is always done.")
    encryption: StoreEncryption = Field(default_factory=StoreEncryption, description="Encryption by the store.")
