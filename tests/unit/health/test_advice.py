"""One sentence: what is wrong, where, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.health.advice import ADVICE, Place, explain, of_link
from neo4j_dr_operator.reporting.causes import DECIDED

PLACE = Place("east", "bolt+s://east:7687", "spec.external.uri", "east", "east-admin", "east-ca")


@pytest.mark.parametrize("reason", sorted(ADVICE))
def test_every_advice_names_where_and_what(reason: str) -> None:
    said = explain(reason, "it is wrong", PLACE)
    assert said.startswith("east at bolt+s://east:7687: it is wrong; ")
    assert "{" not in said
    assert len(said) < 400


def test_places_are_called_by_what_people_wrote() -> None:
    assert "Secret east-admin" in explain("AuthenticationFailed", "x", PLACE)
    assert "ca.crt of Secret east-ca" in explain("CertificateUntrusted", "x", PLACE)
    assert "external.caSecret" in explain("CertificateUntrusted", "x", Place("east"))
    assert "spec.external.uri of east" in explain("HostUnknown", "x", PLACE)
    assert "the Service of east" in explain("HostUnknown", "x", Place("east"))
    assert explain("SomethingElse", "x", Place("east")) == "east: x"


@pytest.mark.parametrize(
    ("reason", "end", "bare"),
    [
        ("SourceAuthFailed", "source", "AuthenticationFailed"),
        ("TargetAuthFailed", "target", "AuthenticationFailed"),
        ("SourceUnreachable", "source", "DatabaseUnreachable"),
        ("TargetReadOnly", "target", "ReadOnlyRefused"),
        ("SourceCertificateExpired", "source", "CertificateExpired"),
        ("TargetNotEmpty", "target", "TargetNotEmpty"),
        ("TargetAltered", "target", "TargetAltered"),
        ("ChangeCaptureDisabled", "source", "ChangeCaptureDisabled"),
        ("SameDatabase", "target", "SameDatabase"),
    ],
)
def test_a_links_reason_says_which_end_it_speaks_of(reason: str, end: str, bare: str) -> None:
    assert of_link(reason) == (end, bare)


ROOT = Path(__file__).parents[3]
SENTENCES = re.compile(r'"([A-Z][A-Za-z]+): ')
"""A reason before its sentence, as the machine says them."""


def test_every_reason_has_a_row_in_the_troubleshooting_page() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = {
        word for line in page.splitlines() if line[:1] == "|" for word in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    rooms = ROOT / "neo4j_dr_operator" / "failover"
    said = {word for name in ("votes.py", "adoption.py") for word in SENTENCES.findall((rooms / name).read_text())}
    assert len(said) > 8
    kinds = {kind.reason for kind in errors.CertificateRejected.__subclasses__()}
    assert sorted((set(ADVICE) | set(DECIDED) | said | kinds) - rows - {"Adopted"}) == []
