"""Auditors of a bucket: as a real child process, and in this one where many rounds are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neo4j_dr_operator.audit.config import AuditConfig
from neo4j_dr_operator.audit.run import Audit
from neo4j_dr_operator.audit.status import AuditStatus
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import DrError, ObjectStoreError
from neo4j_dr_operator.objectstore.objects import Bucket, Encryption
from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.restore.point import Point
from neo4j_dr_operator.restore.survey import Survey
from tests.database.process import JobProcess
from tests.database.shipping_process import ARCHIVE, Store

WEEK = 7 * 86_400.0


def location(store: Store) -> S3Address:
    """Where the archive lies."""
    raw = store.destination()
    keys = raw["accessKey"], raw["secretKey"], raw["sessionToken"]
    return S3Address(raw["bucket"], raw["path"], raw["region"], raw["endpoint"], *keys)


def audited(
    store: Store,
    *,
    archive: str = ARCHIVE,
    request: str = "",
    period: float = WEEK,
    encryption: Encryption | None = None,
) -> dict[str, Any]:
    """One round; its last report. Raises what ends it."""
    status = AuditStatus()
    config = AuditConfig(archive, location(store), period, 10.0, request, encryption)
    Audit(config, status, Patience(status), Faults()).run()
    status.become("finished")
    report: dict[str, Any] = status.line()["report"]
    return report


class AuditProcess(JobProcess):
    """One round as the operator runs it."""

    def __init__(
        self,
        store: Store,
        *,
        archive: str = ARCHIVE,
        request: str = "",
        period: float = WEEK,
        environment: Mapping[str, str] | None = None,
        destination: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            "audit",
            environment,
            archive=archive,
            location=store.destination(**(destination or {})),
            period=period,
            timeout=5.0,
            request=request,
            encrypted=False,
            kmsKeyId=None,
            pruned=True,
        )


AuditWith = Callable[..., AuditProcess]


def plannable(store: Store, archive: str, points: Iterable[int]) -> list[int]:
    """Those of the points for which a restore would begin."""

    def refuse(error: ObjectStoreError) -> None:
        raise error

    bucket = Bucket(location(store), 10.0, None)
    try:
        survey = Survey(bucket, Vault(bucket, archive, None, refuse), archive, lambda number: None)
        return [millis for millis in points if _planned(survey, millis)]
    finally:
        bucket.close()


def _planned(survey: Survey, millis: int) -> bool:
    try:
        survey.plan(Point(millis=millis), None)
    except DrError:
        return False
    return True
