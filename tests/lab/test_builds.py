"""The cache of builds: made once, checked at every use, made again when spoiled; Ctrl-C ends what builds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab_support import eventually

from lab import builds, doctor, image
from lab.builds import recipes, toolchain
from lab.builds.recipes import BuildError, GoProgram, Recipe
from lab.process import RUN_VARIABLE, of_run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Counting(Recipe):
    """A recipe that takes no time and counts how often it is followed."""

    log: str = ""
    fails: bool = False

    def key(self) -> str:
        """Always the same."""
        return "0"

    def build(self, folder: Path, work: Path, needs: Mapping[str, Path]) -> None:
        """Write one file; add a line to the log."""
        with Path(self.log).open("a") as log:
            log.write("built\n")
        (folder / self.name).write_text("content")
        if self.fails:
            raise BuildError("no")


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache and two artifacts: ``thing``, and ``broken``, whose build fails. Gives the log's path."""
    monkeypatch.setenv("NEO4J_DR_CACHE", str(tmp_path / "cache"))
    log = tmp_path / "log"
    monkeypatch.setitem(recipes.RECIPES, "thing", Counting("thing", "no time", "none", (), str(log)))
    monkeypatch.setitem(recipes.RECIPES, "broken", Counting("broken", "no time", "none", (), str(log), True))
    builds.intact.cache_clear()
    yield log
    builds.intact.cache_clear()


def times(log: Path) -> int:
    """How often something was built."""
    return len(log.read_text().splitlines())


def test_an_artifact_is_built_once_by_however_many_ask(counting: Path) -> None:
    """Eight threads at once: one build, the same directory for all."""
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(builds.program("thing"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert times(counting) == 1
    assert len(set(found)) == 1
    assert found[0].read_text() == "content"


@pytest.mark.parametrize("spoil", ["changed", "removed", "unfinished"])
def test_a_spoiled_artifact_is_built_again(counting: Path, spoil: str) -> None:
    """A changed or missing file, or a build that never finished, is not used."""
    path = builds.program("thing")
    match spoil:
        case "changed":
            path.write_text("c0ntent")
        case "removed":
            path.unlink()
        case _:
            (path.parent / builds.SUMS).unlink()
    builds.intact.cache_clear()  # as a new process
    assert builds.program("thing").read_text() == "content"
    assert times(counting) == 2


def test_builds_that_nobody_uses_any_more_are_forgotten(counting: Path) -> None:
    """After two weeks without use, when a newer one has been made; another artifact's stay."""
    folder = builds.program("thing").parent.parent
    for name, age in (
        ("thing-00000000000000aa", 15),
        ("thing-00000000000000bb", 13),
        ("thing-two-00000000000000cc", 15),
    ):
        (folder / name).mkdir()
        (folder / name / builds.SUMS).touch()
        os.utime(folder / name / builds.SUMS, (time.time() - age * 86400,) * 2)
    (folder / "thing-0" / builds.SUMS).unlink()
    builds.intact.cache_clear()
    builds.program("thing")
    assert {path.name for path in folder.iterdir()} == {
        "thing-0",
        "thing-00000000000000bb",
        "thing-two-00000000000000cc",
    }


def test_a_failed_build_leaves_nothing_that_is_used(counting: Path) -> None:
    """It fails each time anew."""
    for _ in range(2):
        with pytest.raises(BuildError):
            builds.ensure(["broken"])
    assert times(counting) == 2


def test_a_key_changes_with_pins_flags_and_toolchain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can change the result changes the key."""
    base = recipes.RECIPES["etcd"]
    assert isinstance(base, GoProgram)
    keys = {base.key(), recipes.RECIPES["etcdctl"].key()}
    keys.add(GoProgram(base.name, "", "go", (), base.module, base.package, ("-race",)).key())
    keys.add(GoProgram(base.name, "", "go", (), "toxiproxy", base.package, base.flags).key())
    monkeypatch.setattr(toolchain, "go_version", lambda: "go1.99.0")
    keys.add(base.key())
    assert len(keys) == 5


def test_pins_are_complete() -> None:
    """``go`` accepts each module as it is, without adding to go.mod or go.sum."""
    for module in ("etcd", "helm", "kube", "minio", "toxiproxy", "versitygw"):
        programs = [r for r in recipes.RECIPES.values() if isinstance(r, GoProgram) and r.module == module]
        command = [toolchain.go(), "list", "-deps", *(program.package for program in programs)]
        recipes.run(command, recipes.HERE / module, toolchain.go_environment())


def test_an_interrupted_build_ends_its_tool(tmp_path: Path) -> None:
    """SIGTERM of ``python -m lab build``: the tool it started, and what that started, are gone within 5 s."""
    tools = tmp_path / "tools"
    tools.mkdir()
    sleeper = tools / "mvn"
    sleeper.write_text(f"#!/bin/sh\necho > {tmp_path}/started\nsleep 300\n")
    sleeper.chmod(0o700)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "NEO4J_DR_CACHE": str(tmp_path / "cache"),
        RUN_VARIABLE: str(tmp_path),
    }
    command = [sys.executable, "-m", "lab", "build", "neo4j"]
    build = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    try:
        eventually((tmp_path / "started").exists, 10, "the tool runs")
        assert len(of_run(tmp_path)) >= 3
        build.send_signal(signal.SIGTERM)
        assert build.wait(5) == 130
        eventually(lambda: not of_run(tmp_path), 5, "all are gone")
    finally:
        build.kill()
        build.communicate(timeout=10)


def test_the_doctor_names_each_missing_tool_and_touches_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line per tool: name, version wanted, how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("NEO4J_DR_CACHE", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    toolchain.go_version.cache_clear()
    try:
        assert doctor.main(install=False) == 1
    finally:
        toolchain.go_version.cache_clear()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines] == ["go", "java", "maven"]
    assert all(" - " in line for line in lines)


def test_the_image_layer_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root first, then each tool by name, with the way to get it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert image.why_not() == "building and starting the image takes root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "_system", lambda name: None)
    assert image.why_not() == "missing: buildah, debootstrap (python -m lab doctor --image)"


def test_the_image_is_built_anew_when_something_in_it_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file of the package, the list of packages, the Dockerfile: another key each; bytecode: the same."""
    for name in (*image.CONTEXT, "neo4j_dr_operator/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(image, "ROOT", tmp_path)
    keys = [image.IMAGE.key()]
    for name in ("neo4j_dr_operator/a.py", "requirements.txt", "Dockerfile"):
        (tmp_path / name).write_text("2")
        keys.append(image.IMAGE.key())
    assert len(set(keys)) == 4
    (tmp_path / "neo4j_dr_operator/__pycache__").mkdir()
    (tmp_path / "neo4j_dr_operator/__pycache__/a.pyc").write_text("3")
    assert image.IMAGE.key() == keys[-1]
