"""The memory that source transactions may take, shared out among the worker processes of one operator.

The memory that there is: the container's limit, else the machine's. Half of it is for transactions, in equal parts for
the workers that run, and no part is below :data:`FLOOR`: with more workers than that serves, the container wants more
memory. ``NEO4J_DR_TRANSACTION_BYTES`` in the environment says a worker's part outright. The parent tells its workers
(:mod:`neo4j_dr_operator.workers`), at their start and whenever the number changes; one that is told nothing is alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "NEO4J_DR_TRANSACTION_BYTES"
FLOOR = 64 << 20
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def share(workers: int, environment: Mapping[str, str] = os.environ, limits: Sequence[Path] = _LIMITS) -> int:
    """Bytes that one source transaction may take in each of so many workers.

    Raises ValueError for a variable that is no number.
    """
    if said := environment.get(VARIABLE):
        return int(said)
    memory = _MACHINE
    for path in limits:
        try:
            memory = min(memory, int(path.read_text()))
        except (OSError, ValueError):  # no such kind of control group, or "max"
            continue
    return max(FLOOR, memory // 2 // max(1, workers))


@dataclass
class Allotted:
    """What the parent of this process has allotted to it: ``bytes``, None while it has said nothing."""

    bytes: int | None = None

    def allowed(self) -> int:
        """Bytes of memory that one source transaction may take here, now."""
        return share(1) if self.bytes is None else self.bytes


MINE = Allotted()
"""This process's."""
