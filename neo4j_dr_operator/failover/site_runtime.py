"""One site as the running operator sees it: its connection, its verdict, what it last said of itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from neo4j_dr_operator.failover.state import Site
from neo4j_dr_operator.failover.view import Access, Mark, SiteView
from neo4j_dr_operator.graph.bolt import AsyncDatabase, Endpoint
from neo4j_dr_operator.health.probe import probe
from neo4j_dr_operator.health.verdict import SiteHealth, Verdict

log = logging.getLogger(__name__)


class SiteRuntime:
    """Probes one site on its own schedule, never delayed by anything else (P12)."""

    def __init__(self, site: Site, changed: Callable[[], None], failed: Callable[[], None]) -> None:
        """`changed` is called after every probe, `failed` for every one that failed (a metric)."""
        self.site = site
        self.health = SiteHealth()
        self.access: Access | None = None
        self.access_at = self.access_since = float("-inf")
        self.mark: Mark | None = None
        self.endpoint: Endpoint | None = None
        self.link_endpoint: Endpoint | None = None
        self.interval, self.timeout, self.failures = 30.0, 10.0, 3
        self._db: AsyncDatabase | None = None
        self._changed, self._failed = changed, failed
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def db(self) -> AsyncDatabase | None:
        """The connection pool of the operator to this site; None until the address is known."""
        return self._db

    async def point(self, endpoint: Endpoint, link_endpoint: Endpoint) -> None:
        """Use these addresses and credentials from now on."""
        self.link_endpoint = link_endpoint
        if endpoint == self.endpoint:
            return
        old, self._db, self.endpoint = self._db, AsyncDatabase(endpoint), endpoint
        # What was seen elsewhere, or with other credentials, says nothing about what is there now (P6).
        self.health, self.access, self.mark = SiteHealth(since=time.time()), None, None
        if old is not None:
            await old.close()
        self.soon()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"probe-{self.site}")

    def soon(self) -> None:
        """Probe at once instead of at the next turn."""
        self._again.set()

    def saw(self, access: Access, asked: float, changed: bool = False) -> None:
        """Take in an access read at monotonic `asked`; `changed`: it was another one just before, and was set."""
        if changed or access != self.access:
            self.access_since = asked
        self.access, self.access_at = access, max(asked, self.access_at)

    def view(self) -> SiteView:
        """What the machine is told."""
        return SiteView(
            self.health.verdict, self.health.evidence, self.access, self.access_at, self.access_since, self.mark
        )

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            self._again.clear()
            try:
                await self._probe()
            except Exception:  # the boundary of one probe: a mistake of ours must not end the loop
                log.exception("probe of %s", self.site)
            # A site that is DOWN is looked at each second: its return is what everybody waits for.
            down = self.health.verdict is Verdict.DOWN
            pause = min(self.interval, 1.0) if down else self.interval
            try:
                async with asyncio.timeout(max(0.0, started + pause - time.monotonic())):
                    await self._again.wait()
            except TimeoutError:
                continue

    async def _probe(self) -> None:
        db = self._db
        if db is None:
            return
        sight = await probe(db, self.site, self.timeout)
        if db is not self._db:
            return
        before = self.health.verdict
        self.health = self.health.after(sight.probe, self.failures)
        if sight.probe.ok and sight.access is not None:
            self.mark = sight.mark
            if sight.asked >= self.access_at:
                self.saw(sight.access, sight.asked)
        else:
            self._failed()
        if before is not self.health.verdict:
            log.info("site %s is %s: %s", self.site, self.health.verdict, self.health.evidence)
        self._changed()

    async def close(self) -> None:
        """Stop probing and give the connections back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._db is not None:
            await self._db.close()
