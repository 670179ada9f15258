"""The restores of one operator process."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator

from neo4j_dr_operator.objectstore.s3 import S3Address
from neo4j_dr_operator.restore import publish
from neo4j_dr_operator.restore.resource import Body, RestoreController, World

Key = tuple[str, str]


def outlived(body: Body, known: Body | None) -> bool:
    """Whether a body is that of a deleted object whose successor is known: their events may come in any order."""
    if known is None or body["metadata"]["uid"] == known["metadata"]["uid"]:
        return False
    return int(body["metadata"]["resourceVersion"]) < int(known["metadata"]["resourceVersion"])


class Restores:
    """Controllers by namespace and name, of those that have not ended."""

    def __init__(self, world: World) -> None:
        """Nothing runs yet."""
        self._world = world
        self._controllers: dict[Key, RestoreController] = {}
        self._locks: weakref.WeakValueDictionary[Key, asyncio.Lock] = weakref.WeakValueDictionary()

    def _serial(self, key: Key) -> asyncio.Lock:
        """One change at a time of one name: events of an object and of its successor may come beside each other."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def changed(self, key: Key, body: Body) -> None:
        """A restore appeared or changed. One of another uid takes the place of a deleted one."""
        async with self._serial(key):
            controller = self._controllers.get(key)
            if controller is not None and controller.uid == body["metadata"]["uid"]:
                controller.update(body)
                return
            if controller is not None and outlived(body, controller.body):
                return
            if controller is not None:
                del self._controllers[key]
                await controller.close()
            if not publish.ended(body.get("status")):
                self._controllers[key] = RestoreController(self._world, body)

    async def gone(self, key: Key, uid: str) -> None:
        """A restore was deleted: its worker ends, what it has done stays in the target."""
        async with self._serial(key):
            controller = self._controllers.get(key)
            if controller is None or controller.uid != uid:
                return
            del self._controllers[key]
            await controller.close()

    def running(self) -> Iterator[tuple[Key, str]]:
        """Name and uid of each that has not ended."""
        for key, controller in self._controllers.items():
            yield key, controller.uid

    def cluster_changed(self, key: Key) -> None:
        """A cluster appeared or changed: whoever waits for it looks again."""
        for (namespace, _), controller in self._controllers.items():
            if (namespace, controller.cluster) == key:
                controller.wake()

    def reading(self, archive: str, place: S3Address) -> str | None:
        """Which one may be reading this archive, ``<namespace>/<name>``, at this place: nothing may be deleted from it.

        One that names no archive may find it where it looks, and nowhere else.
        """
        found = (key for key, controller in self._controllers.items() if controller.reads(archive, place))
        return next(("/".join(key) for key in found), None)

    async def close(self) -> None:
        """End every worker; what was begun goes on when an operator runs again."""
        controllers = list(self._controllers.values())
        self._controllers.clear()
        await asyncio.gather(*(controller.close() for controller in controllers))
