"""Which snapshot is to be taken now, and what is remembered of those that were. Pure; times in seconds since 1970.

At most one is under way. What is asked for by hand goes first; then the base that the log archive lacks, then what the
schedule says. A request is refused while another one is under way, and follows a base, which nobody has asked for. A
failure is tried again after a while, a scheduled one a few times only: then at the next time of the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

from neo4j_dr_operator.backup.names import SnapshotName
from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.backup.schedule import Schedule
from neo4j_dr_operator.failover.kept import Answer, AnswerState, Job, JobKind, Keeping, Outcome, Trouble

RENEWED = 10.0
"""Seconds after which the owner of a job says in the status that it still has it."""
ABANDONED = 30.0
"""Seconds without that after which another operator takes the job over."""
PAUSES = (30.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
"""Seconds before what failed is tried again, by how often it did; the last one again and again."""
TRIES = 6
"""So often a scheduled snapshot is tried; then it waits for the next time of its schedule."""
AHEAD = 300.0
"""Seconds by which a time that was noted may lie ahead of the clock: far more than clocks of two operators differ under
NTP. What lies further ahead was noted under a clock that was fast, and is no time to go by."""
BASE_AGE = 7 * 86_400.0
"""Seconds after which the base of a log archive is renewed that holds no scheduled snapshots itself."""


@dataclass(frozen=True)
class Wishes:
    """What a spec and an annotation ask for. Places are texts, the same for the same place.

    `logs`: the log archive, `backups`: where snapshots go; None without one. `request`: the annotation's value, empty
    without one. `created`: when the resource was; `unedited`: its spec is still the one it was created with.
    """

    logs: str | None = None
    backups: str | None = None
    enabled: bool = False
    schedule: Schedule | None = None
    retention: str = "30d"
    request: str = ""
    created: float = 0.0
    unedited: bool = False

    @property
    def wanted(self) -> str | None:
        """Where a snapshot goes that is asked for by hand."""
        return self.backups or self.logs

    @property
    def base_age(self) -> float | None:
        """Seconds after which the base of the log archive is renewed; None for never.

        Only where segments are deleted: else the first one serves for ever.
        """
        if not self.enabled or self.logs is None or self.logs == self.backups:
            return None
        millis = Retention.parse(self.retention).millis
        return min(BASE_AGE, millis / 2000) if millis else BASE_AGE

    def asks_for(self, kind: JobKind, where: str) -> bool:
        """Whether such a job still makes sense."""
        if kind == "base":
            return where == self.logs
        return where == self.wanted and (kind == "requested" or (self.enabled and self.schedule is not None))


@dataclass(frozen=True)
class Sight:
    """What is seen at `wall`.

    `epoch`: whose active site can be read now, 0 while none can; `known`: the epoch that is; `segment`: number of the
    epoch's last segment in the log archive, `gap`: of the last one behind a gap; `held`: the snapshots of each place,
    where the store has been asked. `damage`: what of the log archive a new base is to heal. `ended`: the job that ended
    just now. `abandoned`: the owner of the job is gone. `mended`: the ends of what failed last are other ones now.
    """

    wall: float
    operator: str
    known: int = 0
    epoch: int = 0
    segment: int | None = None
    gap: int | None = None
    held: tuple[tuple[str, tuple[SnapshotName, ...]], ...] = ()
    damage: str = ""
    ended: Outcome | None = None
    abandoned: bool = False
    mended: frozenset[JobKind] = frozenset()

    def snapshots(self, where: str | None) -> tuple[SnapshotName, ...] | None:
        """What the store holds at a place; None while it has not been asked."""
        return next((names for place, names in self.held if place == where), None)


def step(keeping: Keeping, wishes: Wishes, sight: Sight) -> Keeping:
    """What is to be remembered next; its `job` is what should run, once it is stored."""
    folded = _folded(keeping, sight.ended)
    now = _scheduled(folded, wishes, sight.wall)
    now = _held(now, wishes, sight)
    now = _answered(now, wishes, sight)
    if now.job is not None or not sight.epoch or folded is not keeping:  # what has just ended is not seen in `held` yet
        return now
    if now.base_trouble is not None and _has_base(now, wishes, sight):
        now = now.model_copy(update={"base_trouble": None})
    return _begun(now, wishes, sight)


# -- what ended -------------------------------------------------------------------------------------------------------


def _folded(keeping: Keeping, ended: Outcome | None) -> Keeping:
    """With the job's end taken in."""
    job = keeping.job
    if job is None or ended is None or ended.number != job.number:
        return keeping
    update: dict[str, object] = {"job": None, "last": ended}
    if job.kind == "requested":
        state: AnswerState = "Completed" if ended.good else "Failed"
        answer = Answer(
            request=job.request, state=state, at=ended.ended, snapshot=ended.snapshot, message=_sentence(ended)
        )
        update["answers"] = keeping.answered(answer)
    if ended.good:
        update["good"] = [ended, *(each for each in keeping.good if each.where != ended.where)][:2]
        update["since"] = max(keeping.since, job.at, job.due or 0.0) if job.kind != "base" else keeping.since
        update["healed"] = job.damage or keeping.healed
        update |= {"base_trouble": None} if job.kind == "base" else {"trouble": None}
        return keeping.model_copy(update=update)
    return keeping.model_copy(update=update | _failed(keeping, job, ended))


def _failed(keeping: Keeping, job: Job, ended: Outcome) -> dict[str, object]:
    if job.kind == "requested":
        return {}
    before = keeping.base_trouble if job.kind == "base" else keeping.trouble
    again = before is not None and (job.due is None or before.at > job.due)
    times = before.times + 1 if before is not None and again else 1
    trouble = Trouble(times=times, at=ended.ended, reason=ended.reason, message=ended.message)
    if job.kind == "base":
        return {"base_trouble": trouble}
    given_up = job.due is not None and times >= TRIES
    return {"trouble": trouble, **({"since": max(keeping.since, job.due or 0.0)} if given_up else {})}


def _sentence(ended: Outcome) -> str:
    return ended.message if not ended.reason or ended.good else f"{ended.reason}: {ended.message}"


# -- what is under way ------------------------------------------------------------------------------------------------


def _held(keeping: Keeping, wishes: Wishes, sight: Sight) -> Keeping:
    """With the job dropped where it makes no sense any more, taken over where its owner is gone, renewed by it."""
    job = keeping.job
    if job is None:
        return keeping
    if job.epoch != sight.known or not wishes.asks_for(job.kind, job.where):
        return keeping.model_copy(update={"job": None})
    if job.owner != sight.operator and not sight.abandoned:
        return keeping
    if job.owner == sight.operator and 0 <= sight.wall - job.renewed < RENEWED:
        return keeping
    renewed = job.model_copy(update={"owner": sight.operator, "renewed": sight.wall})
    return keeping.model_copy(update={"job": renewed})


def _answered(keeping: Keeping, wishes: Wishes, sight: Sight) -> Keeping:
    """With a request refused that cannot be carried out."""
    request, job = wishes.request, keeping.job
    if (
        job is None or job.kind != "requested"
    ):  # one that runs no more was dropped with its epoch: it is asked for again
        keeping = keeping.model_copy(update={"answers": [each for each in keeping.answers if each.state != "Running"]})
    if not request or keeping.answer(request) is not None:
        return keeping
    if wishes.wanted is None:
        why = "there is no place for it: give spec.backup.destination, or spec.replication.logShipping.destination"
    elif job is not None and job.kind != "base":
        why = f"a snapshot is under way ({job.kind}); only one is taken at a time"
    else:
        return keeping
    refused = Answer(request=request, state="Refused", at=sight.wall, message=why)
    return keeping.model_copy(update={"answers": keeping.answered(refused)})


def _scheduled(keeping: Keeping, wishes: Wishes, wall: float) -> Keeping:
    """With the schedule that counts. Times before it was asked for do not, nor does a time under a fast clock."""
    if keeping.since > wall + AHEAD:
        keeping = keeping.model_copy(update={"since": wall})
    schedule = wishes.schedule if wishes.enabled else None
    text = f"{schedule.cron} {schedule.zone}" if schedule is not None else ""
    if text == keeping.schedule:
        return keeping
    since = wishes.created if wishes.unedited and not keeping.schedule and not keeping.since else wall
    return keeping.model_copy(update={"schedule": text, "since": max(keeping.since, since), "trouble": None})


# -- what begins ------------------------------------------------------------------------------------------------------


def _begun(keeping: Keeping, wishes: Wishes, sight: Sight) -> Keeping:
    """With the next job, if one is due."""
    job = _requested(keeping, wishes, sight) or _base(keeping, wishes, sight) or _due(keeping, wishes, sight)
    if job is None:
        return keeping
    update: dict[str, object] = {"job": job, "number": job.number}
    if job.kind == "requested":
        running = Answer(request=job.request, state="Running", at=sight.wall)
        update["answers"] = keeping.answered(running)
    return keeping.model_copy(update=update)


def _job(kind: JobKind, where: str, keeping: Keeping, sight: Sight) -> Job:
    return Job(
        number=keeping.number + 1,
        kind=kind,
        where=where,
        epoch=sight.epoch,
        at=sight.wall,
        owner=sight.operator,
        renewed=sight.wall,
    )


def _requested(keeping: Keeping, wishes: Wishes, sight: Sight) -> Job | None:
    if not wishes.request or keeping.answer(wishes.request) is not None or wishes.wanted is None:
        return None
    return _job("requested", wishes.wanted, keeping, sight).model_copy(update={"request": wishes.request})


def _base(keeping: Keeping, wishes: Wishes, sight: Sight) -> Job | None:
    why = base_lacks(keeping, wishes, sight)
    if why is None or wishes.logs is None or _waits(keeping.base_trouble, "base", sight):
        return None
    return _job("base", wishes.logs, keeping, sight).model_copy(update={"why": why, "damage": sight.damage})


def base_lacks(keeping: Keeping, wishes: Wishes, sight: Sight) -> str | None:
    """Why the log archive needs a new base, None when it needs none, or that cannot be told.

    A snapshot serves as one if it is of the present epoch and was taken when that had its first segment: else it may
    lie before where the chain begins.
    """
    held = sight.snapshots(wishes.logs)
    if wishes.logs is None or held is None or not sight.segment:
        return None
    names = [name for name in held if name.epoch == sight.epoch and name.segment > 0]
    if not names:
        return f"epoch {sight.epoch} has no snapshot"
    if sight.gap is not None and max(name.segment for name in names) < sight.gap:
        return "there is a gap behind the last snapshot"
    if sight.damage and sight.damage != keeping.healed:
        return f"it is damaged: {sight.damage}"
    made = [name.created / 1000 for name in names]
    newest = max((at for at in made if at <= sight.wall + AHEAD), default=None)  # of others the age is not known
    if wishes.base_age is not None and (newest is None or sight.wall - newest > wishes.base_age):
        return "the last snapshot is old"
    return None


def _has_base(keeping: Keeping, wishes: Wishes, sight: Sight) -> bool:
    """Whether the log archive is known to need none; or there is no log archive any more."""
    known = wishes.logs is None or (sight.snapshots(wishes.logs) is not None and bool(sight.segment))
    return known and base_lacks(keeping, wishes, sight) is None


def _due(keeping: Keeping, wishes: Wishes, sight: Sight) -> Job | None:
    """The newest time of the schedule that was missed, however many were; the very first one at once."""
    if not wishes.enabled or wishes.schedule is None or wishes.backups is None:
        return None
    due = wishes.schedule.latest(keeping.since, sight.wall)
    anew = keeping.trouble is not None and due is not None and due > keeping.trouble.at
    if not anew and _waits(keeping.trouble, "scheduled", sight):
        return None
    if due is None and sight.snapshots(wishes.backups) != ():
        return None
    if due is None and wishes.backups == wishes.logs and not sight.segment:
        return None  # the base of the log archive will be the first one, as soon as that has begun
    return _job("scheduled", wishes.backups, keeping, sight).model_copy(update={"due": due})


def _waits(trouble: Trouble | None, kind: JobKind, sight: Sight) -> bool:
    """Whether what failed is not to be tried again yet."""
    if trouble is None or kind in sight.mended:
        return False
    return 0 <= sight.wall - trouble.at < pause_after(trouble)


def pause_after(trouble: Trouble) -> float:
    """Seconds before the next try."""
    return PAUSES[min(trouble.times, len(PAUSES)) - 1]


def next_look(keeping: Keeping, wishes: Wishes, wall: float) -> float | None:
    """When time alone may change something next; None for never."""
    if keeping.job is not None:
        return max(keeping.job.renewed + RENEWED, wall + 1.0)
    times = [each.at + pause_after(each) for each in (keeping.base_trouble, keeping.trouble) if each is not None]
    times = [each for each in times if each > wall]
    if wishes.enabled and wishes.schedule is not None and (following := wishes.schedule.after(wall)) is not None:
        times.append(following)
    return min(times, default=None)
