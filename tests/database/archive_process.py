"""Workers of backups and restores as real child processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab import Neo4j
from tests.database.process import Address, JobProcess, endpoint
from tests.database.shipping_process import ARCHIVE, Store


class BackupProcess(JobProcess):
    """One snapshot of a database into a bucket."""

    def __init__(
        self,
        source: Neo4j | Address,
        store: Store,
        *,
        epoch: int = 1,
        retention: str | None = None,
        timeout: float = 10.0,
        encrypted: bool = False,
        key: str | None = None,
        amendment_bytes: int | None = None,
        resource: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            "backup",
            environment,
            archive=ARCHIVE,
            resource=resource,
            epoch=epoch,
            site="primary",
            source=endpoint(source),
            destination=store.destination(),
            timeout=timeout,
            kmsKeyId=key,
            encrypted=encrypted,
            retention=retention,
            amendmentBytes=amendment_bytes,
        )


class RestoreProcess(JobProcess):
    """One restore from a bucket into a database."""

    def __init__(
        self,
        store: Store,
        target: Neo4j | Address,
        point: Mapping[str, Any],
        *,
        name: str = "r1",
        archive: str | None = None,
        database: str | None = None,
        batch: int = 5000,
        timeout: float = 10.0,
        skip_indexes: bool = False,
        clean: bool = True,
        overwrite: bool = False,
        force: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            "restore",
            environment,
            restore=name,
            archive=archive,
            database=database,
            source=store.destination(),
            target=endpoint(target),
            point=point,
            batchSize=batch,
            timeout=timeout,
            skipIndexes=skip_indexes,
            clean=clean,
            overwrite=overwrite,
            force=force,
        )


BackUp = Callable[..., BackupProcess]
Restore = Callable[..., RestoreProcess]
