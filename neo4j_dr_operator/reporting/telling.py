"""Events: one when a condition turns, never one a round, and never in the way of the loop that decides."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from neo4j_dr_operator.errors import KubernetesError
from neo4j_dr_operator.failover.state import Step

log = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds in which the same turn of a condition is not told again: what flaps is told once a minute."""
PENDING = 32
"""Events that may wait for the API server; more are dropped, since the conditions say the same."""
BESIDE = ("FailoverReady", "LogShippingHealthy", "BackupHealthy", "ArchiveHealthy", "WithinRPO")
"""Conditions that can turn bad while the resource is ready; all others go with `Ready`, and are not told twice."""
UNREMARKABLE = ("Pending", "Starting", "NotConfigured", "NotYetSupported", "AutomaticDisabled", "NoWitness")
"""Reasons of those that are a choice, or a beginning, and no news."""
ON_ITS_WAY = (
    *get_args(Step),
    "Pending",
    "Adopting",
    "Adopted",
    "Seeding",
    "Reseeding",
    "Joining",
    "Unprotected",
    "RestoreUnderWay",
    "Restoring",
    "NoLink",
)
"""Reasons of `Ready=False` that need nobody."""


@dataclass(frozen=True)
class News:
    """What an event says; ``kind`` is Normal or Warning, ``reason`` that of the condition ``type``."""

    type: str
    kind: str
    reason: str
    message: str


def news(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[News]:
    """What turned between two stored lists of conditions. Pure.

    `Ready` is told whenever its status or reason changes; the others in `BESIDE` when they turn bad, or good again,
    while the resource is and was ready: otherwise they only say the same once more.
    """
    old, new = ({item["type"]: item for item in items} for items in (before, after))
    told = [_ready(new["Ready"])] if "Ready" in new and _turned(old.get("Ready"), new["Ready"]) else []
    if any(items.get("Ready", {}).get("status") != "True" for items in (old, new)):
        return told
    for kind in BESIDE:
        was, now = old.get(kind), new.get(kind)
        if was is None or now is None or not _turned(was, now) or now["reason"] in UNREMARKABLE:
            continue
        bad = now["status"] == "False"
        if bad or (was["status"] == "False" and was["reason"] not in UNREMARKABLE):
            told.append(News(kind, "Warning" if bad else "Normal", now["reason"], now.get("message", "")))
    return told


def gap_news(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[News]:
    """A gap in the archive of transactions, once. Pure; both are a stored `status.shipping`."""
    number = (after or {}).get("gap")
    if number is None or number == (before or {}).get("gap"):
        return []
    text = f"the archive has a gap: segment {number} of epoch {(after or {}).get('epoch')} begins behind transactions "
    return [News("Shipping", "Warning", "ArchiveGap", text + "that the primary's log did not hold any more")]


def _turned(was: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    return was is None or (was["status"], was["reason"]) != (now["status"], now["reason"])


def _ready(now: Mapping[str, Any]) -> News:
    calm = now["status"] == "True" or now["reason"] in ON_ITS_WAY
    return News("Ready", "Normal" if calm else "Warning", now["reason"], now.get("message", ""))


class Teller:
    """Posts events one after the other, beside everything else."""

    def __init__(self, post: Callable[[str, str, str], Awaitable[None]]) -> None:
        """`post` takes kind, reason and message; what it raises is logged, and that event is lost."""
        self._post = post
        self._waiting: asyncio.Queue[News] = asyncio.Queue(PENDING)
        self._told: dict[tuple[str, str], float] = {}
        self._task: asyncio.Task[None] | None = None

    def tell(self, each: News) -> None:
        """Post it soon, unless the same was told within the last minute."""
        key, now = (each.type, each.reason), time.monotonic()
        if now - self._told.get(key, float("-inf")) < QUIET or self._waiting.full():
            return
        self._told[key] = now
        self._waiting.put_nowait(each)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="events")

    async def _run(self) -> None:
        while True:
            each = await self._waiting.get()
            try:
                await self._post(each.kind, each.reason, each.message)
            except KubernetesError as error:
                log.warning("event %s was not posted: %s", each.reason, error.reason)

    async def close(self) -> None:
        """Stop; what still waits is lost."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
