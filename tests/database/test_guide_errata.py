"""What ``docs/guide-errata.md`` says of Neo4j, on a real server: the printed line fails there, the working one works.

Lines are taken from the page and from the guide's blocks, so that what is tried is what is written.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neo4j
import pytest
import yaml

from lab import Lab, Neo4j
from lab.ports import Ports
from tests.database.conftest import Start
from tests.guide import blocks, commands

PAGE = (Path(__file__).parents[2] / "docs" / "guide-errata.md").read_text(encoding="utf-8")


def lines(language: str, tag: str) -> list[str]:
    """The blocks of the page with this language and tag, each one line."""
    return [text.strip() for text in re.findall(rf"^```{language} {tag}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


@pytest.fixture(scope="module")
def web() -> Iterator[tuple[Neo4j, str]]:
    """A server with its HTTP connector on, and the connector's address."""
    ports = Ports()
    address = f"127.0.0.1:{ports.free()}"
    server = Neo4j("web", settings={"server.http.enabled": "true", "server.http.listen_address": address})
    with Lab(server):
        yield server, address
    ports.close()


def shell(line: str, web: tuple[Neo4j, str], *more: str) -> subprocess.CompletedProcess[str]:
    """A line of the page, with the server's own address and password in place of those of the guide."""
    server, address = web
    mine = line.replace("secondary-endpoint:7474", address).replace("neo4j:password", f"neo4j:{server.password}")
    command = ["bash", "-c", f"{mine} {' '.join(more)}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def status_of(path: str, web: tuple[Neo4j, str], *, signed_in: bool) -> str:
    who = "-u neo4j:password" if signed_in else ""
    line = f"curl -s -o /dev/null -w '%{{http_code}}' {who} http://secondary-endpoint:7474{path}"
    return shell(line, web).stdout


def test_the_page_prints_what_the_guide_prints() -> None:
    (curl,) = commands("automated testing", "curl")
    create = commands("point-in-time recovery")[0].split(" <<")[0]
    assert lines("bash", "printed") == [curl, create]
    recovery: dict[str, Any] = yaml.safe_load(blocks()[2].text)
    assert lines("cypher", "printed") == [recovery["spec"]["failover"]["customChecks"][1]["cypherQuery"]]


def test_the_old_rest_path_is_gone(web: tuple[Neo4j, str]) -> None:
    assert shell(lines("bash", "printed")[0], web).returncode == 1
    assert status_of("/db/data/", web, signed_in=False) == "401"
    assert status_of("/db/data/", web, signed_in=True) == "404"


def test_the_working_lines_tell_a_server_that_answers_from_one_that_does_not(web: tuple[Neo4j, str]) -> None:
    answers = [line for line in lines("bash", "works") if line.startswith("curl")]
    assert len(answers) == 2
    for line in answers:
        assert shell(line, web, "-sS").returncode == 0, line
        assert shell(line, (web[0], "127.0.0.1:9"), "-sS").returncode != 0, line
    assert '"fields":["1"]' in shell(answers[1], web, "-sS").stdout
    assert shell(answers[1].replace("neo4j:password", "neo4j:wrong"), web, "-sS").returncode != 0


def test_the_path_for_load_balancers_is_not_in_community(web: tuple[Neo4j, str]) -> None:
    assert status_of("/db/neo4j/cluster/available", web, signed_in=True) == "404"


def test_the_removed_procedure_and_what_lists_databases_now(web: tuple[Neo4j, str]) -> None:
    server = web[0]
    with pytest.raises(neo4j.exceptions.ClientError, match="ProcedureNotFound"):
        server.query(lines("cypher", "printed")[0])
    rows = server.query(lines("cypher", "works")[0])
    assert {"name": "neo4j", "role": "primary", "writer": True, "currentStatus": "online", "replicationLag": 0} in rows


def test_the_lag_query_says_how_old_the_standby_is(source: Neo4j, target: Neo4j, start: Start) -> None:
    query = lines("cypher", "works")[1]
    source.query("CREATE (:__Neo4jDR:__Neo4jDRSite {key: 'site', role: 'primary', epoch: 1})")
    worker = start()
    worker.streaming()
    assert target.query(query) == []
    at = int(time.time() * 1000) - 40_000
    worker.send(do="heartbeat", id=1, epoch=1, at=at)
    worker.wait(lambda report: report["heartbeat"] == at)
    (row,) = target.query(query)
    assert 40 <= row["lagSeconds"] < 60
    assert source.query(query) == []
