"""The API server's own record of who asked what: JSON lines, one a request."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from lab.reading import AGENT
from tests.rights import Right

WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Requests:
    """What the API server answered to everybody but kubectl and the lab, in one namespace, from a moment on."""

    def __init__(self, log: Path, namespace: str) -> None:
        self._log, self._namespace = log, namespace
        self._at = log.stat().st_size

    def since(self) -> list[dict[str, Any]]:
        """Every request that has been answered since."""
        with self._log.open("rb") as log:
            log.seek(self._at)
            entries = [json.loads(line) for line in log.read().split(b"\n")[:-1]]
        return [
            entry
            for entry in entries
            if entry.get("objectRef", {}).get("namespace") == self._namespace
            and not entry.get("userAgent", "").startswith(("kubectl", AGENT))
        ]

    def writes(self) -> list[str]:
        """Those that write, as words."""
        return [self._words(entry) for entry in self.since() if entry["verb"] in WRITES]

    def reads(self) -> Counter[str]:
        """How often what was read; a watch that goes on is none."""
        return Counter(self._words(e) for e in self.since() if e["verb"] not in WRITES and e["verb"] != "watch")

    def rights(self) -> set[Right]:
        """What it took to be answered."""
        return {
            (
                what.get("apiGroup", ""),
                "/".join(filter(None, (what["resource"], what.get("subresource")))),
                entry["verb"],
            )
            for entry in self.since()
            if "resource" in (what := entry["objectRef"])
        }

    @staticmethod
    def _words(entry: dict[str, Any]) -> str:
        what = entry["objectRef"]
        parts = [entry["verb"], what.get("resource"), what.get("subresource"), what.get("name")]
        return " ".join(part for part in parts if part)
