"""Writing into one target through one link, each thing once, whatever happens to the connection meanwhile.

What a restore replays and what a drain takes goes the same way: folded and applied as in replication, in transactions
that compare the link and move it on (docs/replication.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Protocol

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.bolt_sync import Database
from neo4j_dr_operator.replication import checkpoint, link, portions
from neo4j_dr_operator.replication.apply import apply
from neo4j_dr_operator.replication.changes import Chunk
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.fold import Net, folded
from neo4j_dr_operator.replication.link import LinkState, LinkWriter


class Patient(Protocol):
    """What waits out failures that may pass: :class:`neo4j_dr_operator.backup.process.Patience`."""

    def trouble(self, error: errors.DrError) -> None:
        """Wait until another try makes sense; raises the error when none does."""
        ...


def attach(database: Database, name: str, faults: Faults) -> LinkWriter:
    """The link as the target has it, with its map.

    Raises :class:`errors.LinkMissing`, :class:`errors.TargetReplaced`.
    """
    loaded = checkpoint.load(database, name)
    link.at_home(database, loaded.state)
    writer = LinkWriter(database, loaded.state, loaded.elements, faults)
    writer.journal_records, writer.journal_bytes = loaded.records, loaded.record_bytes
    return writer


class Sink:
    """The one way by which a job writes to its target once it is attached. ``writer``: the link that it holds."""

    def __init__(
        self,
        writer: LinkWriter,
        patience: Patient,
        written: Callable[[LinkState], None],
        applied: Callable[[Net], None],
    ) -> None:
        """``written`` is told where the link is after each transaction, ``applied`` what one has brought from the
        source; both may raise."""
        self.writer, self._patience = writer, patience
        self._written, self._applied = written, applied

    def move(self, state: LinkState) -> None:
        """Move the link on without data."""
        self.write(lambda: self.writer.write(state))

    def write(self, work: Callable[[], None]) -> None:
        """Do it once, whatever happens to the connection meanwhile."""
        writer = self.writer
        before = writer.state.seq
        while True:
            try:
                writer.decide()
                if writer.state.seq == before:
                    work()
                checkpoint.step(writer)
                break
            except errors.DatabaseError as error:
                if isinstance(error, errors.MemoryExhausted):
                    writer.decide()  # it may have answered a COMMIT that went in
                    if writer.state.seq == before:
                        raise  # of the work itself, not of a step of compaction behind it
                self._patience.trouble(error)
                writer.database.close()
        self._written(writer.state)

    def apply(self, some: Sequence[Chunk], *, drained: bool = False) -> None:
        """Whole transactions in one of the target's; in more where its memory does not do for one. ``drained``: they
        are counted in the link as taken from an archive."""
        writer = self.writer
        net = folded(some, idempotent=writer.state.phase == link.CATCHING_UP)
        count = net.transactions if drained else 0
        try:
            self.write(lambda: apply(writer, net, drained=count))
        except errors.MemoryExhausted as error:
            if (halves := portions.halves(some)) is None:
                raise portions.too_large(net.changes, net.size) from error
            for half in halves:
                self.apply(half, drained=drained)
            return
        self._applied(net)

    def replay(self, chunks: Iterable[Chunk], batch_size: int, *, drained: bool = False) -> None:
        """Everything that comes, in transactions of up to ``batch_size`` changes unless one of the source is larger; as
        :meth:`apply`.

        Where what comes ends with an error, all that came before it is applied first.
        """
        held: list[Chunk] = []
        size = 0
        coming = chain.from_iterable(portions.split(chunk, batch_size) for chunk in chunks)
        while True:
            try:
                chunk = next(coming, None)
            except errors.DrError:
                self._together(held, drained)
                raise
            if chunk is None:
                break
            if held and size + len(chunk) > batch_size:
                self._together(held, drained)
                held, size = [], 0
            held.append(chunk)
            size += len(chunk)
        self._together(held, drained)

    def _together(self, held: list[Chunk], drained: bool) -> None:
        if held:
            for some in portions.transactions(held):
                self.apply(some, drained=drained)


def begun(state: LinkState, epoch: int) -> LinkState:
    """The same link at the beginning of a drain at ``epoch``: what an earlier one took does not count in it."""
    return replace(state, drain_epoch=epoch, drained=0)
