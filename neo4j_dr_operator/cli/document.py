"""What `-o json` and `-o yaml` write: a stable form for programs, described in docs/cli.md. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import yaml

from neo4j_dr_operator.cli import advice, summary
from neo4j_dr_operator.cli.facts import Snapshot, facts_of
from neo4j_dr_operator.cli.raw import Document, part

Format = Literal["json", "yaml"]

API_VERSION = "cli.neo4j.neo4j.com/v1alpha1"
"""A group of its own: these are reports, which no API server takes."""

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def report(snapshot: Snapshot) -> dict[str, Any]:
    """One resource: kind DisasterRecoveryReport."""
    facts = facts_of(snapshot)
    reasons, advised = summary.reasons(facts), advice.next_step(facts)
    return {
        "apiVersion": API_VERSION,
        "kind": "DisasterRecoveryReport",
        "summary": {
            "healthy": not reasons,
            "reasons": reasons,
            "next": advised.sentence,
            "commands": list(advised.commands),
            "phase": facts.phase,
            "epoch": facts.epoch,
            "activeSite": facts.active,
            "activeCluster": facts.active_cluster,
        },
        "recovery": tidy(snapshot.recovery),
        "clusters": [tidy(body) for body in snapshot.clusters.values()],
        "unreadableClusters": [{"name": name, "reason": why} for name, why in snapshot.absent.items()],
    }


def reports(snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Many resources, also when they are one or none: kind DisasterRecoveryReportList."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DisasterRecoveryReportList",
        "items": [report(snapshot) for snapshot in snapshots],
    }


def tidy(body: Document) -> dict[str, Any]:
    """A resource without what is of use to the API server or the operator alone."""
    made = dict(body)
    meta = {key: value for key, value in part(body, "metadata").items() if key != "managedFields"}
    notes = {key: value for key, value in part(meta, "annotations").items() if key != _LAST_APPLIED}
    meta.pop("annotations", None)
    made["metadata"] = {**meta, "annotations": notes} if notes else meta
    if "status" in body:
        made["status"] = {key: value for key, value in part(body, "status").items() if key != "control"}
    return made


def written(document: dict[str, Any], form: Format, *, streamed: bool) -> str:
    """The document as text without its last line end. Nothing but ASCII: a terminal shows it as it is.

    `streamed`: one of many on the same stream: a JSON line, or a YAML document that begins with ``---``.
    """
    if form == "json":
        return json.dumps(document, indent=None if streamed else 2)
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=False, allow_unicode=False)
    return ("---\n" if streamed else "") + text.rstrip("\n")
