"""What a link worker is told: its configuration line and its command lines (JSON)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from neo4j_dr_operator.errors import ConfigInvalid
from neo4j_dr_operator.graph.bolt import Endpoint

ORIGINS = ("seed", "handover", "attach")


@dataclass(frozen=True)
class WorkerConfig:
    """One link at one epoch. Times in seconds; ``batch_size`` in changes.

    ``origin``: *seed* makes the link in an empty target when it is not there, *attach* wants it there, *handover*
    makes it from the frozen link ``inverse`` in the source, to stream from ``barrier``. ``reseed``: the request to fill
    the target anew; it is done once, however often a worker is told. ``supersedes``: the restore whose graph in the
    target it ends, empty for none.
    """

    link: str
    epoch: int
    origin: str
    source: Endpoint
    target: Endpoint
    inverse: str | None
    barrier: str | None
    batch_size: int
    timeout: float
    retries: int
    interval: float
    reseed: str = ""
    supersedes: str = ""

    @classmethod
    def parse(cls, line: bytes | str) -> WorkerConfig:
        """The configuration line. Raises :class:`ConfigInvalid`, which never quotes a value."""
        with reading("a link worker"):
            raw = orjson.loads(line)
            timeout = float(raw["timeout"])
            config = cls(
                link=str(raw["link"]),
                epoch=int(raw["epoch"]),
                origin=str(raw["origin"]),
                source=endpoint(raw["source"], timeout),
                target=endpoint(raw["target"], timeout),
                inverse=raw.get("inverse"),
                barrier=raw.get("barrier"),
                batch_size=int(raw["batchSize"]),
                timeout=timeout,
                retries=int(raw["retries"]),
                interval=float(raw["interval"]),
                reseed=str(raw.get("reseed") or ""),
                supersedes=str(raw.get("supersedes") or ""),
            )
        config._check()
        return config

    def _check(self) -> None:
        if self.origin not in ORIGINS:
            raise ConfigInvalid(f"origin must be one of {', '.join(ORIGINS)}")
        if self.origin == "handover" and not (self.inverse and self.barrier):
            raise ConfigInvalid("a handover needs inverse and barrier")
        if self.batch_size < 1 or self.timeout <= 0 or self.interval <= 0:
            raise ConfigInvalid("batchSize, timeout and interval must be positive")


@contextmanager
def reading(reader: str) -> Iterator[None]:
    """Around taking a configuration line apart: raises :class:`ConfigInvalid`, which never quotes a value.

    ``reader``: who needs the line, in words.
    """
    try:
        yield
    except KeyError as error:
        raise ConfigInvalid(f"the configuration lacks {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError):
        raise ConfigInvalid(f"the configuration line is not what {reader} needs") from None


def endpoint(raw: dict[str, Any], timeout: float) -> Endpoint:
    """An end as a configuration line holds it. Raises KeyError or TypeError for anything else."""
    return Endpoint(
        uri=raw["uri"],
        user=raw["user"],
        password=raw["password"],
        ca=raw.get("ca"),
        database=raw.get("database") or "neo4j",
        timeout=timeout,
    )
