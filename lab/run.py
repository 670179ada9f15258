"""A run of the lab on disk: its directory, the record of its processes, and the end of what a dead run left.

``CACHE/runs/ID/run.json`` names the owner (process id and start time) and whether the run is to outlive it;
``processes/NAME.json`` names each process. Three nets catch what a run starts: its own end, the watchdog (a small
process that notices within milliseconds that the owner is gone, however it died), and ``sweep`` at the next start.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab import cache, process
from lab.ports import Ports
from lab.process import Identity

LOGS_KEPT = 20
"""Number of past runs whose logs stay in CACHE/logs."""
SCRATCH_AGE = 4 * 3600.0
"""Seconds after which a build's scratch directory belongs to nobody any more."""
GRACE = 0.0
"""Seconds between SIGTERM and SIGKILL at the end of a run: its data is thrown away, so nothing is worth a wait."""


class Run:
    """One run. Make it with ``Run.begin``; end it with ``close`` (all is thrown away but the logs)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = cache.folder("logs") / path.name
        self.ports = Ports()
        self._watchdog: subprocess.Popen[bytes] | None = None

    @classmethod
    def begin(cls) -> Run:
        """Clear away dead runs, then make a new one that is watched from its first moment."""
        sweep()
        run = cls(cache.folder("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}")
        with cache.locked("runs"):
            run.path.mkdir(mode=0o700)
            run.logs.mkdir(parents=True)
            (run.path / "processes").mkdir()
            run._write(keep=False)
        run._watch()
        return run

    def _write(self, *, keep: bool) -> None:
        me = Identity.of(os.getpid())
        assert me is not None
        _write_json(self.path / "run.json", {"pid": me.pid, "started": me.started, "keep": keep})

    @property
    def watchdog(self) -> int | None:
        """Process id of the watchdog, None when the run is kept or closed."""
        return None if self._watchdog is None else self._watchdog.pid

    def _watch(self) -> None:
        # A pipe is the one sign of death that always comes; PR_SET_PDEATHSIG fires when the *thread* that started a
        # child ends, and the lab starts its components from short-lived threads.
        command = [sys.executable, "-m", "lab.watchdog", str(self.path)]
        root = Path(__file__).resolve().parent.parent
        with (self.logs / "watchdog.log").open("ab") as log:
            self._watchdog = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd=root
            )

    def record(self, name: str, pid: int) -> None:
        """Write a process down."""
        identity = Identity.of(pid)
        if identity is not None:
            _write_json(self.path / "processes" / f"{name}.json", {"pid": pid, "started": identity.started})

    def forget(self, name: str) -> None:
        """A process that was ended."""
        (self.path / "processes" / f"{name}.json").unlink(missing_ok=True)

    def keep(self) -> None:
        """Let the run outlive this process, until ``python -m lab down``."""
        self._write(keep=True)
        self._dismiss()

    def close(self) -> None:
        """End everything the run started and throw its directory away. Can be called again."""
        end(self.path)
        self._dismiss()
        self.ports.close()

    def _dismiss(self) -> None:
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None and watchdog.stdin is not None:
            watchdog.terminate()
            watchdog.wait(10)
            watchdog.stdin.close()


def owner(path: Path) -> tuple[Identity, bool] | None:
    """Owner of a run and whether the run is kept; None when its record cannot be read (it never began)."""
    try:
        record = json.loads((path / "run.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return Identity(record["pid"], record["started"]), bool(record["keep"])


def sweep() -> list[Path]:
    """End what runs whose owner is dead left behind, and return their directories. Kept and living runs stay."""
    swept = []
    with cache.locked("runs"):
        for path in sorted(cache.folder("runs").iterdir()):
            found = owner(path)
            if found is None or not (found[0].alive or found[1]):
                end(path)
                swept.append(path)
        alive = {path.name for path in cache.folder("runs").iterdir()}
        past = sorted(path for path in cache.folder("logs").iterdir() if path.name not in alive)
        for old in past[:-LOGS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        for old in cache.folder("tmp").iterdir():
            if time.time() - old.stat().st_mtime > SCRATCH_AGE:  # of a build that was killed
                shutil.rmtree(old, ignore_errors=True)
    return swept


def kept() -> list[Path]:
    """Directories of the runs that were left running on purpose."""
    found = [(path, owner(path)) for path in sorted(cache.folder("runs").iterdir())]
    return [path for path, record in found if record is not None and record[1]]


def end(path: Path) -> None:
    """End every process of a run, by identity, and remove its directory."""
    recorded = []
    for file in (path / "processes").glob("*.json"):
        try:
            record = json.loads(file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            continue  # its process still carries the run's name in its environment
        recorded.append(Identity(record["pid"], record["started"]))
    process.end(list({*recorded, *process.of_run(path)}), GRACE)
    shutil.rmtree(path, ignore_errors=True)


def _write_json(path: Path, data: dict[str, int | bool]) -> None:
    half = path.with_suffix(".half")
    half.write_text(json.dumps(data))
    half.replace(path)
