"""What counts as healthy, what is advised, what the document says, one test a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_samples import NOW, SAMPLES, brand_new, condition, diverged, failing_over, healthy, primary_down, put, seeding

from neo4j_dr_operator.api.recovery_status import CONDITION_TYPES
from neo4j_dr_operator.cli import advice, document, summary
from neo4j_dr_operator.cli.facts import Facts, Snapshot, facts_of
from neo4j_dr_operator.cli.picture import picture
from neo4j_dr_operator.cli.text import paint


def changed(snapshot: Snapshot, **spec: Any) -> Any:
    recovery: Any = snapshot.recovery
    recovery["spec"].update(spec)
    return recovery


def facts(snapshot: Snapshot) -> Facts:
    return facts_of(snapshot)


@pytest.mark.parametrize("name", SAMPLES)
def test_only_these_are_healthy(name: str) -> None:
    assert summary.healthy(facts(SAMPLES[name]())) == (name in ("healthy", "read_only_synced", "hostile"))


def test_every_condition_has_a_meaning() -> None:
    assert set(summary.MEANINGS) == set(CONDITION_TYPES)


@pytest.mark.parametrize(
    ("type_", "without"),
    [
        ("FailoverReady", {"failover": {"automatic": False}}),
        ("WithinRPO", {"failover": {"automatic": True}}),
        ("LogShippingHealthy", {"replication": {}}),
        ("BackupHealthy", {"backup": {}, "replication": {}}),
    ],
)
def test_what_nobody_asked_for_cannot_fail(type_: str, without: dict[str, Any]) -> None:
    snapshot = healthy()
    recovery = changed(snapshot)
    put(recovery, condition(type_, "False", "Broken"))
    assert summary.reasons(facts(snapshot)) == [f"{type_}=False (Broken)"]
    changed(snapshot, **without)
    assert summary.reasons(facts(snapshot)) == []


def test_the_conditions_that_have_to_hold_are_all_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/cli.md").read_text()
    said = page.partition("**Healthy** means")[2].partition("\n\n")[0]
    assert [type_ for type_ in summary._WANTED if f"`{type_}`" not in said] == []


@pytest.mark.parametrize("status", ["True", "Unknown"])
def test_split_brain_is_an_alarm_when_it_holds_or_cannot_be_told(status: str) -> None:
    snapshot = healthy()
    put(changed(snapshot), condition("SplitBrain", status, "X"))
    assert summary.reasons(facts(snapshot)) == [f"SplitBrain={status} (X)"]


def test_a_witness_beside_a_site_is_no_alarm_and_not_passed_over() -> None:
    snapshot = healthy()
    put(changed(snapshot), condition("FailoverReady", "True", "WitnessInSiteRegion", "but not when all of it is lost"))
    assert summary.reasons(facts(snapshot)) == []
    shown = paint(picture(snapshot, NOW, 100), colour=False)
    assert any(line.strip() == "but not when all of it is lost" for line in shown)


def test_a_status_of_an_older_spec_is_not_healthy() -> None:
    snapshot = healthy()
    changed(snapshot)["metadata"]["generation"] = 9
    assert "generation 2, the spec is at 9" in summary.reasons(facts(snapshot))[0]
    assert "has not been taken up" in advice.next_step(facts(snapshot)).sentence


def test_a_cluster_that_is_not_there_is_an_alarm() -> None:
    snapshot = Snapshot(healthy().recovery, {}, {"primary-cluster": "does not exist"})
    assert summary.reasons(facts(snapshot)) == ["cluster primary-cluster: does not exist"]
    assert advice.next_step(facts(snapshot)).sentence == "Cluster primary-cluster (primary): does not exist."


def test_an_emergency_is_proposed_for_a_standby_that_can_be_promoted() -> None:
    proposed = advice.next_step(facts(primary_down()))
    assert proposed.commands == (
        "kubectl -n neo4j-production patch n4dr cross-region-dr --type=merge "
        '-p \'{"spec":{"failover":{"emergency":true,"target":"secondary"}}}\'',
    )


@pytest.mark.parametrize("state", sorted(advice.NOT_PROMOTABLE))
def test_no_emergency_is_proposed_that_would_be_refused(state: str) -> None:
    snapshot = primary_down()
    changed(snapshot)["status"]["replication"][0]["state"] = state
    assert advice.next_step(facts(snapshot)).commands == ()


def test_no_emergency_is_proposed_where_the_standby_is_down_too() -> None:
    snapshot = primary_down()
    changed(snapshot)["status"]["health"][1]["verdict"] = "DOWN"
    assert "no standby can be promoted" in advice.next_step(facts(snapshot)).sentence


def test_a_failover_that_comes_by_itself_is_waited_for() -> None:
    snapshot = primary_down()
    recovery = changed(snapshot, failover={"automatic": True})
    put(recovery, condition("FailoverReady", "True", "StandbyReady"))
    assert "wait, the standby is promoted by itself" in advice.next_step(facts(snapshot)).sentence


def test_a_primary_that_answers_with_an_error_is_to_be_mended() -> None:
    snapshot = primary_down()
    changed(snapshot)["status"]["health"][0].update(verdict="DEGRADED", evidence="wrong password")
    assert advice.next_step(facts(snapshot)) == advice.Advice(
        "primary-cluster is DEGRADED (wrong password): it lives, so nothing fails over by itself; "
        "mend what the evidence names."
    )


@pytest.mark.parametrize(
    ("phase", "then"), [("Replicating", "it catches up by itself"), ("Unprotected", "it is made read-only, compared")]
)
def test_a_standby_that_is_down_is_to_be_brought_back(phase: str, then: str) -> None:
    snapshot = healthy()
    changed(snapshot)["status"].update(phase=phase)
    changed(snapshot)["status"]["health"][1].update(verdict="DOWN", evidence="refused")
    said = advice.next_step(facts(snapshot)).sentence
    assert said.startswith("Bring secondary-cluster back (DOWN: refused): ")
    assert then in said


@pytest.mark.parametrize(
    ("phase", "reason", "said"),
    [
        ("Seeding", "NotYetSupported", "Wait for the first copy"),
        ("Replicating", "NotYetSupported", "Take these out of the spec"),
        ("Undecided", "RegionMismatch", "Mend this first, until then no request is taken up and nothing fails over: "),
        ("Pending", "AuthenticationFailed", "Look into Ready (AuthenticationFailed): wrong password"),
    ],
)
def test_the_graver_rule_speaks(phase: str, reason: str, said: str) -> None:
    snapshot = healthy()
    recovery = changed(snapshot)
    recovery["status"].update(phase=phase)
    put(recovery, condition("Ready", "False", reason, "wrong password"))
    assert advice.next_step(facts(snapshot)).sentence.startswith(said)


def test_a_request_waits_until_it_has_been_handled() -> None:
    snapshot = healthy()
    changed(snapshot)["spec"]["failover"]["target"] = "secondary"
    assert advice.next_step(facts(snapshot)).sentence.startswith("Wait: failover.target (secondary)")
    changed(snapshot)["status"]["failover"]["lastHandled"] = {"target": "secondary", "result": "Completed"}
    assert advice.next_step(facts(snapshot)) == advice.NOTHING


@pytest.mark.parametrize(
    ("failover", "remembered", "waits"),
    [
        ({"target": "secondary"}, {"target": "secondary"}, False),
        ({"target": "secondary"}, {"target": "primary", "targetDeclared": "secondary"}, False),
        ({"target": "secondary"}, {"target": "primary"}, True),
        ({"target": "primary"}, {}, True),
        ({"target": "secondary", "emergency": True}, {"target": "secondary"}, True),
        ({"target": "secondary", "emergency": True}, {"target": "secondary", "emergency": True}, False),
        ({"target": "secondary"}, {"target": "secondary", "emergency": True}, False),
    ],
)
def test_what_was_there_before_is_not_waited_for(
    failover: dict[str, Any], remembered: dict[str, Any], waits: bool
) -> None:
    """Created with a target, applied again over a patch: nothing will ever come of it. Last handled was primary."""
    snapshot = healthy()
    recovery = changed(snapshot)
    recovery["spec"]["failover"].update(failover)
    recovery["status"]["failover"]["remembered"] = {"emergency": False} | remembered
    assert advice.next_step(facts(snapshot)).sentence.startswith("Wait: failover.target") is waits


@pytest.mark.parametrize(
    ("remembered", "waits"),
    [({}, True), ({"direction": "reverse"}, False), ({"directionDeclared": "reverse"}, False)],
)
def test_a_sync_waits_until_it_was_accepted(remembered: dict[str, Any], waits: bool) -> None:
    snapshot = healthy()
    changed(snapshot, sync={"direction": "reverse"})["status"]["failover"]["remembered"] = remembered
    assert advice.next_step(facts(snapshot)).sentence.startswith("Wait: sync.direction") is waits


def test_read_only_on_a_standby_is_not_waited_for() -> None:
    """A standby takes the replicator's writes: its condition will not turn."""
    snapshot = healthy()
    body: Any = snapshot.clusters["secondary-cluster"]
    body["spec"]["readOnly"] = True
    assert [(request.value, request.handled) for request in facts(snapshot).requests] == [("true", "Standby")]
    assert advice.next_step(facts(snapshot)) == advice.NOTHING


def test_the_change_under_way_is_seen_without_the_operators_own_state() -> None:
    snapshot = failing_over()
    status = changed(snapshot)["status"]
    steps = [{"name": "Detected", "at": "2026-03-14T02:59:19Z"}]
    status["control"] = None
    assert facts(snapshot).operation is None
    status["failover"]["history"].append({"epoch": 4, "kind": "failover", "to": "secondary", "steps": steps})
    running = facts(snapshot).operation
    assert running is not None
    assert (running.target, running.steps[0][0], len(facts(snapshot).history)) == ("secondary", "Detected", 2)


def test_more_standbys_are_sites_too() -> None:
    snapshot = healthy()
    places = [
        {"name": "west", "clusterRef": "secondary-cluster", "region": "us-west-2"},
        {"name": "eu", "priority": 2},
    ]
    known = {"name": "eu", "clusterRef": "secondary-cluster-eu", "region": "eu-west-1"}
    stands = {"source": "secondary", "state": "streaming", "lagSeconds": 0.4, "failoverReady": False}
    told = {**known, **stands, "reason": "SourceDown", "message": "it is gone"}
    changed(snapshot, secondaryClusters=places)["status"]["secondaryClusters"] = [told]
    names = [(site.name, site.cluster, site.region) for site in facts(snapshot).sites]
    assert names[2:] == [("eu", "secondary-cluster-eu", "eu-west-1")]
    assert [site.name for site in facts(snapshot).standbys] == ["secondary"], "a follower is never promoted"
    link = facts(snapshot).followers[0]
    assert (link.source, link.site, link.lag_seconds, link.message) == (
        "secondary",
        "eu",
        0.4,
        "SourceDown: it is gone",
    )
    page = "\n".join("".join(span.text for span in line) for line in picture(snapshot, NOW, 120))
    assert "secondary -> eu   streaming" in page
    assert advice.next_step(facts(snapshot)) == advice.NOTHING


def test_the_standby_that_takes_over_is_the_site_secondary() -> None:
    snapshot = healthy()
    body = changed(snapshot, secondaryClusters=[{"name": "west", "clusterRef": "secondary-cluster"}])
    del body["spec"]["secondaryClusterRef"]
    body["status"]["secondaryClusters"] = [
        {"name": "west", "clusterRef": "secondary-cluster", "site": "secondary", "state": "streaming"}
    ]
    assert [(site.name, site.verdict) for site in facts(snapshot).sites] == [("primary", "UP"), ("secondary", "UP")]
    assert facts(snapshot).followers == ()


def test_the_document_is_the_documented_one() -> None:
    made = document.report(seeding())
    assert list(made) == ["apiVersion", "kind", "summary", "recovery", "clusters", "unreadableClusters"]
    assert made["kind"] == "DisasterRecoveryReport"
    assert made["summary"]["healthy"] is False
    assert made["summary"]["phase"] == "Seeding"
    assert len(made["summary"]["reasons"]) == 4
    assert [body["metadata"]["name"] for body in made["clusters"]] == ["primary-cluster", "secondary-cluster"]


def test_the_document_leaves_out_what_is_no_ones_business() -> None:
    original = healthy()
    made = document.report(original)["recovery"]
    assert made["metadata"]["annotations"] == {"team": "graph"}
    assert "managedFields" not in made["metadata"]
    assert "control" not in made["status"]
    assert "control" in original.recovery["status"], "what was read is not changed"


def test_json_and_yaml_say_the_same() -> None:
    made = document.reports([diverged(), brand_new()])
    as_json = document.written(made, "json", streamed=False)
    as_yaml = document.written(made, "yaml", streamed=False)
    assert json.loads(as_json) == yaml.safe_load(as_yaml) == made
    assert made["items"][1]["unreadableClusters"] == [{"name": "secondary-cluster", "reason": "gone"}]


def test_streamed_documents_can_be_told_apart() -> None:
    made = document.reports([])
    assert "\n" not in document.written(made, "json", streamed=True)
    two = document.written(made, "yaml", streamed=True) + "\n" + document.written(made, "yaml", streamed=True)
    assert list(yaml.safe_load_all(two)) == [made, made]
