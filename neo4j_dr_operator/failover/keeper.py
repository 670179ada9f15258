"""The witness object kept: read, renewed, moved. All rules are in `lease.py`; here is only the I/O."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

from pydantic import ValidationError

from neo4j_dr_operator.errors import ObjectStoreError, ObjectStoreUnreachable, PreconditionFailed
from neo4j_dr_operator.failover.lease import Watch, WitnessRecord, grant
from neo4j_dr_operator.failover.state import Site
from neo4j_dr_operator.failover.view import WitnessView


class Stored(Protocol):
    """An object's bytes and the etag to compare with."""

    @property
    def body(self) -> bytes:
        """The bytes."""
        ...

    @property
    def etag(self) -> str:
        """What a conditional put compares with."""
        ...


class Store(Protocol):
    """Small objects with conditional puts: `objectstore.s3.S3` in the operator."""

    async def get(self, name: str) -> Stored | None:
        """The object, or None."""
        ...

    async def put(self, name: str, body: bytes, etag: str | None) -> str:
        """Create (None) or compare-and-set; returns the new etag."""
        ...


class WitnessKeeper:
    """One witness object, named after its resource, seen from one operator."""

    def __init__(self, store: Store, dr: str, operator: str) -> None:
        """`dr` is namespace/name of the resource; `operator` tells this process from others in the record."""
        self._store, self._dr, self._operator = store, dr, operator
        self._name = f"witness/{dr}.json"
        self._alone = asyncio.Lock()
        self.watch = Watch()

    def view(self) -> WitnessView:
        """What the machine is told."""
        record = self.watch.record
        return WitnessView(
            reachable=self.watch.reachable,
            message=self.watch.message,
            epoch=record.epoch if record else 0,
            holder=record.holder if record else None,
            expired=self.watch.expired(),
            reason=self.watch.reason,
        )

    async def refresh(self) -> None:
        """Read the object. A failure is kept in the view, never raised: an unreadable witness is a fact."""
        async with self._alone:
            await self._read()

    async def _read(self) -> None:
        asked = time.monotonic()
        try:
            stored = await self._store.get(self._name)
            record = WitnessRecord.model_validate_json(stored.body) if stored is not None else None
        except ObjectStoreError as error:
            self.watch = self.watch.failed(*_refusal(error))
            return
        except ValidationError:
            self.watch = self.watch.failed(f"the object {self._name} is no witness record", "WitnessRefused")
            return
        if record is not None and record.dr != self._dr:
            self.watch = self.watch.failed(f"the object {self._name} belongs to {record.dr}", "WitnessRefused")
            return
        self.watch = self.watch.read(record, stored.etag if stored else None, asked, time.monotonic())

    async def renew(self, site: Site, epoch: int, term: float) -> None:
        """Renew the lease of the active site, whose heartbeat has just been written.

        A record behind our epoch is brought up (the highest epoch wins); one ahead of it is left alone. Raises
        ObjectStoreError when the witness cannot be reached.
        """
        async with self._alone:
            await self._renew(site, epoch, term)

    async def _renew(self, site: Site, epoch: int, term: float) -> None:
        await self._read()
        record = self.watch.record
        if not self.watch.reachable or (record is not None and record.epoch > epoch):
            return
        if record is not None and (record.holder, record.epoch) == (site, epoch):
            await self._write(record.renewed(term, self._operator, datetime.now(UTC).isoformat()))
            return
        await self._take(site, epoch, term, force=record is None or record.epoch < epoch)

    async def take(self, site: Site, epoch: int, term: float, force: bool) -> str | None:
        """Move the lease to `site` at `epoch`; None when it holds it, else the reason why not.

        Raises ObjectStoreError when the witness cannot be reached, or was changed meanwhile: that is no refusal.
        """
        async with self._alone:
            return await self._take(site, epoch, term, force)

    async def _take(self, site: Site, epoch: int, term: float, force: bool) -> str | None:
        await self._read()
        if not self.watch.reachable:
            raise ObjectStoreError(self.watch.message)
        record = self.watch.record
        if record is not None and (record.holder, record.epoch) == (site, epoch):
            return None
        wanted = grant(record, self.watch.expired(), self._dr, site, epoch, term, force)
        if isinstance(wanted, str):
            return wanted
        stamped = wanted.model_copy(update={"operator": self._operator, "renewed_at": datetime.now(UTC).isoformat()})
        await self._write(stamped)
        return None

    async def _write(self, record: WitnessRecord) -> None:
        """Compare-and-set against what was read last. Raises ObjectStoreError: lost to another writer, or unknown."""
        asked = time.monotonic()
        try:
            etag = await self._store.put(self._name, record.model_dump_json(by_alias=True).encode(), self.watch.etag)
        except PreconditionFailed:
            await self._read()
            raise
        except ObjectStoreError as error:
            self.watch = self.watch.failed(*_refusal(error))
            raise
        self.watch = self.watch.read(record, etag, asked, time.monotonic())


def _refusal(error: ObjectStoreError) -> tuple[str, str]:
    """A sentence and a reason for a witness that cannot be used: unreachable, without bucket, or refused."""
    if isinstance(error, (ObjectStoreUnreachable, PreconditionFailed)):
        return error.message, "WitnessUnreachable"
    if error.code == "NoSuchBucket":
        return (
            f"{error.message}; make the bucket, or name another one in spec.failover.quorum.witness",
            "WitnessMissing",
        )
    todo = "put keys that may read and write there into the Secret that credentialsSecret of the witness names"
    return f"{error.message}; {todo}", "WitnessRefused"
