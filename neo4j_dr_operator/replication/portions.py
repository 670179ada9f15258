"""What is given to the target at once: statements of a transaction, and transactions of a batch (pure).

Whole source transactions only ever go together or apart; the statements of one transaction may be as many as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any

from neo4j_dr_operator import errors
from neo4j_dr_operator.graph.position import Position
from neo4j_dr_operator.replication.changes import Chunk

STATEMENT_ROWS = 20_000
"""Rows of one statement: what a server answers well within any time limit."""
STATEMENT_BYTES = 16 << 20
"""What the rows of one statement are meant to weigh at most."""
TRANSACTION_BYTES = 32 << 20
"""What the source transactions that are folded into one of the target are meant to weigh at most together."""
FIXED = 60
"""Bytes of a row beside its values."""

Halves = tuple[list[Chunk], list[Chunk]]
"""The same source transactions in two lists."""

_COLUMNS = tuple(field.name for field in fields(Chunk) if field.name not in ("more", "cursor", "position", "size"))


def weight(value: Any) -> int:
    """About how many bytes a property value, or a map or list of them, is on the way."""
    if isinstance(value, str | bytes | bytearray):
        return len(value) + 3
    if isinstance(value, list):
        return sum(map(weight, value)) if value and isinstance(value[0], str) else 9 * len(value) + 3
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(weight, value.values()))
    return 9


def statements(properties: Sequence[Any], size: int) -> Iterator[slice]:
    """Slices of rows with these properties, each for one statement; ``size``: bytes of all that is to be written.

    Rows are weighed only where ``size`` says that there may be too much.
    """
    count = len(properties)
    if size <= STATEMENT_BYTES:
        for first in range(0, count, STATEMENT_ROWS):
            yield slice(first, first + STATEMENT_ROWS)
        return
    first = held = 0
    for at, row in enumerate(properties):
        more = FIXED + weight(row)
        if at > first and (held + more > STATEMENT_BYTES or at - first >= STATEMENT_ROWS):
            yield slice(first, at)
            first, held = at, 0
        held += more
    if count:
        yield slice(first, count)


def split(chunk: Chunk, most: int) -> Iterator[Chunk]:
    """The same changes in chunks of whole transactions, of at most ``most`` changes where no transaction is larger."""
    begin, end, txs = 0, len(chunk), chunk.txs
    while end - begin > most:
        cut = begin + most
        while cut > begin and txs[cut - 1] == txs[cut]:
            cut -= 1
        if cut == begin:  # this transaction alone is larger
            cut = begin + most
            while cut < end and txs[cut - 1] == txs[cut]:
                cut += 1
        if cut == end:
            break
        yield part(chunk, begin, cut, chunk.size * (cut - begin) // end)
        begin = cut
    yield chunk if begin == 0 else part(chunk, begin, end, chunk.size * (end - begin) // end)


def transactions(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """The same chunks, in lists that each go into one transaction of the target; a heavy chunk is taken apart."""
    if sum(chunk.size for chunk in chunks) <= TRANSACTION_BYTES:
        yield list(chunks)
        return
    held: list[Chunk] = []
    size = 0
    for chunk in chunks:
        for part in _light(chunk):
            if held and size + part.size > TRANSACTION_BYTES:
                yield held
                held, size = [], 0
            held.append(part)
            size += part.size
    yield held


def _light(chunk: Chunk) -> Iterator[Chunk]:
    if chunk.size <= TRANSACTION_BYTES:
        yield chunk
        return
    first = held = 0
    for begin, end in pairwise([0, *ends(chunk.txs)]):
        more = sum(FIXED + weight(after) for after in chunk.afters[begin:end])
        if begin > first and held + more > TRANSACTION_BYTES:
            yield part(chunk, first, begin, held)
            first, held = begin, 0
        held += more
    yield part(chunk, first, len(chunk), held)


def halves(chunks: Sequence[Chunk]) -> Halves | None:
    """The same source transactions in two lists; None when there is only one."""
    if len(chunks) > 1:
        middle = len(chunks) // 2
        return list(chunks[:middle]), list(chunks[middle:])
    if not chunks:
        return None
    chunk = chunks[0]
    bounds = ends(chunk.txs)
    if len(bounds) < 2:
        return None
    cut = bounds[(len(bounds) - 1) // 2]
    share = chunk.size * cut // len(chunk)
    return [part(chunk, 0, cut, share)], [part(chunk, cut, len(chunk), chunk.size - share)]


def too_large(changes: int, size: int) -> errors.TransactionTooLarge:
    """What to say of one source transaction that is more than the target's memory."""
    return errors.TransactionTooLarge(
        f"a source transaction of {changes} changes, {size >> 20} MiB, needs more memory than the target gives it: "
        "raise db.memory.transaction.max, dbms.memory.transaction.total.max or the heap there"
    )


def ends(txs: Sequence[int]) -> list[int]:
    """Where each transaction ends: the index behind its last change."""
    return [at for at in range(1, len(txs) + 1) if at == len(txs) or txs[at] != txs[at - 1]]


def part(chunk: Chunk, begin: int, end: int, size: int) -> Chunk:
    """The changes from ``begin`` to ``end`` (exclusive), which end with a transaction, and weigh ``size`` bytes."""
    if end == len(chunk):
        more, cursor, position = chunk.more, chunk.cursor, chunk.position
    else:
        more, cursor = True, chunk.ids[end - 1]
        position = Position.decode(cursor)
    some = Chunk(more, cursor, position, *(getattr(chunk, name)[begin:end] for name in _COLUMNS))
    some.size = size
    return some
