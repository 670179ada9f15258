"""How large pages become."""

from __future__ import annotations

from neo4j_dr_operator.replication.pace import FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES, QUIET_PAGE, Pace


def test_a_near_source_is_read_by_batches() -> None:
    pace = Pace(5000)
    assert pace.page == FIRST_PAGE
    for _ in range(20):
        pace.read(pace.page, 1_000_000, 0.1, 0.0005)
    assert pace.page == 5000


def test_a_far_source_is_read_by_pages_that_are_worth_a_round_trip() -> None:
    pace = Pace(1000)
    for _ in range(20):
        pace.read(pace.page, pace.page * 200, 0.06 + pace.page / 40_000, 0.06)
    seconds = 0.06 + pace.page / 40_000
    assert 0.06 / seconds <= 0.1
    assert pace.page <= 32_000
    for _ in range(20):
        pace.read(pace.page, pace.page * 20, 0.3, 0.3)
    assert pace.page == LARGEST_PAGE


def test_heavy_changes_make_small_pages() -> None:
    pace = Pace(5000)
    pace.read(100, 10 * PAGE_BYTES, 1.0, 0.06)
    assert pace.page == 10
    pace.read(10, PAGE_BYTES * 9 // 10, 1.0, 0.06)
    assert pace.page == 10, "twice as many would be too heavy"
    for _ in range(10):
        pace.read(pace.page, pace.page * 200, 0.1, None)
    assert pace.page == 5000


def test_what_comes_after_a_pause_is_asked_for_with_care() -> None:
    pace = Pace(20_000)
    for _ in range(10):
        pace.read(pace.page, 1_000, 1.0, None)
    assert pace.page == 20_000
    pace.caught_up(3_000, 300_000)
    assert pace.page == 12_000
    pace.caught_up(0, 0)
    assert pace.page == QUIET_PAGE
    pace.caught_up(32, 2 * PAGE_BYTES)
    assert pace.page == 16
    pace.caught_up(0, 0)
    assert pace.page == 16, "nothing says that they have become lighter"


def test_a_page_that_is_too_much_is_made_smaller_down_to_one() -> None:
    pace = Pace(3)
    pace.failed()
    assert pace.page == 1
    pace.failed()
    assert pace.page == 1
