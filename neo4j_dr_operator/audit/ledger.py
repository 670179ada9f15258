"""The auditor's ledger: which object was read when, and what of it counts for the window (pure).

It lies in the archive as one gzip member of JSON, in columns, and may be lost: then everything is read anew. See
docs/archive-format.md, "What an auditor keeps".
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any, cast

import orjson

from neo4j_dr_operator.audit.facts import Content, Copy, Finding, Mark, Piece, Place
from neo4j_dr_operator.audit.window import Chapter
from neo4j_dr_operator.backup.names import SnapshotName, in_order

FORMAT, VERSION = "neo4j-dr-audit", 1


def name(archive: str) -> str:
    """The ledger's name below the location's path; ``archive`` is ``<namespace>/<name>``."""
    return f"{archive}/audit.json.gz"


@dataclass
class Ledger:
    """One archive. Times in seconds since 1970.

    ``at``: when an auditor last looked; ``listed``: when everything was last listed; ``done``: the request that was
    carried out last; ``doing``: the one under way, begun at ``since``. ``pieces``: segments in order, by epoch and
    number. ``tails``: the highest number seen in each epoch. ``findings``: by name of the object; ``noted``: whether
    the archive's note of what is damaged names anything. ``rules``: whether the store told of its rules that delete;
    ``pruned``: whether retention was to delete anything then.
    """

    at: int = 0
    listed: int = 0
    done: str = ""
    doing: str = ""
    since: int = 0
    pieces: dict[int, dict[int, Piece]] = field(default_factory=dict)
    tails: dict[int, int] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    copies: dict[SnapshotName, Copy] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    noted: bool = False
    rules: bool = True
    pruned: bool = True

    def begin(self, request: str, now: int) -> bool:
        """Take in what is asked for, empty for nothing; whether it is still to be done."""
        if not request or request == self.done:
            return False
        if request != self.doing:
            self.doing, self.since = request, now
        return True

    def end(self, request: str) -> None:
        """It has been done."""
        self.done, self.doing, self.since = request or self.done, "", 0

    @property
    def objects(self) -> int:
        """Segments, manifests, chunks and amendments."""
        return sum(map(len, self.pieces.values())) + len(self.copies) + len(self.contents)

    @property
    def size(self) -> int:
        """Bytes of those that were read."""
        held = [piece.size for pieces in self.pieces.values() for piece in pieces.values()]
        return sum(held) + sum(copy.size for copy in self.copies.values()) + sum(c.size for c in self.contents.values())

    def ages(self) -> Iterator[int]:
        """Since when nobody has looked at each object."""
        yield from (piece.at for pieces in self.pieces.values() for piece in pieces.values())
        yield from (copy.at for copy in self.copies.values())
        yield from (content.since for content in self.contents.values())

    def database(self, name: SnapshotName) -> str:
        """Whose a snapshot is; one that is not known, or not any more, stands for itself: its time tells of it."""
        copy = self.copies.get(name)
        return copy.database if copy is not None else str(name)

    def chapters(self, bad: dict[int, dict[int, str]]) -> list[Chapter]:
        """The epochs for the window. ``bad``: segments that cannot be used, by epoch and number."""
        epochs = sorted(set(self.pieces) | set(self.tails) | {copy.epoch for copy in self.copies})
        order = [self.copies[name] for name in in_order(self.copies, self.database)]
        return [
            Chapter(
                epoch=epoch,
                pieces=self.pieces.get(epoch, {}),
                bad=bad.get(epoch, {}),
                copies=[copy for copy in order if copy.name.epoch == epoch and not copy.lacking],
                mark=self.marks.get(epoch),
                tail=self.tails.get(epoch, 0),
            )
            for epoch in epochs
        ]

    def encode(self) -> bytes:
        """The object's bytes."""
        made = {
            "format": FORMAT,
            "version": VERSION,
            "at": self.at,
            "listed": self.listed,
            "done": self.done,
            "doing": self.doing,
            "since": self.since,
            "noted": self.noted,
            "rules": self.rules,
            "pruned": self.pruned,
            "epochs": [_epoch(epoch, self.pieces.get(epoch, {}), tail) for epoch, tail in sorted(self.tails.items())],
            "watermarks": {str(epoch): asdict(mark) for epoch, mark in self.marks.items()},
            "snapshots": [_copied(copy) for copy in self.copies.values()],
            "contents": _contents(self.contents),
            "findings": [asdict(finding) for finding in self.findings.values()],
        }
        return gzip.compress(orjson.dumps(made), 6, mtime=0)

    @classmethod
    def decode(cls, data: bytes) -> Ledger | None:
        """From an object's bytes; None for what cannot be read, or is of another version."""
        try:
            raw = orjson.loads(gzip.decompress(data))
            if (raw["format"], raw["version"]) != (FORMAT, VERSION):
                return None
            copies = [_copy(dict(item)) for item in raw["snapshots"]]
            return cls(
                at=int(raw["at"]),
                listed=int(raw["listed"]),
                done=str(raw["done"]),
                doing=str(raw["doing"]),
                since=int(raw["since"]),
                noted=bool(raw["noted"]),
                rules=bool(raw.get("rules", True)),
                pruned=bool(raw.get("pruned", True)),
                pieces={item["epoch"]: _pieces(item) for item in raw["epochs"]},
                tails={item["epoch"]: item["tail"] for item in raw["epochs"]},
                marks={int(epoch): Mark(**mark) for epoch, mark in raw["watermarks"].items()},
                copies={copy.name: copy for copy in copies},
                contents=_held(raw["contents"]),
                findings={item["name"]: Finding(**item) for item in raw["findings"]},
            )
        except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError):
            return None


# -- columns: numbers that rise as differences, which compress well ----------------------------------------------------


def _deltas(values: Sequence[int]) -> list[int]:
    return [value - before for before, value in zip([0, *values], values, strict=False)]


def _sums(deltas: Iterable[int]) -> list[int]:
    return list(accumulate(deltas))


def _epoch(epoch: int, held: dict[int, Piece], tail: int) -> dict[str, Any]:
    pieces = [held[number] for number in sorted(held)]
    databases = sorted({piece.database for piece in pieces})
    ends = [piece.end for piece in pieces]
    begins: list[Place | None] = []
    previous: list[str | None] = []
    for before, piece in zip([None, *pieces], pieces, strict=False):
        begins.append(None if before is not None and before.end == piece.begin else piece.begin)
        previous.append(None if before is not None and before.sha256 == piece.previous else piece.previous)
    return {
        "epoch": epoch,
        "tail": tail,
        "databases": databases,
        "number": _deltas([piece.number for piece in pieces]),
        "database": [databases.index(piece.database) for piece in pieces],
        "from": begins,
        "to": [_deltas([end[part] for end in ends]) for part in range(3)],
        "covered": _deltas([piece.covered for piece in pieces]),
        "last": [None if piece.last is None else piece.covered - piece.last for piece in pieces],
        "created": _deltas([piece.created for piece in pieces]),
        "sha256": [piece.sha256 for piece in pieces],
        "previous": previous,
        "start": [piece.start for piece in pieces],
        "regressed": [piece.number for piece in pieces if piece.regressed],
        "size": [piece.size for piece in pieces],
        "at": _deltas([piece.at for piece in pieces]),
    }


def _pieces(raw: dict[str, Any]) -> dict[int, Piece]:
    made: dict[int, Piece] = {}
    ends = list(zip(*(_sums(column) for column in raw["to"]), strict=True))
    rows = zip(
        _sums(raw["number"]),
        raw["database"],
        raw["from"],
        ends,
        _sums(raw["covered"]),
        raw["last"],
        _sums(raw["created"]),
        raw["sha256"],
        raw["previous"],
        raw["start"],
        raw["size"],
        _sums(raw["at"]),
        strict=True,
    )
    before: Piece | None = None
    for number, database, begin, end, covered, last, created, sha256, previous, start, size, at in rows:
        before = made[number] = Piece(
            number=number,
            database=raw["databases"][database],
            begin=_place(begin) if begin is not None else _known(before).end,
            end=_place(end),
            covered=covered,
            last=None if last is None else covered - last,
            created=created,
            sha256=sha256,
            previous=previous if previous is not None else _known(before).sha256,
            start=start,
            regressed=number in raw["regressed"],
            size=size,
            at=at,
        )
    return made


def _known(piece: Piece | None) -> Piece:
    if piece is None:
        raise ValueError("a column refers to what is not there")
    return piece


def _place(values: Sequence[int]) -> Place:
    return cast("Place", tuple(map(int, values)))


def _copied(copy: Copy) -> dict[str, Any]:
    return {**asdict(copy), "name": list(asdict(copy.name).values())}


def _copy(raw: dict[str, Any]) -> Copy:
    return Copy(**{**raw, "name": SnapshotName(*raw["name"])})


def _contents(contents: dict[str, Content]) -> dict[str, Any]:
    held = sorted(contents.items(), key=lambda item: (item[1].since, item[0]))
    return {
        "sha256": [sha256 for sha256, _ in held],
        "amendments": [index for index, (_, content) in enumerate(held) if content.amendment],
        "seen": _deltas([content.seen for _, content in held]),
        "at": _deltas([content.at for _, content in held]),
        "size": [content.size for _, content in held],
    }


def _held(raw: dict[str, Any]) -> dict[str, Content]:
    amendments = set(raw["amendments"])
    rows = zip(raw["sha256"], _sums(raw["seen"]), _sums(raw["at"]), raw["size"], strict=True)
    return {sha256: Content(index in amendments, seen, at, size) for index, (sha256, seen, at, size) in enumerate(rows)}
