"""The archive as the auditor reads it: every request counted, every refusal told apart from damage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from neo4j_dr_operator import errors
from neo4j_dr_operator.audit.config import AuditConfig
from neo4j_dr_operator.audit.facts import Damaged
from neo4j_dr_operator.audit.status import AuditStatus
from neo4j_dr_operator.backup.process import Patience
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.refusals import of_object
from neo4j_dr_operator.shipping.chain import PAGE

T = TypeVar("T")


class Store:
    """One archive. Every method raises ObjectStoreError for what no retry mends, and for what is no object's fault."""

    def __init__(self, config: AuditConfig, status: AuditStatus, patience: Patience) -> None:
        self.bucket = Bucket(config.location, config.timeout, config.encryption)
        self._status, self._patience, self._lock = status, patience, threading.Lock()

    def get(self, name: str) -> bytes | None:
        """An object's bytes, None when there is none. Raises :class:`Damaged` (Unreadable), with the store's reason."""

        def asked() -> bytes | None:
            try:
                held = self.bucket.get(name)
            except errors.ObjectStoreError as error:
                if not of_object(error):
                    raise
                raise Damaged("Unreadable", error.message) from error
            return None if held is None else held.body

        data = self._again("get", asked)
        with self._lock:
            self._status.read += len(data or b"")
        return data

    def put(self, name: str, data: bytes) -> None:
        """Write an object, whatever is there."""
        self._again("put", lambda: self.bucket.put(name, data, create=False))

    def names(self, prefix: str, after: str | None = None) -> Iterator[str]:
        """Every name that begins with ``prefix``, behind ``after``; a request a thousand."""
        last, more = after or prefix, True
        while more:
            found, more = self._again("list", partial(self.bucket.list, prefix, last, PAGE))
            yield from found
            last = found[-1] if found else last

    def folders(self, prefix: str) -> list[str]:
        """What stands between ``prefix`` and the next slash, each once."""
        return list(self._again("list", lambda: self.bucket.folders(prefix)))

    def endangering(self, prefix: str) -> dict[str, str] | None:
        """See :meth:`Bucket.endangering`."""
        return self._again("get", lambda: self.bucket.endangering(prefix))

    def _again(self, kind: str, work: Callable[[], T]) -> T:
        """The store's answer, whenever it comes."""
        while True:
            with self._lock:
                self._status.requests[kind] += 1
            try:
                answer = work()
            except errors.ObjectStoreError as error:
                self._patience.trouble(error)
                continue
            self._patience.well()
            return answer
