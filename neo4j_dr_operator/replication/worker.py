"""The link worker: a process that carries one link at one epoch. ``docs/replication.md`` has its protocol.

Threads beside those of every worker: pulse (heartbeats), schema, reader; applying is done by the main thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Iterator

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.graph.calls import CALLS
from neo4j_dr_operator.process import Command, Lines, Work, serve
from neo4j_dr_operator.replication import checkpoint, handover, link, portions, restored, schema, seed
from neo4j_dr_operator.replication.apply import apply
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.config import WorkerConfig
from neo4j_dr_operator.replication.faults import Faults, Strikes
from neo4j_dr_operator.replication.fold import Net, folded
from neo4j_dr_operator.replication.heartbeat import Beat, Pulse
from neo4j_dr_operator.replication.link import LinkState, LinkWriter
from neo4j_dr_operator.replication.patience import Patience
from neo4j_dr_operator.replication.reader import (
    FIRST_BACKOFF,
    LOCKED_OUT,
    LONGEST_BACKOFF,
    RETRIED,
    Reader,
)
from neo4j_dr_operator.replication.report import Problem, Status
from neo4j_dr_operator.replication.stream import SourceFailure

log = logging.getLogger(__name__)

TAKE_SECONDS = 0.2
LEAST_CHANGES = 100
"""A batch of no more than that is not made smaller because it took too long: a lock, or a dead way, is why."""
RECORDS_VARIABLE = "NEO4J_DR_JOURNAL_RECORDS"
"""Environment variable for tests: compact the map's journal after so many records."""


class LinkTaken(errors.Stale):
    """The link is at a later epoch, or frozen: this worker will never write to it again."""


def _locked_out(error: errors.DrError) -> bool:
    return isinstance(error.cause if isinstance(error, SourceFailure) else error, LOCKED_OUT)


def _passing(error: errors.DrError) -> bool:
    """Whether trying again can help without a new plan."""
    cause = error.cause if isinstance(error, SourceFailure) else error
    if isinstance(cause, errors.ConstraintViolated):
        return True  # the schema keeper may have to take a constraint out first
    return isinstance(cause, (*RETRIED, *LOCKED_OUT, errors.Stale, errors.ReadOnlyRefused)) and not isinstance(
        cause, LinkTaken
    )


class Worker:
    """The main thread's part: attach, seed or hand over, then apply what the reader brings."""

    def __init__(self, config: WorkerConfig, status: Status, lines: Lines, faults: Faults) -> None:
        self._config = config
        self._faults = faults
        self.status = status
        self._source, self._target = Database(config.source), Database(config.target, leading=True)
        self.finishing = threading.Event()
        self.pulse = Pulse(config.source, self.status, lines, self._way_is_back)
        self._schema = schema.SchemaKeeper(config.source, config.target, config.link, config.epoch, self.status)
        self._reader: Reader | None = None
        self._refusals = 0
        self._patience = Patience(config.retries, config.timeout)
        self._records = int(os.environ.get(RECORDS_VARIABLE, checkpoint.MAX_RECORDS))

    def run(self) -> None:
        """Until finished. Raises :class:`errors.DrError` for what no retry will mend."""
        backoff = FIRST_BACKOFF
        self.pulse.start()
        self._schema.start()
        while True:
            began = self.status.changes
            try:
                self._carry()
                self._schema.end()
                return
            except errors.DrError as error:
                if not _passing(error):
                    raise
                self._trouble(error)
                self._refusals = self._refusals + 1 if _locked_out(error) else 0
                if self._refusals > self._config.retries:
                    self.status.become("failed")
                if self.finishing.is_set():
                    return  # what was read and not applied stays in the source's log
                if self.status.changes > began:
                    backoff = FIRST_BACKOFF
                stale = isinstance(error, errors.Stale)
                time.sleep(random.uniform(1.0, 2.0) if stale else backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF)

    def finish(self) -> None:
        """Stop reading, apply what was read, end."""
        self.finishing.set()
        if (reader := self._reader) is not None:
            reader.stop()

    def beat(self, command: Command) -> None:
        """Write a heartbeat. Raises KeyError, TypeError or ValueError for a command that makes no sense."""
        self.pulse.ask(Beat(int(command["id"]), int(command["epoch"]), int(command["at"])))

    def _way_is_back(self, silent: float) -> None:
        if (reader := self._reader) is not None:
            reader.hurry(silent)

    def _trouble(self, error: errors.DrError, tried: float | None = None) -> None:
        """Tell it; ``tried``: when the attempt began that failed (monotonic seconds), else it counts from now."""
        now = time.monotonic()
        hiccup = isinstance(error, RETRIED) and self._patience.failed(now if tried is None else tried, now)
        problem = Problem.of(error, hiccup=hiccup)
        if problem not in (self.status.source_problem, self.status.target_problem):
            log.warning("%s: %s", problem.reason, problem.message)
        if isinstance(error, SourceFailure):
            self.status.source_problem = problem
            self._source.close()
        else:
            self.status.target_problem = problem
            self._target.close()
        self.status.changed.set()

    def _carry(self) -> None:
        """From attaching to the end; any error leaves nothing behind that attaching again does not mend."""
        read_at = self.status.read_at
        self._become("attaching")
        writer = self._attach()
        self._well(writer)
        if writer.state.phase == link.SEEDING:
            self._become("reseeding" if writer.state.reseed else "seeding")
            if not seed.scan(self._source, writer, self._config.batch_size, lambda: self._go_on(writer)):
                return
        checkpoint.clean(writer)
        with self._reading(writer.state.cursor) as reader:
            while True:
                self._advance(writer)
                chunks = reader.take(TAKE_SECONDS)
                if self.status.read_at != read_at:  # before the first answer nothing says that the position is there
                    self._refusals = 0
                    self._become(writer.state.phase)  # before applying: what refuses a batch is looked at in this state
                if chunks is None:
                    return
                for together in portions.transactions(chunks) if chunks else ():
                    self._apply(writer, together)
                checkpoint.step(writer, self._records)

    @contextlib.contextmanager
    def _reading(self, cursor: str) -> Iterator[Reader]:
        reader = Reader(
            self._source,
            cursor,
            self._config.batch_size,
            self._config.interval,
            self.status,
            round_trip=lambda: self.status.latency,
            patience=Patience(self._config.retries, self._config.timeout),
        )
        self._reader = reader
        if self.finishing.is_set():
            reader.stop()
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()
            reader.join()

    def _well(self, writer: LinkWriter) -> None:
        self.status.link = writer.state
        self.status.received = self._source.traffic.received
        self._patience.clear()
        self.status.target_problem = None

    def _become(self, state: str) -> None:
        """Enter a state, unless the link is out of order: then only what was read or written proves the opposite."""
        if self._refusals <= self._config.retries and state != self.status.state:
            self.status.become(state)
            self._schema.hurry()

    # -- attaching -------------------------------------------------------------------------------------------------

    def _attach(self) -> LinkWriter:
        config = self._config
        link.prepare(self._target)
        note = restored.check(self._target, config.supersedes)
        writer = self._resume(note.restore) if note is not None else self._attached()
        restored.check(self._target, "")  # again: a restore that began meanwhile may not have seen the link
        anew = config.reseed not in ("", writer.state.reseed)
        if not anew:
            link.at_home(self._target, writer.state)
        source_restored = restored.check_source(self._source, writer.state, anew=anew)
        if anew:
            seed.begin_again(self._source, writer, config.reseed)
        if source_restored:
            restored.settle(self._source, config.link)
        return writer

    def _resume(self, restore: str) -> LinkWriter:
        """Fill the target anew over what a restore has put there."""
        config = self._config
        state = seed.beginning(self._source, config.link, config.epoch, config.reseed)
        restored.take_over(self._source, self._target, state, restore)
        return self._attached()

    def _attached(self) -> LinkWriter:
        config = self._config
        state = link.read(self._target, config.link)
        if config.origin == "handover" and handover.wanted(state, config.epoch):
            self.status.become("handover")
            return self._hand_over()
        if state is None:
            if config.origin != "seed":
                raise errors.LinkMissing(f"the target has no link {config.link}")
            state = self._begin_seeding()
        self._mine(state)
        loaded = checkpoint.load(self._target, config.link)
        self._mine(loaded.state)
        writer = LinkWriter(self._target, loaded.state, loaded.elements, self._faults)
        writer.journal_records, writer.journal_bytes = (
            loaded.records,
            loaded.record_bytes,
        )
        return restored.inherit(writer)

    def _mine(self, state: LinkState) -> None:
        config = self._config
        said = (
            f"link {config.link} is at epoch {state.epoch}, phase {state.phase}; this worker is of epoch {config.epoch}"
        )
        if state.epoch > config.epoch or state.phase == link.FROZEN:
            raise LinkTaken(said)
        if state.epoch < config.epoch or state.phase == link.HANDOVER:
            raise errors.Stale(said)

    def _begin_seeding(self) -> LinkState:
        try:
            config = self._config
            return seed.begin(self._source, self._target, config.link, config.epoch, config.reseed)
        except (errors.ConstraintViolated, errors.TargetNotEmpty) as error:
            if isinstance(error, errors.TargetNotEmpty) and link.read(self._target, self._config.link) is None:
                raise
            raise errors.Stale(f"another worker made link {self._config.link} first") from error

    def _hand_over(self) -> LinkWriter:
        config = self._config
        return handover.hand_over(
            self._source,
            self._target,
            config.link,
            config.epoch,
            config.inverse or "",
            config.barrier or "",
            self._faults,
        )

    # -- going on --------------------------------------------------------------------------------------------------

    def _go_on(self, writer: LinkWriter) -> bool:
        self._well(writer)
        self._refusals = 0
        self.status.source_problem = None
        checkpoint.step(writer, self._records)
        return not self.finishing.is_set()

    def _advance(self, writer: LinkWriter) -> None:
        """A copy that has passed its barrier is exact from here on."""
        state = writer.state
        if state.phase == link.CATCHING_UP and state.cursor_tx >= state.seed_barrier_tx:
            writer.write(link.streaming(state))
            self._well(writer)

    def _apply(self, writer: LinkWriter, chunks: list[Chunk]) -> None:
        """Apply chunks in one transaction, exactly once, through whatever happens to the connection meanwhile; in more
        where the target's memory, or the link's ``timeout``, does not do for one."""
        net = folded(chunks, idempotent=writer.state.phase == link.CATCHING_UP)
        before = writer.state.seq
        backoff = FIRST_BACKOFF
        halves: portions.Halves | None = None
        while True:
            tried = time.monotonic()
            try:
                writer.decide()  # what was answered with an error may have gone in, too: it may have answered COMMIT
                if writer.state.seq == before and halves is None:
                    apply(writer, net)
                break
            except (*RETRIED, errors.ReadOnlyRefused, errors.ConstraintViolated) as error:
                halves = self._smaller(chunks, net, error, time.monotonic() - tried)
                memory = isinstance(error, errors.MemoryExhausted)
                if memory and halves is not None:
                    continue
                self._trouble(portions.too_large(net.changes, net.size) if memory else error, tried)
                if isinstance(error, errors.ConstraintViolated):
                    self._refused(writer)
                time.sleep(backoff * random.uniform(0.5, 1.0))
                backoff = min(backoff * 2, LONGEST_BACKOFF)
        if writer.state.seq == before:
            for half in halves or ():
                self._apply(writer, half)
            return
        self.status.changes += net.changes
        self.status.transactions += net.transactions
        self._well(writer)

    def _smaller(
        self, chunks: list[Chunk], net: Net, error: errors.DatabaseError, took: float
    ) -> portions.Halves | None:
        """The two halves of what was too much for the target's memory, or for the time that it has; else None."""
        slow = isinstance(error, errors.DatabaseUnreachable) and took >= self._config.timeout
        if isinstance(error, errors.MemoryExhausted) or (slow and net.changes > LEAST_CHANGES):
            return portions.halves(chunks)
        return None

    def _refused(self, writer: LinkWriter) -> None:
        """A constraint refused a batch. While the copy mixes states none that the link has made may stand."""
        if writer.state.phase == link.CATCHING_UP:
            schema.suspend(self._target, self._config.link, self._config.epoch)
        else:
            self._schema.refused()


def main() -> int:
    """Run one worker; the exit code is 0 when finished, 3 when it cannot go on, 4 when its parent died."""
    if (strikes := Strikes.from_environment()) is not None:
        CALLS.watch(strikes.pass_by)
    status = Status(0)

    def begin(line: bytes, lines: Lines) -> Work:
        config = WorkerConfig.parse(line)
        status.epoch = config.epoch
        worker = Worker(config, status, lines, Faults.from_environment())
        return Work(worker.run, {"finish": lambda _: worker.finish(), "heartbeat": worker.beat})

    return serve(status, begin)
