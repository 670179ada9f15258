"""The point to restore, and what of a graph's history lies before it (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from neo4j_dr_operator.backup.manifest import Manifest
from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.position import Position

NEWEST = "newest"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLI = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Point:
    """What to restore; one of the first three, or none: all that the archive holds.

    ``millis``: every transaction before the first one committed later than this (ms since 1970, the source's clock);
    ``tx``: up to this transaction; ``snapshot``: name of a manifest, or ``newest``, which with ``millis`` is the newest
    that lies before it. ``epoch``: in which ``tx`` is counted, None for the newest. ``database``: whose transaction it
    is, where a position said so.
    """

    millis: int | None = None
    tx: int | None = None
    snapshot: str | None = None
    epoch: int | None = None
    database: str | None = None

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Point:
        """``{"time": …}``, ``{"position": …}``, ``{"transaction": …, "epoch": …}``, ``{"snapshot": …}``,
        ``{"snapshot": "newest", "time": …}`` or ``{"end": true}``. Raises :class:`ConfigInvalid`."""
        epoch = int(raw["epoch"]) if raw.get("epoch") else None
        match sorted(raw.keys() - {"epoch"}):
            case ["time"]:
                return cls(millis=millis(str(raw["time"])), epoch=epoch)
            case ["position"]:
                try:
                    position = Position.decode(str(raw["position"]))
                except ValueError as error:
                    raise ConfigInvalid(f"the point: {error}") from error
                return cls(tx=position.tx, database=position.database, epoch=epoch)
            case ["transaction"]:
                return cls(tx=int(raw["transaction"]), epoch=epoch)
            case ["snapshot"]:
                return cls(snapshot=str(raw["snapshot"]))
            case ["snapshot", "time"] if raw["snapshot"] == NEWEST:
                return cls(millis=millis(str(raw["time"])), snapshot=NEWEST)
            case ["end"]:
                return cls(epoch=epoch)
        raise ConfigInvalid("the point must be one of time, position, transaction, snapshot and end")

    def __str__(self) -> str:
        if self.millis is not None:
            at = moment(self.millis)
            return f"the newest snapshot before {at}" if self.snapshot else at
        if self.tx is not None:
            return f"transaction {self.tx}"
        return f"snapshot {self.snapshot}" if self.snapshot else "the archive's end"

    def holds(self, manifest: Manifest) -> bool:
        """Whether everything in the snapshot lies before the point."""
        if self.millis is not None:
            return manifest.latest <= self.millis
        return self.tx is None or (manifest.tx <= self.tx and self.database in (None, manifest.database))

    def reached(self, tx: int, covered: int) -> bool:
        """Whether an archive that holds everything up to transaction ``tx``, and all that was committed up to
        ``covered`` (ms since 1970), holds everything up to the point."""
        if self.millis is not None:
            return self.millis <= covered
        return self.tx is not None and self.tx <= tx

    def admits(self, times: list[int], txs: list[int]) -> int:
        """How many of these transactions, with their commit times, lie before the point: they stop at the first that
        does not."""
        for index, (time, tx) in enumerate(zip(times, txs, strict=True)):
            if (self.millis is not None and time > self.millis) or (self.tx is not None and tx > self.tx):
                return index
        return len(times)


def millis(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time with an offset, rounded down. Raises :class:`ConfigInvalid`."""
    try:
        at = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise ConfigInvalid("the point is no RFC 3339 time such as 2025-01-15T10:30:00Z") from None
    if at.tzinfo is None or "T" not in text.upper():
        raise ConfigInvalid("the point is a time without an offset; write Z for UTC")
    return math.floor((at - _EPOCH) / _MILLI)


def moment(at: int) -> str:
    """Milliseconds since 1970 as an RFC 3339 time in UTC."""
    return (_EPOCH + at * _MILLI).isoformat(timespec="milliseconds").replace("+00:00", "Z")
