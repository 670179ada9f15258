"""The search for leaked secrets finds them in every form, and nothing else."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from tests.scenario.leaks import LAST_APPLIED, Evidence, Secret, leaks

VALUE = "p%s\"'\nä <&>canary-93b1"


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        repr(VALUE),
        json.dumps({"password": VALUE}),
        json.dumps({"password": VALUE}, ensure_ascii=False),
        urllib.parse.quote(VALUE),
        base64.b64encode(VALUE.encode()).decode(),
        base64.b64encode(f"neo4j:{VALUE}".encode()).decode(),
        base64.b64encode(f"x{VALUE}y".encode()).decode(),
        base64.b64encode(f"xy{VALUE}".encode()).decode(),
    ],
)
def test_found(text: str) -> None:
    evidence = Evidence()
    evidence.add("log", f"before {text} after")
    assert leaks([Secret("password", VALUE)], evidence) == ["password in log"]


def test_not_found() -> None:
    evidence = Evidence()
    evidence.add("log", VALUE[:-1] + base64.b64encode(VALUE[:-1].encode()).decode())
    assert leaks([Secret("password", VALUE)], evidence) == []


def test_the_users_own_spec() -> None:
    """A URL that the user wrote into a spec may stand there and in what kubectl keeps of it; nothing else may."""
    item = {
        "kind": "Some",
        "metadata": {"name": "one", "annotations": {LAST_APPLIED: VALUE}},
        "spec": {"url": VALUE},
        "status": {},
    }
    evidence = Evidence()
    evidence.add_object(item)
    assert leaks([Secret("url", VALUE, own=True)], evidence) == []
    assert leaks([Secret("url", VALUE)], evidence) == ["url in Some/one (spec)"]
    evidence.add_object({**item, "status": {"control": {"history": [{"reason": f"refused: {VALUE}"}]}}})
    assert leaks([Secret("url", VALUE, own=True)], evidence) == ["url in Some/one"]
    evidence = Evidence()
    evidence.add_object({**item, "metadata": {"name": "one", "annotations": {"last-handled": json.dumps(VALUE)}}})
    assert leaks([Secret("url", VALUE, own=True)], evidence) == ["url in Some/one"]


def test_too_short() -> None:
    with pytest.raises(AssertionError, match="too short"):
        leaks([Secret("password", "neo4j")], Evidence())
