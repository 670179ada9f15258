"""How large a source transaction may be: it is held in memory as a whole, since it has to stay one.

What a change takes was measured (``docs/replication.md``, "Sizes"): about :data:`PER_CHANGE` bytes of objects and
twice its bytes on the way. The memory that there is: the container's limit, else the machine's; a transaction may take
half of it. ``NEO4J_DR_TRANSACTION_BYTES`` in the environment says it outright.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from neo4j_dr_operator import errors

VARIABLE = "NEO4J_DR_TRANSACTION_BYTES"
PER_CHANGE = 1_000
PER_BYTE = 2
LOOK_EVERY = 1024
"""Changes between two looks at what was read."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def largest(environment: Mapping[str, str] = os.environ, limits: Sequence[Path] = _LIMITS) -> int:
    """Bytes of memory that one source transaction may take. Raises ValueError for a variable that is no number."""
    if said := environment.get(VARIABLE):
        return int(said)
    memory = _MACHINE
    for path in limits:
        try:
            memory = min(memory, int(path.read_text()))
        except (OSError, ValueError):  # no such kind of control group, or "max"
            continue
    return memory // 2


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
