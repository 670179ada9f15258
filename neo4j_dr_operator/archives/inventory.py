"""Which snapshots the places of a resource's archives hold: asked for once an epoch, and after every snapshot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.vault import Vault
from neo4j_dr_operator.errors import ObjectStoreError
from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.s3 import S3Address, StoreThreads

log = logging.getLogger(__name__)

TIMEOUT = 10.0
PAUSES = (5.0, 15.0, 60.0)
"""Seconds before a store that would not list its snapshots is asked again."""
DOUBTED = 3
"""So many such answers in a row are told."""


@dataclass
class _Look:
    """What a place was seen to hold; `names` is None until it answered. `due`: monotonic time of the next look.

    `turn`: rises when an answer that is on its way is out of date.
    """

    names: tuple[SnapshotName, ...] | None = None
    due: float = 0.0
    turn: int = 0
    failed: int = 0
    problem: tuple[str, str] | None = None
    task: asyncio.Task[None] | None = None

    def again(self) -> None:
        """Look once more; what is on its way does not count."""
        self.due, self.turn = 0.0, self.turn + 1


class Inventory:
    """What each place holds, by the name the place has for people (``s3://bucket/key``)."""

    def __init__(self, dr: str, changed: Callable[[], None]) -> None:
        """`dr`: whose snapshots. `changed` is called after every answer."""
        self._dr, self._changed = dr, changed
        self._looks: dict[str, _Look] = {}

    def keep(self, places: Iterable[tuple[str | None, S3Address | None]]) -> None:
        """Ask the places given whatever is not known of them, and forget all others."""
        named = {where: address for where, address in places if where is not None and address is not None}
        for where, address in named.items():
            look = self._looks.setdefault(where, _Look())
            if look.task is None and time.monotonic() >= look.due:
                look.task = asyncio.create_task(self._look(look, address))
        for where in self._looks.keys() - named.keys():
            if self._looks[where].task is None:
                del self._looks[where]

    def forget(self) -> None:
        """Another epoch has begun: nothing is known any more."""
        for look in self._looks.values():
            look.names = None
            look.again()

    def added(self, where: str, name: SnapshotName | None) -> None:
        """A worker has ended at a place, with a snapshot or without: look again, and count it in meanwhile."""
        look = self._looks.get(where)
        if look is not None:
            look.again()
            look.names = (*look.names, name) if look.names is not None and name is not None else look.names

    @property
    def held(self) -> tuple[tuple[str, tuple[SnapshotName, ...]], ...]:
        """What is known, place by place."""
        return tuple((where, look.names) for where, look in self._looks.items() if look.names is not None)

    def doubt(self, where: str | None) -> tuple[str, str] | None:
        """Reason and sentence of a place that has refused to tell several times in a row."""
        look = self._looks.get(where or "")
        return look.problem if look is not None else None

    def essence(self) -> object:
        """What a round may come out differently for."""
        return tuple((where, look.names, look.problem) for where, look in self._looks.items())

    @property
    def pause(self) -> float:
        """Seconds until the next look is due; infinite for none."""
        waits = [look.due - time.monotonic() for look in self._looks.values() if look.task is None]
        return min(waits, default=float("inf"))

    async def close(self) -> None:
        """End the looks that are under way."""
        tasks = [look.task for look in self._looks.values() if look.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, look: _Look, address: S3Address) -> None:
        """One look. A location that cannot be used, as one in a region of no such form, is an answer like any other."""
        turn = look.turn
        try:
            with closing(Bucket(address, TIMEOUT, None)) as bucket, StoreThreads(address.bucket, 1) as own:
                names = await own.run(Vault(bucket, self._dr, None, _refuse).names)
            if turn == look.turn:
                look.names, look.due = tuple(names), float("inf")
            look.failed, look.problem = 0, None
        except ObjectStoreError as error:
            pause = PAUSES[min(look.failed, len(PAUSES) - 1)]
            look.failed, look.due = look.failed + 1, time.monotonic() + pause
            look.problem = (error.reason, error.message) if look.failed >= DOUBTED else None
            log.warning("%s: what snapshots there are is not known: %s", self._dr, error.message)
        finally:
            look.task = None
        self._changed()


def _refuse(error: ObjectStoreError) -> None:
    raise error
