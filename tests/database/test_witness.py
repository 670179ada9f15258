"""The witness object on a real S3 server: races have one winner, nothing is lost, silence counts only when seen."""

from __future__ import annotations

import asyncio
import uuid

from lab import S3 as Server
from neo4j_dr_operator.errors import ObjectStoreError
from neo4j_dr_operator.failover.keeper import WitnessKeeper
from neo4j_dr_operator.objectstore.s3 import S3, S3Address

DR = "ns/dr"


def store(s3: Server) -> S3:
    """A client of a bucket of its own."""
    bucket = s3.make_bucket(f"witness-{uuid.uuid4().hex[:12]}")
    return S3(S3Address(bucket, "", None, s3.endpoint, s3.access_key, s3.secret_key), 5.0)


def test_a_renewal_never_undoes_a_takeover_by_the_same_operator(s3: Server) -> None:
    """Both run in one operator; whichever order they take, the higher epoch stays and generations grow."""

    async def race() -> None:
        keeper = WitnessKeeper(store(s3), DR, "one")
        assert await keeper.take("primary", 1, 3.0, force=True) is None
        generation = 1
        for epoch in range(2, 22):
            site, old = ("secondary", "primary") if epoch % 2 == 0 else ("primary", "secondary")
            await asyncio.gather(
                keeper.renew(old, epoch - 1, 3.0),
                keeper.take(site, epoch, 3.0, force=True),
                keeper.renew(old, epoch - 1, 3.0),
            )
            record = keeper.watch.record
            assert record is not None
            assert (record.holder, record.epoch) == (site, epoch)
            assert record.generation > generation
            generation = record.generation

    asyncio.run(race())


def test_eight_operators_race_for_one_epoch(s3: Server) -> None:
    """One grant an epoch, whoever wins; the losers see a reason or a conflict, never a second grant."""

    async def race() -> None:
        shared = store(s3)
        keepers = [WitnessKeeper(shared, DR, f"operator-{n}") for n in range(8)]
        for epoch in range(1, 6):
            sites = ["primary" if n % 2 else "secondary" for n in range(8)]
            takes = (k.take(s, epoch, 3.0, force=True) for k, s in zip(keepers, sites, strict=True))
            results = await asyncio.gather(*takes, return_exceptions=True)
            assert all(r is None or isinstance(r, str | ObjectStoreError) for r in results), results
            await keepers[0].refresh()
            record = keepers[0].watch.record
            assert record is not None
            assert record.epoch == epoch
            winners = {s for s, r in zip(sites, results, strict=True) if r is None}
            assert winners == {record.holder}

    asyncio.run(race())


def test_a_living_lease_is_not_taken_and_a_silent_one_is(s3: Server) -> None:
    async def watch() -> None:
        shared = store(s3)
        holder, challenger = WitnessKeeper(shared, DR, "holder"), WitnessKeeper(shared, DR, "challenger")
        term = 0.8
        assert await holder.take("primary", 1, term, force=True) is None
        for _ in range(10):
            await holder.renew("primary", 1, term)
            assert await challenger.take("secondary", 2, term, force=False) is not None
            await asyncio.sleep(term / 4)
        deadline = asyncio.get_running_loop().time() + 10
        while await challenger.take("secondary", 2, term, force=False) is not None:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(term / 8)
        await holder.renew("primary", 1, term)
        record = challenger.watch.record
        assert record is not None
        assert (record.holder, record.epoch) == ("secondary", 2)
        await challenger.refresh()
        assert challenger.watch.record == record, "a deposed holder renews nothing"

    asyncio.run(watch())


def test_an_unreachable_witness_is_no_silence(s3: Server) -> None:
    async def outage() -> None:
        keeper = WitnessKeeper(store(s3), DR, "one")
        assert await keeper.take("primary", 1, 0.5, force=True) is None
        s3.stop()
        try:
            await keeper.refresh()
            assert not keeper.view().reachable
            await asyncio.sleep(1.0)
            assert not keeper.view().expired
        finally:
            s3.start()
        await keeper.refresh()
        assert keeper.view().reachable
        assert not keeper.view().expired, "the term is watched anew"

    asyncio.run(outage())
