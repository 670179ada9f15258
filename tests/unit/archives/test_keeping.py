"""Which snapshot is taken when: tables of single steps, and whole lives driven at random."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo4j_dr_operator.archives.keeping import (
    ABANDONED,
    BASE_AGE,
    PAUSES,
    RENEWED,
    TRIES,
    Sight,
    Wishes,
    base_lacks,
    next_look,
    pause_after,
    step,
)
from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.schedule import Schedule
from neo4j_dr_operator.failover.kept import Answer, Job, Keeping, Outcome, Trouble

DAY = 86_400.0
NOW = 20_000 * DAY + 3600.0
"""One hour after a midnight."""
L, B = "s3://logs/a/ns/dr", "s3://backups/b/ns/dr"
DAILY = Schedule("0 0 * * *", "UTC")
ME, OTHER = "me/1/a", "other/1/b"
LOGS = Wishes(logs=L, created=NOW - 10)
BOTH = Wishes(logs=L, backups=B, enabled=True, schedule=DAILY, created=NOW - 10, unedited=True)
BASE = SnapshotName(1, 3, 100, round((NOW - 60) * 1000))
SEEN = Sight(wall=NOW, operator=ME, known=1, epoch=1, segment=3, held=((L, (BASE,)), (B, (BASE,))))


def held(sight: Sight, **places: tuple[SnapshotName, ...]) -> Sight:
    """A sight with these snapshots, by `logs` and `backups`; a place that is left out has not been asked."""
    names = {"logs": L, "backups": B}
    return replace(sight, held=tuple((names[place], found) for place, found in places.items()))


EMPTY = held(SEEN, logs=(), backups=())


def later(sight: Sight, seconds: float) -> Sight:
    return replace(sight, wall=sight.wall + seconds)


def ended(job: Job, at: float, *, reason: str = "") -> Outcome:
    """A snapshot of that job, or its failure."""
    snapshot = None if reason else SnapshotName(job.epoch, 3, 200, round(job.at * 1000)).key("ns/dr")
    return Outcome(
        number=job.number,
        kind=job.kind,
        where=job.where,
        epoch=job.epoch,
        began=job.at,
        ended=at,
        snapshot=snapshot,
        bytes=10,
        reason=reason,
        message="m" if reason else "",
    )


def begun(keeping: Keeping, wishes: Wishes, sight: Sight) -> Job:
    made = step(keeping, wishes, sight)
    assert made.job is not None
    return made.job


# -- the base of the log archive --------------------------------------------------------------------------------------


def test_a_log_archive_gets_its_base_as_soon_as_the_epoch_has_a_segment() -> None:
    assert step(Keeping(), LOGS, replace(EMPTY, segment=None)).job is None
    assert step(Keeping(), LOGS, replace(EMPTY, segment=0)).job is None
    job = begun(Keeping(), LOGS, EMPTY)
    assert (job.kind, job.where, job.epoch, job.owner, job.number) == ("base", L, 1, ME, 1)
    assert step(Keeping(), LOGS, replace(EMPTY, epoch=0)).job is None, "nothing can be read now"
    assert step(Keeping(), LOGS, held(EMPTY, backups=())).job is None, "the store has not been asked"
    assert step(Keeping(), LOGS, SEEN).job is None, "it has one"


@pytest.mark.parametrize(
    ("sight", "lacks"),
    [
        (SEEN, None),
        (replace(SEEN, epoch=2, known=2), "epoch 2 has no snapshot"),
        (held(SEEN, logs=(replace(BASE, segment=0),)), "epoch 1 has no snapshot"),
        (replace(SEEN, gap=3), None),
        (replace(SEEN, gap=4), "there is a gap behind the last snapshot"),
        (replace(SEEN, damage="chunks/aa is altered"), "it is damaged: chunks/aa is altered"),
        (later(SEEN, BASE_AGE - 120), None),
        (later(SEEN, BASE_AGE), "the last snapshot is old"),
    ],
)
def test_what_a_log_archive_lacks(sight: Sight, lacks: str | None) -> None:
    assert base_lacks(Keeping(), BOTH, sight) == lacks


def test_a_base_is_renewed_only_where_segments_are_deleted_and_no_scheduled_ones_lie_there() -> None:
    old = later(SEEN, 400 * DAY)
    assert base_lacks(Keeping(), LOGS, old) is None
    assert base_lacks(Keeping(), replace(BOTH, backups=L), old) is None
    assert replace(BOTH, retention="2d").base_age == DAY
    assert replace(BOTH, retention="7").base_age == BOTH.base_age == BASE_AGE


def test_a_base_that_was_taken_under_a_fast_clock_is_renewed_once() -> None:
    """Its age is not known before that clock's time has come, and segments are deleted meanwhile."""
    future = replace(BASE, created=round((NOW + 30 * DAY) * 1000))
    sight = held(SEEN, logs=(future,))
    assert base_lacks(Keeping(), BOTH, sight) == "the last snapshot is old"
    assert base_lacks(Keeping(), LOGS, sight) is None, "no segment is deleted"
    renewed = held(SEEN, logs=(future, replace(BASE, tx=200)))
    assert base_lacks(Keeping(), BOTH, renewed) is None
    assert base_lacks(Keeping(), BOTH, later(renewed, BASE_AGE)) == "the last snapshot is old"
    assert base_lacks(Keeping(), BOTH, held(SEEN, logs=(replace(BASE, created=round((NOW + 60) * 1000)),))) is None


def test_a_damage_is_healed_once_by_one_base() -> None:
    hurt = replace(SEEN, damage="x")
    taken = step(Keeping(), LOGS, hurt)
    assert taken.job is not None
    healed = step(taken, LOGS, replace(later(hurt, 5), ended=ended(taken.job, NOW + 5)))
    assert (healed.healed, healed.job) == ("x", None)
    assert begun(healed, LOGS, replace(hurt, damage="y")).damage == "y"


# -- the schedule -----------------------------------------------------------------------------------------------------


def scheduled(since: float) -> Keeping:
    return Keeping(schedule="0 0 * * * UTC", since=since)


def test_the_first_one_is_taken_at_once_and_none_for_times_before_it_was_asked_for() -> None:
    job = begun(Keeping(), BOTH, held(SEEN, logs=(BASE,), backups=()))
    assert (job.kind, job.where, job.due) == ("scheduled", B, None)
    assert step(Keeping(), BOTH, SEEN).job is None, "there is one, and midnight was before the resource"
    older = replace(BOTH, created=NOW - 2 * DAY)
    assert begun(Keeping(), older, SEEN).due == NOW - 3600, "created with its schedule while no operator was there"
    assert step(Keeping(), replace(older, unedited=False), SEEN).job is None, "nobody knows since when it is asked for"


def test_a_time_that_was_noted_under_a_fast_clock_does_not_silence_the_schedule() -> None:
    """The operator's clock was five days ahead when the last one began, and is set right."""
    made = step(scheduled(NOW + 5 * DAY), BOTH, SEEN)
    assert (made.since, made.job) == (NOW, None)
    assert begun(made, BOTH, later(SEEN, DAY)).due == NOW - 3600 + DAY
    assert step(scheduled(NOW + 60), BOTH, SEEN).since == NOW + 60, "another operator's clock, a little ahead"


def test_of_many_missed_times_only_the_newest_is_caught_up() -> None:
    job = begun(scheduled(NOW - 5 * DAY), BOTH, SEEN)
    assert job.due == NOW - 3600
    done = step(Keeping(**{**dict(scheduled(NOW - 5 * DAY)), "job": job}), BOTH, replace(SEEN, ended=ended(job, NOW)))
    assert done.job is None
    assert step(done, BOTH, later(SEEN, 60)).job is None
    assert begun(done, BOTH, later(SEEN, DAY)).due == NOW - 3600 + DAY


def test_another_schedule_counts_from_now_on() -> None:
    before = scheduled(NOW - 5 * DAY)
    made = step(before, replace(BOTH, schedule=Schedule("30 0 * * *", "UTC")), SEEN)
    assert (made.job, made.since) == (None, NOW)
    off = step(before, replace(BOTH, enabled=False), SEEN)
    assert (off.job, off.schedule) == (None, "")
    assert step(off, BOTH, later(SEEN, 10)).job is None, "switched on again"


def test_a_failed_one_is_tried_a_few_times_and_then_at_the_next_time() -> None:
    keeping, sight, tries = scheduled(NOW - DAY), SEEN, 0
    while (made := step(keeping, BOTH, sight)).job is not None:
        tries += 1
        keeping = step(made, BOTH, replace(later(sight, 1), ended=ended(made.job, sight.wall + 1, reason="Broken")))
        assert keeping.job is None
        assert keeping.trouble is not None
        assert (keeping.trouble.times, keeping.trouble.reason) == (tries, "Broken")
        pause = pause_after(keeping.trouble)
        assert step(keeping, BOTH, later(sight, pause)).job is None, "not before it has waited"
        sight = later(sight, 1 + pause)
    assert tries == TRIES
    tomorrow = replace(SEEN, wall=NOW - 3600 + DAY)
    again = begun(keeping, BOTH, tomorrow)
    assert again.due == tomorrow.wall, "the next time waits for nothing"
    failed = step(
        keeping.model_copy(update={"job": again}),
        BOTH,
        replace(later(tomorrow, 1), ended=ended(again, tomorrow.wall + 1, reason="Broken")),
    )
    assert failed.trouble is not None
    assert failed.trouble.times == 1, "and is counted anew"


def test_what_was_mended_is_tried_at_once() -> None:
    trouble = Trouble(times=4, at=NOW - 1, reason="Broken", message="m")
    keeping = scheduled(NOW - DAY).model_copy(update={"trouble": trouble})
    assert step(keeping, BOTH, SEEN).job is None
    assert begun(keeping, BOTH, replace(SEEN, mended=frozenset({"scheduled"}))).kind == "scheduled"
    assert step(keeping, BOTH, replace(SEEN, mended=frozenset({"base"}))).job is None


def test_a_base_is_tried_again_for_ever_and_its_trouble_ends_with_what_it_lacked() -> None:
    trouble = Trouble(times=50, at=NOW, reason="Broken", message="m")
    keeping = Keeping(base_trouble=trouble)
    assert step(keeping, LOGS, later(EMPTY, PAUSES[-1] - 1)).job is None
    assert begun(keeping, LOGS, later(EMPTY, PAUSES[-1])).kind == "base"
    assert step(keeping, LOGS, SEEN).base_trouble is None, "somebody else's snapshot serves as well"


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_is_carried_out_once() -> None:
    asked = replace(LOGS, request="r1")
    made = step(Keeping(), asked, EMPTY)
    assert made.job is not None
    assert (made.job.kind, made.job.where, made.job.request) == ("requested", L, "r1"), "before the base"
    assert made.answer("r1") == Answer(request="r1", state="Running", at=NOW)
    done = step(made, asked, replace(later(SEEN, 9), ended=ended(made.job, NOW + 9)))
    answer = done.answer("r1")
    assert answer is not None
    assert (answer.state, answer.snapshot is not None, done.job) == ("Completed", True, None)
    assert step(done, asked, later(SEEN, 10)) == done
    assert begun(done, replace(LOGS, request="r2"), SEEN).request == "r2"


def test_a_request_goes_where_snapshots_go_also_when_none_are_scheduled() -> None:
    assert begun(Keeping(), replace(BOTH, enabled=False, request="r"), SEEN).where == B
    nowhere = step(Keeping(), Wishes(request="r"), SEEN)
    answer = nowhere.answer("r")
    assert answer is not None
    assert (answer.state, nowhere.job) == ("Refused", None)
    assert "spec.backup.destination" in answer.message


def test_a_request_beside_another_job_is_refused_and_both_are_answered() -> None:
    first = step(Keeping(), replace(LOGS, request="r1"), SEEN)
    both = step(first, replace(LOGS, request="r2"), later(SEEN, 1))
    assert [(each.request, each.state) for each in both.answers] == [("r2", "Refused"), ("r1", "Running")]
    assert both.job is not None
    done = step(both, replace(LOGS, request="r2"), replace(later(SEEN, 2), ended=ended(both.job, NOW + 2)))
    assert done.job is None, "what was refused is not begun later"
    assert {each.request: each.state for each in done.answers} == {"r1": "Completed", "r2": "Refused"}


def test_a_request_follows_a_base_which_nobody_has_asked_for() -> None:
    asked, made = replace(LOGS, request="r"), step(Keeping(), LOGS, EMPTY)
    waiting = step(made, asked, later(EMPTY, 1))
    assert (waiting.job, waiting.answers) == (made.job, [])
    assert made.job is not None
    over = step(waiting, asked, replace(later(EMPTY, 2), ended=ended(made.job, NOW + 2)))
    assert over.job is None, "what was taken is seen at the next look only"
    assert begun(over, asked, later(SEEN, 3)).request == "r"


def test_a_failed_request_is_not_repeated() -> None:
    asked = replace(LOGS, request="r")
    made = step(Keeping(), asked, SEEN)
    assert made.job is not None
    failed = step(made, asked, replace(later(SEEN, 1), ended=ended(made.job, NOW + 1, reason="Broken")))
    answer = failed.answer("r")
    assert answer is not None
    assert (answer.state, answer.message) == ("Failed", "Broken: m")
    assert step(failed, asked, later(SEEN, 99_999)).job is None


# -- the job under way ------------------------------------------------------------------------------------------------


def test_a_job_ends_with_its_epoch_and_is_begun_again_in_the_next() -> None:
    asked = replace(LOGS, request="r")
    made = step(Keeping(), asked, SEEN)
    waiting = step(made, asked, replace(SEEN, known=2, epoch=0))
    assert (waiting.job, waiting.answer("r")) == (None, None)
    again = begun(waiting, asked, replace(SEEN, known=2, epoch=2))
    assert (again.epoch, again.request) == (2, "r")


@pytest.mark.parametrize("wishes", [Wishes(created=NOW), replace(BOTH, enabled=False), replace(BOTH, backups=L)])
def test_a_job_that_nobody_wants_any_more_is_dropped(wishes: Wishes) -> None:
    made = step(scheduled(NOW - DAY), BOTH, SEEN)
    assert made.job is not None
    assert made.job.kind == "scheduled"
    dropped = step(made, wishes, replace(SEEN, epoch=0))
    assert dropped.job is None


def test_the_owner_renews_its_job_and_another_operator_takes_it_when_it_is_abandoned() -> None:
    made = step(Keeping(), LOGS, EMPTY)
    assert step(made, LOGS, later(EMPTY, RENEWED - 1)) == made
    renewed = step(made, LOGS, later(EMPTY, RENEWED))
    assert renewed.job is not None
    assert renewed.job.renewed == NOW + RENEWED
    theirs = replace(later(EMPTY, ABANDONED * 3), operator=OTHER)
    assert step(made, LOGS, theirs) == made, "its clock alone says nothing"
    taken = step(made, LOGS, replace(theirs, abandoned=True))
    assert taken.job is not None
    assert (taken.job.owner, taken.job.number, taken.number) == (OTHER, 1, 1)


def test_what_ended_is_taken_for_its_own_job_only() -> None:
    made = step(Keeping(), LOGS, EMPTY)
    assert made.job is not None
    stale = ended(made.job, NOW).model_copy(update={"number": 7})
    assert step(made, LOGS, replace(EMPTY, ended=stale)) == made


def test_when_to_look_again() -> None:
    assert next_look(Keeping(), LOGS, NOW) is None
    assert next_look(Keeping(), BOTH, NOW) == NOW - 3600 + DAY
    trouble = Trouble(times=1, at=NOW, reason="Broken", message="m")
    assert next_look(Keeping(base_trouble=trouble), BOTH, NOW) == NOW + PAUSES[0]
    made = step(Keeping(), LOGS, EMPTY)
    assert next_look(made, LOGS, NOW) == NOW + RENEWED
    assert next_look(made, LOGS, NOW + 99) == NOW + 100, "somebody else's"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([ME, OTHER]), st.booleans(), st.integers(1, 9)), max_size=60))
def test_two_operators_by_mistake_begin_every_job_once(turns: list[tuple[str, bool, int]]) -> None:
    """Each decides on the state that it saw last; what was stored over another version counts for nothing."""
    stored, version, sight, began = Keeping(), 0, EMPTY, dict[int, str]()
    known = {ME: (stored, 0), OTHER: (stored, 0)}
    for operator, ends, seconds in turns:
        sight = later(sight, seconds)
        mine, seen = known[operator]
        job = mine.job
        over = ended(job, sight.wall) if ends and job is not None and job.owner == operator else None
        wishes = replace(LOGS, request=f"r{version // 4}")
        made = step(mine, wishes, replace(sight, operator=operator, ended=over))
        if seen != version:
            known[operator] = (stored, version)
            continue
        if made != stored:
            stored, version = made, version + 1
        known[operator] = (stored, version)
        if stored.job is not None:
            assert began.setdefault(stored.job.number, stored.job.owner) == stored.job.owner
            assert job is None or job.number == stored.job.number or over is not None, "one at a time"


# -- whole lives ------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["wait", "good", "bad", "kill", "ask", "fail over"]), st.integers(1, 30_000)))
)
def test_whole_lives(turns: list[tuple[str, int]]) -> None:
    """Never two jobs; numbers only rise; every request is answered once; stored and read again it is the same."""
    keeping, wishes, sight, requests = Keeping(), replace(BOTH, created=NOW), EMPTY, 0
    numbers: list[int] = []
    for what, seconds in turns:
        sight, seen_later = replace(later(sight, seconds), ended=None), None
        job = keeping.job
        if what in ("good", "bad") and job is not None:
            outcome = ended(job, sight.wall, reason="" if what == "good" else "Broken")
            sight = replace(sight, ended=outcome)
            name = SnapshotName.of(outcome.snapshot or "")
            places = {place: (*names, *([name] if name and place == job.where else [])) for place, names in sight.held}
            seen_later = tuple(places.items())
        elif what == "kill":
            sight = replace(sight, operator=f"host/{seconds}/x", abandoned=True)
        elif what == "ask":
            requests += 1
            wishes = replace(wishes, request=f"r{requests}")
        elif what == "fail over":
            sight = replace(sight, known=sight.known + 1, epoch=sight.known + 1)
        made = step(Keeping.model_validate(keeping.model_dump(mode="json", by_alias=True)), wishes, sight)
        if sight.ended is None:
            assert step(made, wishes, sight) == made, "a second look at the same changes nothing"
        else:
            assert made.job is None, "what has just been taken is not seen yet"
            sight = replace(sight, held=seen_later or sight.held)
        if made.job is not None and (job is None or made.job.number != job.number):
            numbers.append(made.job.number)
            assert job is None or sight.ended is not None or job.epoch != sight.known, "one at a time"
            assert made.job.epoch == sight.epoch
        if requests and sight.ended is None and (made.job is None or made.job.kind != "base"):
            assert made.answer(f"r{requests}") is not None
        keeping = made
    assert numbers == sorted(set(numbers))
    assert len([each for each in keeping.answers if each.state == "Running"]) <= 1
