"""Reasons of a worker's end: what waits for somebody to mend it, and what is final."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import neo4j_dr_operator
from neo4j_dr_operator.errors import DrError
from neo4j_dr_operator.health.advice import ADVICE
from neo4j_dr_operator.restore import outcome
from neo4j_dr_operator.restore.refusals import RestoreRefused
from neo4j_dr_operator.shipping.reading import ArchiveBroken

FINAL = {
    "TargetNotEmpty",
    "ChangeCaptureDisabled",
    "NotSupported",
    "SameDatabase",
    "UnsupportedIds",
    "WorkerNotStarted",
}
"""What has advice elsewhere and is final here: it is a refusal, or cannot come up."""


def every(kind: type[DrError]) -> set[type[DrError]]:
    """An error and its subclasses in the whole package."""
    for module in pkgutil.walk_packages(neo4j_dr_operator.__path__, "neo4j_dr_operator."):
        if "__main__" not in module.name:
            import_module(module.name)
    return {kind}.union(*(every(each) for each in kind.__subclasses__()))


def test_what_waits_is_the_reason_of_an_error() -> None:
    known = {each.reason for each in every(DrError)}
    assert set(outcome.MENDABLE) - known == set()


@pytest.mark.parametrize("kind", [RestoreRefused, ArchiveBroken])
def test_refusals_and_broken_archives_are_final(kind: type[DrError]) -> None:
    assert [each.reason for each in every(kind) if outcome.mendable(each.reason)] == []


def test_what_people_are_told_to_mend_waits_for_it() -> None:
    assert {reason for reason in ADVICE if not outcome.mendable(reason)} == FINAL


def test_the_store_is_told_from_the_target() -> None:
    assert "credentialsSecret" in outcome.advice("ObjectStoreError", "bucket b answered 403 InvalidAccessKeyId")
    assert outcome.advice("TargetAltered", "somebody wrote") == "somebody wrote"
    assert outcome.of_target("AuthenticationFailed")
    assert not outcome.of_target("ObjectStoreError")
    assert not outcome.of_target("PointInGap")


def test_phases() -> None:
    assert not outcome.touching("attaching")
    assert not outcome.touching("surveying")
    assert not outcome.touching(None)
    assert all(outcome.touching(state) for state in ("emptying", "loading", "amending", "replaying", "checking"))
