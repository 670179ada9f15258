"""How large a source transaction may be: it is held in memory as a whole, since it has to stay one.

What a change takes was measured (``docs/replication.md``, "Sizes"): about :data:`PER_CHANGE` bytes of objects and
twice its bytes on the way. How much there is for it is said by :mod:`neo4j_dr_operator.memory`.
"""

from __future__ import annotations

from neo4j_dr_operator import errors

PER_CHANGE = 1_000
PER_BYTE = 2
LOOK_EVERY = 1024
"""Changes between two looks at what was read."""


def needed(changes: int, size: int) -> int:
    """Bytes of memory that ``changes`` take which were ``size`` bytes on the way."""
    return changes * PER_CHANGE + size * PER_BYTE


def check(changes: int, size: int, allowed: int) -> None:
    """Raise :class:`errors.TransactionTooLarge` when a transaction takes more than ``allowed`` bytes of memory."""
    if needed(changes, size) > allowed:
        raise errors.TransactionTooLarge(
            f"a source transaction of more than {changes} changes, {size >> 20} MiB, would take more than the "
            f"{allowed >> 20} MiB of memory that this process may give it; give the operator more memory"
        )
