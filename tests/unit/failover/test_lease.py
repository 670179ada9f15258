"""The witness: silence is what was watched, a higher epoch wins, nothing is granted twice."""

from __future__ import annotations

import pytest

from neo4j_dr_operator.failover.lease import LONGEST_TERM, Watch, WitnessRecord, grant, term_for

TERM = 6.0


def record(generation: int = 1, epoch: int = 1, holder: str = "primary") -> WitnessRecord:
    return WitnessRecord(dr="ns/a", generation=generation, epoch=epoch, holder=holder, term=TERM)  # type: ignore[arg-type]


def watch(*reads: tuple[float, WitnessRecord | None]) -> Watch:
    seen = Watch()
    for at, found in reads:
        seen = seen.read(found, "etag", at, at)
    return seen


def test_a_lease_runs_out_after_a_whole_term_of_watched_silence() -> None:
    assert not watch((0, record()), (2, record()), (5.9, record())).expired()
    assert watch((0, record()), (2, record()), (6, record())).expired()


def test_a_renewal_starts_the_term_anew() -> None:
    assert not watch((0, record()), (5, record(2)), (10, record(2))).expired()
    assert watch((0, record()), (5, record(2)), (11, record(2))).expired()


def test_the_first_look_of_a_new_process_says_nothing() -> None:
    assert not watch((1000, record())).expired()


def test_unreachable_time_is_not_silence() -> None:
    seen = watch((0, record()), (3, record())).failed("timed out")
    assert not seen.expired()
    seen = seen.read(record(), "etag", 60, 60)
    assert not seen.expired()
    assert seen.read(record(), "etag", 66, 66).expired()


def test_time_in_which_this_process_did_not_look_is_not_silence() -> None:
    """The one that renews is often the one that watches: stopped for a minute, it has renewed nothing either."""
    assert not watch((0, record()), (60, record())).expired()


def test_a_missing_record_must_be_missing_for_the_longest_term() -> None:
    assert not watch((0, None)).expired()
    assert not watch((0, None), (20, None)).expired()
    assert watch((0, None), (20, None), (LONGEST_TERM, None)).expired()
    assert not watch((0, record()), (2, None), (10, None)).expired()


@pytest.mark.parametrize(("interval", "failures", "term"), [(10, 2, 10.0), (30, 3, 30.0), (1, 2, 3.0)])
def test_the_term_never_delays_a_confirmed_failure(interval: float, failures: int, term: float) -> None:
    assert term_for(interval, failures) == term


@pytest.mark.parametrize(
    ("current", "expired", "site", "epoch", "force", "granted"),
    [
        (None, True, "primary", 1, False, True),
        (None, False, "secondary", 2, False, False),
        (None, False, "primary", 1, True, True),
        (record(), False, "primary", 2, False, True),
        (record(), False, "secondary", 2, False, False),
        (record(), False, "secondary", 2, True, True),
        (record(), True, "secondary", 2, False, True),
        (record(epoch=2), True, "secondary", 2, True, False),
        (record(epoch=3), True, "secondary", 2, True, False),
        (record(epoch=3), True, "primary", 2, True, False),
        (record(epoch=2), False, "primary", 2, False, True),
    ],
)
def test_who_may_move_the_lease(
    current: WitnessRecord | None, expired: bool, site: str, epoch: int, force: bool, granted: bool
) -> None:
    wanted = grant(current, expired, "ns/a", site, epoch, TERM, force)  # type: ignore[arg-type]
    assert isinstance(wanted, WitnessRecord) == granted
    if isinstance(wanted, WitnessRecord) and current is not None:
        assert wanted.generation == current.generation + 1


def test_the_object_of_another_resource_is_left_alone() -> None:
    assert isinstance(grant(record(), True, "ns/b", "primary", 9, TERM, True), str)


def test_a_renewal_keeps_holder_and_epoch() -> None:
    renewed = record().renewed(9.0, "operator-1", "now")
    assert (renewed.generation, renewed.epoch, renewed.holder, renewed.term) == (2, 1, "primary", 9.0)
