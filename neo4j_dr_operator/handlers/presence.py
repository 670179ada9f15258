"""Whether what runs is there still: a deletion that no event told of is found by looking.

A watch that begins anew, because the API server does not remember its version any more, is told of what is there and
not of what was deleted meanwhile, and kopf makes no event of that. So the resources are looked at one by one: those of
a kind that was listed anew and those that are doubted at once, all of them now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.errors import Gone, KubernetesError
from neo4j_dr_operator.kube.status import Objects, same

log = logging.getLogger(__name__)

PERIOD = 300.0
"""Seconds between two looks at everything, give or take a fifth."""


class Known(NamedTuple):
    """A resource that an event told of."""

    plural: str
    namespace: str
    name: str
    uid: str


class Presence:
    """One per operator process. `known`: what there is to look at; `gone`: called with what is there no more."""

    def __init__(
        self, api: Objects, known: Callable[[], Iterable[Known]], gone: Callable[[Known], Awaitable[None]]
    ) -> None:
        """Nothing is looked at before `run`."""
        self._api, self._known, self._gone = api, known, gone
        self._doubted: set[Known] = set()
        self._asked = asyncio.Event()

    def doubt(self, *doubted: Known) -> None:
        """Look at these at once."""
        self._doubted.update(doubted)
        self._asked.set()

    def relisted(self, plural: str) -> None:
        """A kind was listed anew: what was deleted before has no event any more."""
        self.doubt(*(each for each in self._known() if each.plural == plural))

    async def run(self) -> None:
        """Look, one at a time, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD * random.uniform(0.8, 1.2)):
                    await self._asked.wait()
            self._asked.clear()
            doubted, self._doubted = self._doubted, set()
            for each in doubted or list(self._known()):
                try:
                    await self.look(each)
                except Exception:  # the boundary of one resource: a mistake of ours must not end the looking for all
                    log.exception("%s/%s was not looked at", each.namespace, each.name)

    async def look(self, each: Known) -> None:
        """Look at one; an API server that does not answer for it, or not about it, says nothing."""
        try:
            await same(self._api, GROUP, VERSION, each.plural, each.namespace, each.name, each.uid)
        except Gone as error:
            log.info("no event told of it: %s", error)
            await self._gone(each)
        except KubernetesError as error:
            log.debug("%s/%s was not looked at: %s", each.namespace, each.name, error.reason)
