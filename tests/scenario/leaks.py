"""Where secrets must not be (P8), and a look whether they are there.

A world's secrets are looked for, in every form in which they could be written down, in everything that the operator
produced: resources, events, annotations and their managed fields, logs of operator and workers, metrics, command lines
and environments of its processes. Values are never shown in a finding.
"""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SHORTEST = 12
"""Shorter values are found by chance: a secret of a test must be at least so long."""


@dataclass(frozen=True)
class Secret:
    """One value that must not be seen. `own`: the user wrote it into the spec, where alone it may stand."""

    name: str
    value: str
    own: bool = False

    def forms(self) -> set[str]:
        """The value as it could be written: raw, in JSON, in a URL, as Python shows it, in base64 at any offset."""
        value = self.value
        assert len(value) >= SHORTEST, f"{self.name} is too short to be looked for"
        shown = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
        shown |= {urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value), html.escape(value)}
        shown |= {json.dumps(form)[1:-1] for form in list(shown)}
        return shown | {_encoded(value.encode(), offset) for offset in range(3)}


def _encoded(value: bytes, offset: int) -> str:
    """The characters of a base64 text that `value` alone determines where it stands at `offset` modulo 3."""
    whole = base64.b64encode(b"\0" * offset + value).decode()
    return whole[-(-8 * offset // 6) : 8 * (offset + len(value)) // 6]


@dataclass
class Evidence:
    """Texts by where they were found. `specs`: places where a user's own spec stands."""

    texts: dict[str, str] = field(default_factory=dict)
    specs: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, text: str) -> None:
        """One more text; a place may be seen more than once."""
        self.texts[place] = self.texts.get(place, "") + "\n" + text

    def add_object(self, item: dict[str, Any]) -> None:
        """A Kubernetes object: its spec and what kubectl keeps of it are the user's own words, all else is ours."""
        meta = item.get("metadata") or {}
        place = f"{item.get('kind')}/{meta.get('name')}"
        annotations = dict(meta.get("annotations") or {})
        own = {"spec": item.get("spec"), "applied": annotations.pop(LAST_APPLIED, None)}
        rest = {**item, "metadata": {**meta, "annotations": annotations}, "spec": None}
        self.add(place, json.dumps(rest, ensure_ascii=False))
        self.specs[f"{place} (spec)"] = json.dumps(own, ensure_ascii=False)


def leaks(secrets: Iterable[Secret], evidence: Evidence) -> list[str]:
    """`NAME in PLACE` of everything that was found."""
    found = []
    for secret in secrets:
        forms = secret.forms()
        places = evidence.texts if secret.own else {**evidence.texts, **evidence.specs}
        found += [f"{secret.name} in {place}" for place, text in places.items() if any(form in text for form in forms)]
    return found


def family(pid: int) -> Iterator[int]:
    """A living process and its children, and theirs."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _text(children).split():
            yield from family(int(child))


def process_texts(pid: int) -> Iterator[tuple[str, str]]:
    """Command line and environment of a process and its family, each with a name."""
    for number in family(pid):
        for what in ("cmdline", "environ"):
            yield f"{what} of a process of the operator", _text(Path(f"/proc/{number}/{what}"))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:  # gone meanwhile
        return ""
