"""Which clusters a restore holds: while it does, no link of this operator runs into them or out of them.

A hold lives in the operator's memory only: it makes the links step aside before the restore begins, so that nothing has
to fail first. What protects the database itself is the restore's note in it (docs/restore.md), which outlives every
operator; after a restart the restore's controller takes its hold again.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Protocol

from neo4j_dr_operator.errors import DrError


class HeldByAnother(DrError):
    """Another restore holds the cluster."""

    reason: ClassVar[str] = "RestoreUnderWay"


class Holder(Protocol):
    """Whoever runs links: the controllers of disaster recovery resources."""

    def wake(self) -> None:
        """Look again: a hold was taken or released."""
        ...

    def stands_aside(self, namespace: str, cluster: str) -> bool:
        """Whether none of its links runs into or out of this cluster, nor will begin to while it is held."""
        ...


class Holds:
    """One per operator process. Everything happens on its event loop."""

    def __init__(self) -> None:
        """Nothing is held."""
        self._held: dict[tuple[str, str], str] = {}
        self._holders: list[Holder] = []
        self._moved = asyncio.Event()

    def join(self, holder: Holder) -> None:
        """Ask this one, too, from now on; it looks for holds before it starts a link."""
        self._holders.append(holder)

    def leave(self, holder: Holder) -> None:
        """It has ended, and its links with it."""
        if holder in self._holders:
            self._holders.remove(holder)
        self._moved.set()

    def held(self, namespace: str, cluster: str) -> str | None:
        """The restore that holds a cluster, None without one."""
        return self._held.get((namespace, cluster))

    async def take(self, namespace: str, cluster: str, restore: str) -> None:
        """Hold a cluster for a restore; returns when nobody's link runs into it or out of it any more.

        May be taken again by the same restore. Cancelled, the hold stays until :meth:`release`. Raises
        :class:`HeldByAnother`. A change of the active site that is under way is waited for.
        """
        other = self._held.setdefault((namespace, cluster), restore)
        if other != restore:
            raise HeldByAnother(f"restore {other} is under way on {cluster}")
        for holder in list(self._holders):
            holder.wake()
        while not all(holder.stands_aside(namespace, cluster) for holder in self._holders):
            self._moved.clear()
            await self._moved.wait()

    def release(self, namespace: str, cluster: str, restore: str) -> None:
        """Give a cluster back. What another restore holds stays held."""
        if self._held.get((namespace, cluster)) != restore:
            return
        del self._held[namespace, cluster]
        for holder in list(self._holders):
            holder.wake()

    def noticed(self) -> None:
        """A holder may have stepped aside."""
        self._moved.set()
