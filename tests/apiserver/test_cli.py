"""`kubectl neo4j-dr` as its users run it: through kubectl, against a real API server, with their own rights."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator

import pytest
import yaml

from tests.apiserver.cli_terminal import (
    FINE,
    ROOT,
    SLOW,
    UNHEALTHY,
    UNREADABLE,
    USAGE,
    Space,
    Terminal,
    opened,
)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with opened(tmp_path_factory.mktemp("cli")) as terminal:
        yield terminal


@pytest.fixture
def space(terminal: Terminal) -> Space:
    return Space(terminal)


def error_of(done: subprocess.CompletedProcess[str], code: int = UNREADABLE) -> str:
    """The one line on standard error, with nothing on standard output."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# -- through kubectl ---------------------------------------------------------------------------------------------------


def test_the_package_installs_the_plugin_under_the_names_that_kubectl_looks_for() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for program in ("kubectl-neo4j_dr", "kubectl_complete-neo4j_dr"):
        module, _, name = scripts[program].partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_kubectl_lists_the_plugin_and_hands_its_exit_code_on(space: Space) -> None:
    listed = space.terminal.run(space.kubeconfig, "plugin", "list")
    assert "kubectl-neo4j_dr" in listed.stdout
    version = space.dr("version")
    assert (version.returncode, version.stdout.split()[0]) == (FINE, "neo4j-dr")
    assert space.dr("status", "--nonsense").returncode == USAGE


def test_kubectl_completes_commands_options_and_names(space: Space) -> None:
    space.pair("east")
    space.pair("west")

    def proposed(*words: str) -> list[str]:
        done = space.terminal.run(space.kubeconfig, "__complete", "neo4j-dr", *words)
        return [line for line in done.stdout.splitlines() if not line.startswith(":")]

    assert proposed("st") == ["status"]
    assert proposed("status", "--wa") == ["--watch"]
    assert proposed("status", "-o", "") == ["json", "yaml"]
    assert proposed("status", "") == ["east", "west"]
    assert proposed("status", "w") == ["west"]
    assert proposed("status", "west", "") == []
    assert proposed("status", "-n", space.name, "ea") == ["east"]


def test_one_picture_with_the_next_step(space: Space) -> None:
    space.pair()
    new = space.dr("status", "dr")
    assert new.returncode == UNHEALTHY
    assert "No operator has looked at this resource yet" in new.stdout
    space.well()
    well = space.dr("status", "dr")
    assert well.returncode == FINE, well.stdout
    first, *rest = well.stdout.splitlines()
    assert first == f"{space.name}/dr   Replicating   epoch 1   HEALTHY"
    picture = "\n".join(rest)
    for part in (
        "Nothing to do.",
        "ACTIVE   primary    dr-primary    us-east-1  UP",
        "primary -> secondary   streaming",
    ):
        assert part in picture
    assert "\x1b" not in well.stdout, "no colours in a pipe"
    assert space.dr("status").stdout.splitlines()[0] == first, "the only one needs no name"


def test_a_line_each_where_there_are_more(space: Space) -> None:
    for name in ("east", "west"):
        space.pair(name)
    space.well("east")
    done = space.dr("status")
    assert done.returncode == UNHEALTHY
    head, east, west = done.stdout.splitlines()
    assert head.split()[:3] == ["NAME", "HEALTH", "PHASE"]
    assert east.split()[:3] == ["east", "healthy", "Replicating"]
    assert west.split()[:3] == ["west", "not", "healthy"]
    everywhere = space.dr("status", "-A").stdout
    assert re.search(rf"^{space.name} +east +healthy", everywhere, re.MULTILINE)


def test_documents_for_programs(space: Space) -> None:
    space.pair()
    space.well()
    done = space.dr("status", "dr", "-o", "json")
    one = json.loads(done.stdout)
    assert (done.returncode, one["kind"], one["summary"]["healthy"]) == (FINE, "DisasterRecoveryReport", True)
    assert [body["metadata"]["name"] for body in one["clusters"]] == ["dr-primary", "dr-secondary"]
    same = yaml.safe_load(space.dr("status", "dr", "-o", "yaml").stdout)
    assert same == one
    many = json.loads(space.dr("status", "-o", "json").stdout)
    assert (many["kind"], many["items"]) == ("DisasterRecoveryReportList", [one])


def test_an_empty_namespace_is_an_empty_list_for_programs_and_a_sentence_for_people(space: Space) -> None:
    assert json.loads(space.dr("status", "-o", "json").stdout)["items"] == []
    assert f"no disaster recovery resource in namespace {space.name}" in error_of(space.dr("status"))


def test_a_hostile_message_reaches_no_terminal(space: Space) -> None:
    space.pair()
    space.well(message="\x1b[2J\x1b]0;owned\x07fine")
    for words in (("status",), ("status", "dr", "-o", "json"), ("status", "dr", "-o", "yaml"), ("status", "-A")):
        assert "\x1b" not in space.dr(*words).stdout
    assert "\\x1b[2J" in space.dr("status").stdout


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_an_api_server_without_the_kind(terminal: Terminal) -> None:
    assert terminal.bare is not None
    assert "this API server has no neo4jdisasterrecoveries.neo4j.neo4j.com: install" in error_of(terminal.bare)


def test_a_name_that_is_not_there_names_those_that_are(space: Space) -> None:
    assert "there is no disaster recovery resource in namespace" in error_of(space.dr("status", "east"))
    space.pair("west")
    said = error_of(space.dr("status", "east"))
    assert said == f"error: there is no east in namespace {space.name}; there is: west\n"
    assert error_of(space.dr("status", "east", "-w")).startswith("error: there is no east")


def test_a_cluster_that_is_not_there_is_shown_as_such(space: Space) -> None:
    space.pair()
    space.well()
    space.plane.kubectl("-n", space.name, "delete", "n4c", "dr-secondary")
    done = space.dr("status", "dr")
    assert done.returncode == UNHEALTHY
    assert "cluster dr-secondary: does not exist in this namespace" in done.stdout


def test_without_rights(space: Space) -> None:
    space.pair()
    space.well()
    nobody = space.person()
    said = error_of(space.terminal.run(nobody, "neo4j-dr", "status", "dr"))
    assert said.startswith("error: you may not do this: ")
    assert "cannot get resource" in said
    for _ in range(5):  # both watches are refused at once: one may still be in the client while the other ends it all
        assert "you may not do this" in error_of(space.terminal.run(nobody, "neo4j-dr", "status", "-w"))


def test_with_few_rights_as_much_as_they_allow(space: Space) -> None:
    space.pair()
    space.well()
    reader = space.person("get,list,watch neo4jdisasterrecoveries")
    done = space.terminal.run(reader, "neo4j-dr", "status", "dr")
    assert "ACTIVE   primary    dr-primary" in done.stdout
    assert "cluster dr-primary: cannot be read: you may not get or list it" in done.stdout
    assert done.returncode == UNHEALTHY


def test_reading_one_needs_no_more_than_get(space: Space) -> None:
    space.pair()
    space.well()
    reader = space.person("get neo4jdisasterrecoveries,neo4jenterpriseclusters")
    assert space.terminal.run(reader, "neo4j-dr", "status", "dr").returncode == FINE
    said = error_of(space.terminal.run(reader, "neo4j-dr", "status", "west"))
    assert "and you may not list which there are" in said


def test_a_token_that_is_not_known(space: Space) -> None:
    config = space.terminal.home / "stale.kubeconfig"
    space.write_config(config, token="stale")
    assert "the API server does not know you: sign in again" in error_of(
        space.terminal.run(config, "neo4j-dr", "status")
    )


def test_without_a_kubeconfig_or_with_a_wrong_one(space: Space) -> None:
    broken = space.terminal.home / "broken.kubeconfig"
    broken.write_text("contexts: [{{{")
    for config in ("/does/not/exist", str(broken)):
        said = error_of(space.terminal.run(space.kubeconfig, "neo4j-dr", "status", "--kubeconfig", config))
        assert "no usable kubeconfig" in said
        assert "--kubeconfig" in said
    assert "no usable kubeconfig" in error_of(space.dr("status", "--context", "elsewhere"))
    assert "no usable kubeconfig" in error_of(space.terminal.run("", "neo4j-dr", "status"))


def test_an_api_server_that_does_not_answer(space: Space) -> None:
    config = json.loads(space.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = space.terminal.home / "nobody.kubeconfig"
    path.write_text(json.dumps(config))
    said = error_of(space.terminal.run(path, "neo4j-dr", "status"))
    assert "the API server at https://127.0.0.1:1 cannot be reached: connection refused" in said


def test_a_reader_who_leaves_early_is_no_error(space: Space) -> None:
    for name in ("a", "b", "c"):
        space.pair(name)
    done = subprocess.run(
        ["bash", "-c", "kubectl neo4j-dr status -o yaml | head -n 1; sleep 0.1"],
        env=space.terminal.environment(space.kubeconfig),
        capture_output=True,
        text=True,
        timeout=SLOW,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("apiVersion: cli.neo4j.neo4j.com/v1alpha1\n", "")
