"""The worker of a drain as a real child process, and a standby that is behind the archive of its primary."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lab import Neo4j
from neo4j_dr_operator.cluster import site
from neo4j_dr_operator.graph.bolt import AsyncDatabase, Endpoint
from tests.database.load import Load
from tests.database.process import FORWARD, JobProcess, LinkProcess, endpoint
from tests.database.shipping_process import ARCHIVE, ShipProcess, Store
from tests.scenario.world import wait_for

T = TypeVar("T")
TIMEOUT = 15.0


class DrainProcess(JobProcess):
    """One drain of an archive into the link of a database."""

    def __init__(
        self,
        store: Store,
        target: Neo4j,
        *,
        epoch: int = 2,
        archive_epoch: int = 1,
        batch: int = 5000,
        destination: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            "drain",
            environment,
            link=FORWARD,
            epoch=epoch,
            archive=ARCHIVE,
            archiveEpoch=archive_epoch,
            source=store.destination(**(destination or {})),
            target=endpoint(target),
            batchSize=batch,
            timeout=10.0,
        )


def way(server: Neo4j) -> Endpoint:
    """How the operator reaches a database."""
    return Endpoint(server.uri, server.user, server.password, ca=server.ca_pem)


def ask(server: Neo4j, what: Callable[[AsyncDatabase], Awaitable[T]]) -> T:
    """What the operator does to a database, through its own connection."""

    async def once() -> T:
        async with AsyncDatabase(way(server)) as db:
            return await what(db)

    return asyncio.run(once())


def link_of(server: Neo4j) -> dict[str, Any]:
    """The properties of the link that fills a database."""
    rows = server.query("MATCH (l:__Neo4jDRLink {link: $link}) RETURN properties(l) AS p", link=FORWARD)
    values: dict[str, Any] = rows[0]["p"]
    return values


@dataclass
class Behind:
    """A standby whose link was killed while the primary was written to and shipped. ``cursor``: its transaction."""

    cursor: int
    shipper: ShipProcess


def fall_behind(source: Neo4j, target: Neo4j, worker: LinkProcess, shipper: ShipProcess, more: int) -> Behind:
    """Under load the link's worker dies; ``more`` transactions later all is shipped and the link claimed at epoch 2."""
    source.query("CREATE INDEX live_uid IF NOT EXISTS FOR (n:Live) ON (n.uid)")
    worker.streaming()
    shipper.shipping()
    ask(target, lambda db: site.write_mark(db, "production/dr", "secondary", "standby", 1, TIMEOUT))
    loads = [Load(source, seed) for seed in (1, 2)]
    for load in loads:
        load.start()
    worker.wait(lambda report: report["transactions"] > 50)
    worker.kill()
    before = sum(load.transactions for load in loads)
    wait_for("writes", lambda: sum(load.transactions for load in loads) > before + more, 60)
    for load in loads:
        load.stop()
    shipper.shipped()
    claimed = ask(target, lambda db: site.claim(db, "primary", "secondary", 2, TIMEOUT))
    return Behind(claimed.tx, shipper)
