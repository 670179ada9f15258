"""One site as the running operator sees it: its connection, its verdict, what it last said of itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from neo4j_dr_operator.cluster.endpoint import Resolved
from neo4j_dr_operator.failover.state import link_to
from neo4j_dr_operator.failover.view import Access, Mark, SiteView, Survey
from neo4j_dr_operator.graph.bolt import AsyncDatabase, Endpoint
from neo4j_dr_operator.health.advice import Place
from neo4j_dr_operator.health.probe import Sight, probe
from neo4j_dr_operator.health.verdict import SiteHealth, Verdict

log = logging.getLogger(__name__)

RETURNING = 1.0
"""Seconds between two probes of a site that is DOWN."""
MENDING = 3.0
"""Seconds between two probes of one that refuses us, or of which little is known."""


class SiteRuntime:
    """Probes one site, or one follower, on its own schedule, never delayed by anything else (P12)."""

    def __init__(
        self, site: str, changed: Callable[[], None], failed: Callable[[], None], inbound: str | None = None
    ) -> None:
        """`changed` is called after every probe, `failed` for every one that failed (a metric).

        `inbound`: the link that fills it, by default the one from the opposite site.
        """
        self.site = site
        self._inbound = inbound or link_to(site)
        self.health = SiteHealth()
        self.access: Access | None = None
        self.access_at = self.access_since = float("-inf")
        self.mark: Mark | None = None
        self.endpoint: Endpoint | None = None
        self.link_endpoint: Endpoint | None = None
        self.place = self.link_place = Place(site)
        """What the operator's way and the links' way are called to people."""
        self.survey: Survey | None = None
        self.interval, self.timeout, self.failures = 30.0, 10.0, 3
        self._counted = float("-inf")
        self._db: AsyncDatabase | None = None
        self._changed, self._failed = changed, failed
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def db(self) -> AsyncDatabase | None:
        """The connection pool of the operator to this site; None until the address is known."""
        return self._db

    async def point(self, to: Resolved) -> None:
        """Use these addresses and credentials from now on. Raises DatabaseError for ones that cannot be used."""
        if to.own != self.endpoint:
            await self._turn(AsyncDatabase(to.own))
            self.endpoint = to.own
        self.link_endpoint, self.place, self.link_place = to.link, to.place, to.link_place
        if self._task is not None:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"probe-{self.site}")

    async def part(self) -> None:
        """Let go of the site: no connection stays, and no link may use the address."""
        self.endpoint = self.link_endpoint = None
        self.place = self.link_place = Place(self.place.cluster)
        await self._turn(None)

    async def _turn(self, db: AsyncDatabase | None) -> None:
        old, self._db = self._db, db
        # What was seen elsewhere, or with other credentials, says nothing about what is there now (P6).
        self.health, self.access = SiteHealth(since=time.time()), None
        self.mark = self.survey = None
        self.soon()
        if old is not None:
            await old.close()

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
        health = self.health
        return SiteView(
            health.verdict,
            health.evidence,
            self.access,
            self.access_at,
            self.access_since,
            self.mark,
            self.survey,
            health.reason,
            self.endpoint.address if self.endpoint is not None else "",
        )

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            self._again.clear()
            try:
                await self._probe()
            except Exception:  # the boundary of one probe: a mistake of ours must not end the loop
                log.exception("probe of %s", self.site)
            try:
                async with asyncio.timeout(max(0.0, started + self._pause() - time.monotonic())):
                    await self._again.wait()
            except TimeoutError:
                continue

    def _pause(self) -> float:
        """A site that is not UP is looked at more often: its return is what everybody waits for."""
        match self.health.verdict:
            case Verdict.UP:
                return self.interval
            case Verdict.DOWN:
                return min(self.interval, RETURNING)
            case _:
                return min(self.interval, MENDING)

    def _counts(self, sight: Sight) -> bool:
        """Whether a probe counts: failures that make a site DOWN are counted once an interval, however often one
        looks."""
        early = sight.asked - self._counted < 0.9 * self.interval
        if early and not sight.probe.alive and self.health.verdict is Verdict.UNKNOWN and self.health.failures:
            return False
        self._counted = sight.asked
        return True

    async def _probe(self) -> None:
        db = self._db
        if db is None:
            return
        sight = await probe(db, self.site, self.timeout, self.place, self._inbound)
        if db is not self._db or not self._counts(sight):
            return
        before = self.health.verdict
        self.health = self.health.after(sight.probe, self.failures)
        if sight.probe.ok and sight.access is not None:
            self.mark, self.survey = sight.mark, sight.survey
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
