"""The check: a process of its own that shares no code with the operator.

``python -m demo.check`` reads one JSON object from standard input and compares both databases, element by element, with
what the writer's log of acknowledgements says they must hold. Exit code 0 only if everything is as it must be.

- ``{"mode": "same"}``: every acknowledged transaction is in both databases, and both graphs are the log replayed.
- ``{"mode": "failover", "survivor", "returned", "claimed"}``: ``returned`` was killed and is back. What the survivor
  lacks of the acknowledged transactions is exactly the end of what was acknowledged by the killed one; together with
  those in doubt it is as many as the operator counted (``claimed``); each graph is the log replayed with what it holds.

Both need ``log`` (path), ``sites`` (name to address, see ``connect``), ``names`` (name to what people call it), and
``within``: seconds that the standby may take to hold the newest transaction.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import neo4j

from demo import connect, graph, ledger
from demo.ledger import Entry

SHOWN = 8
"""Differences that are named."""


@dataclass
class Findings:
    """What was found: sentences for people, and whether all is well."""

    lines: list[str]
    failures: int = 0

    def well(self, line: str) -> None:
        """As it must be."""
        self.lines.append(f"ok    {line}")

    def wrong(self, line: str) -> None:
        """Not as it must be."""
        self.failures += 1
        self.lines.append(f"WRONG {line}")

    def expect(self, holds: bool, well: str, wrong: str) -> None:
        """One or the other."""
        self.well(well) if holds else self.wrong(wrong)


class Check:
    """One comparison of both databases with the log."""

    def __init__(self, config: dict[str, Any], drivers: dict[str, neo4j.Driver]) -> None:
        self._names: dict[str, str] = config["names"]
        self._config, self._drivers = config, drivers
        self._entries = ledger.read(Path(config["log"]))
        self._acknowledged = ledger.acknowledged(self._entries)
        self.findings = Findings([])

    def run(self) -> Findings:
        """Compare; the findings."""
        held = self._await_newest() if self._config["mode"] == "same" else self._held()
        self.findings.well(self._told(set().union(*held.values())))
        if self._config["mode"] == "same":
            for site, present in held.items():
                self._nothing_missing(site, present)
            one, two = held.values()
            if one ^ two:
                self.findings.wrong(f"only one side holds the transactions {_some(sorted(one ^ two))}")
        else:
            self._suffix(held[self._config["survivor"]], held[self._config["returned"]])
        for site, present in held.items():
            self._same_graph(site, present)
        return self.findings

    def _told(self, held: set[int]) -> str:
        """What the log says, in words."""
        said = f"the log holds {len(self._acknowledged):,} acknowledged transactions"
        doubtful = {entry.n for entry in self._entries if entry.outcome in (None, "doubtful")}
        if not doubtful:
            return said
        return f"{said}, and {len(doubtful)} in doubt, of which {len(doubtful & held)} were committed"

    def _held(self) -> dict[str, set[int]]:
        return {site: graph.numbers(driver) for site, driver in self._drivers.items()}

    def _await_newest(self) -> dict[str, set[int]]:
        """What both hold, once they hold the newest acknowledged transaction or the time is over."""
        deadline = time.monotonic() + float(self._config["within"])
        newest = self._acknowledged[-1].n if self._acknowledged else None
        while True:
            held = self._held()
            there = newest is None or all(newest in numbers for numbers in held.values())
            if there or time.monotonic() > deadline:
                return self._held()  # what came together with the newest, a read that was under way may have passed by
            time.sleep(0.1)

    def _nothing_missing(self, site: str, present: set[int]) -> None:
        missing = [entry.n for entry in self._acknowledged if entry.n not in present]
        name = self._names[site]
        self.findings.expect(
            not missing,
            f"{name}: not one acknowledged transaction is missing",
            f"{name}: acknowledged transactions missing: {len(missing)} ({_some(missing)})",
        )

    def _suffix(self, survivor: set[int], returned: set[int]) -> None:
        """What was lost is the end of what the killed site had, and as much as the operator says."""
        name, killed = self._names[self._config["survivor"]], self._config["returned"]
        lost = [entry.n for entry in self._acknowledged if entry.n not in survivor]
        tail = self._tail(killed)
        self.findings.expect(
            lost == tail[len(tail) - len(lost) :],
            f"{name}: acknowledged transactions lost: {len(lost)}"
            + (f", exactly the last of {self._names[killed]}" if lost else ""),
            f"{name}: lost {_some(lost)}, which is not the end of what {self._names[killed]} acknowledged",
        )
        absent = [n for n in tail if n not in returned]
        self.findings.expect(
            not absent,
            f"{self._names[killed]}: came back with everything it had acknowledged",
            f"{self._names[killed]}: came back without {_some(absent)}",
        )
        beyond = sorted(returned - survivor)
        held = sorted(returned)
        self.findings.expect(
            beyond == held[len(held) - len(beyond) :],
            f"{name}: took over a prefix of {self._names[killed]}, nothing in between is missing",
            f"{name}: lacks {_some(beyond)} of {self._names[killed]}, which is not its end",
        )
        claimed = self._config["claimed"]
        self.findings.expect(
            claimed == len(beyond),
            f"transactions lost by the operator's count: {claimed}, and by ours (those in doubt included)",
            f"transactions lost by the operator's count: {claimed}, but by ours {len(beyond)} ({_some(beyond)})",
        )

    def _tail(self, killed: str) -> list[int]:
        """Numbers that the killed site acknowledged in its last reign, in order."""
        tail: list[int] = []
        reigns = False
        for entry in reversed(self._acknowledged):
            reigns = reigns or entry.site == killed
            if reigns and entry.site != killed:
                break
            if reigns:
                tail.append(entry.n)
        return tail[::-1]

    def _same_graph(self, site: str, present: set[int]) -> None:
        replayed: list[Entry] = [entry for entry in self._entries if entry.n in present]
        expected, found = graph.Replay().graph(replayed), graph.dump(self._drivers[site])
        unknown = present - {entry.n for entry in self._entries}
        name = self._names[site]
        if unknown:
            self.findings.wrong(f"{name}: holds transactions that were never sent: {_some(sorted(unknown))}")
        wrong = sorted(graph.differences(expected, found))
        if not wrong:
            self.findings.well(f"{name}: {found.size}, each as the log says to the last bit")
            return
        self.findings.wrong(f"{name}: elements not as the log says: {len(wrong)}")
        self.findings.lines += [f"      {line[:300]}" for line in wrong[:SHOWN]]


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "") if numbers else "none"


def main(source: TextIO, sink: TextIO) -> int:
    """Run the check that is described on ``source``; findings go to ``sink``."""
    config = json.load(source)
    drivers = {site: connect.driver(address) for site, address in config["sites"].items()}
    try:
        findings = Check(config, drivers).run()
    finally:
        for driver in drivers.values():
            driver.close()
    sink.write("\n".join(findings.lines) + "\n")
    return 1 if findings.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
