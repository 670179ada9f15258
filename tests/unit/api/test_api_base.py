"""Durations, names, addresses, S3 locations: what is accepted, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from neo4j_dr_operator.api.base import Duration, Interval, SpecModel
from neo4j_dr_operator.api.formats import BoltUri, Name
from neo4j_dr_operator.api.storage import S3Location


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("1m500ms", 60.5), ("0s", 0.0)],
)
def test_length_of_a_duration(text: str, seconds: float) -> None:
    assert Duration(text).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 s", "1.5h", "5d", "5S", "123456789s", "12345h", "1s" * 17, "5s\n"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="units h, m, s or ms"):
        Duration(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@given(st.integers(0, 8760), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_duration_keeps_its_text(number: int, unit: str) -> None:
    read = TypeAdapter(Duration).validate_python(f"{number}{unit}")
    assert isinstance(read, Duration)
    assert TypeAdapter(Duration).dump_python(read, mode="json") == f"{number}{unit}"
    assert read.seconds == pytest.approx(number * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit])


@pytest.mark.parametrize(("text", "good"), [("100ms", True), ("1s", True), ("99ms", False), ("0h", False)])
def test_an_interval_is_at_least_100_ms(text: str, good: bool) -> None:
    if good:
        assert Interval(text) == text
    else:
        with pytest.raises(ValueError, match="at least 100ms"):
            Interval(text)


@pytest.mark.parametrize(
    "uri",
    [
        "bolt://localhost:7687",
        "bolt+s://db.us-east-1.example.com",
        "neo4j://10.0.0.7:7687",
        "neo4j+s://primary-cluster.neo4j-production.svc.cluster.local:7687",
        "bolt://[2001:db8::1]:7687",
    ],
)
def test_addresses(uri: str) -> None:
    assert TypeAdapter(BoltUri).validate_python(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "bolt://neo4j:secret@db:7687",
        "bolt+ssc://db:7687",
        "http://db:7474",
        "db:7687",
        "bolt://",
        "bolt://db:7687/path",
        "bolt://db:7687?policy=x",
        "bolt://db :7687",
        "bolt://db:7687\n",
    ],
)
def test_addresses_that_hide_something_are_refused(uri: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(BoltUri).validate_python(uri)


@pytest.mark.parametrize(
    ("name", "good"), [("a", True), ("a-1", True), ("A", False), ("a.b", False), ("-a", False), ("a" * 64, False)]
)
def test_names_are_dns_labels(name: str, good: bool) -> None:
    if good:
        assert TypeAdapter(Name).validate_python(name) == name
    else:
        with pytest.raises(ValidationError):
            TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize(("path", "prefix"), [(None, ""), ("/", ""), ("/logs", "logs"), ("a/b/", "a/b")])
def test_prefix_of_a_location(path: str | None, prefix: str) -> None:
    assert S3Location(type="s3", bucket="neo4j-dr-logs", path=path).prefix == prefix


def test_a_spec_refuses_what_it_does_not_know_and_never_changes() -> None:
    class Example(SpecModel):
        batch_size: int = 1

    with pytest.raises(ValidationError, match="batchsize"):
        Example.read({"batchsize": 2})
    example = Example.read({"batchSize": 2})
    with pytest.raises(ValidationError, match="frozen"):
        example.batch_size = 3
