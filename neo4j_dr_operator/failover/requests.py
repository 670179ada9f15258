"""Requests in a spec are consumed once (P9): what is pending, what is left over. Pure.

A value set by a plain patch is taken out of the spec when it has been carried out or superseded, because an identical
patch changes nothing in Kubernetes: a left-over would swallow the next one. A value owned by an apply (Git) cannot be
taken out for good; it counts once per changed value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.failover.actions import Consume
from neo4j_dr_operator.failover.state import SITES, ControlState, Owner, Site
from neo4j_dr_operator.failover.view import Desired, Requested

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def owner_of(body: Mapping[str, Any], path: tuple[str, ...], applied: Mapping[str, Any] | None) -> Owner:
    """Who wrote the field at `path` of a resource: `declared` when an apply owns its present value.

    `applied` is the decoded last-applied annotation of client-side apply; server-side apply shows in managedFields
    with operation `Apply` (Kubernetes API concepts, server-side apply, "Field management").
    """
    if applied is not None and _dig(applied, path) is not None and _dig(applied, path) == _dig(body, path):
        return "declared"
    keys = tuple(f"f:{name}" for name in path)
    for entry in body.get("metadata", {}).get("managedFields") or ():
        if entry.get("operation") == "Apply" and _dig(entry.get("fieldsV1") or {}, keys) is not None:
            return "declared"
    return "patch"


def _dig(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree


def pending_target(state: ControlState, desired: Desired) -> Requested | None:
    """The failover request that has not been handled yet, or None."""
    return _pending(desired.target, state.handled.target, state.handled.target_owner)


def pending_sync(state: ControlState, desired: Desired) -> Requested | None:
    """The sync request that has not been handled yet, or None."""
    return _pending(desired.sync, state.handled.sync, state.handled.sync_owner)


def _pending(wanted: Requested | None, handled: str | None, owner: Owner | None) -> Requested | None:
    if wanted is None or handled is None and wanted.owner == "declared":
        return None
    if wanted.value == handled and (wanted.owner == owner or wanted.owner == "declared"):
        return None
    return wanted


def settle(state: ControlState, desired: Desired) -> ControlState:
    """The state after looking at what stands in the spec: baselines recorded, absences noted, nothing carried out.

    A declared value seen for the first time is a baseline, never a request: a resource re-created from Git must not
    decide who is primary (P7).
    """
    handled = state.handled
    changes: dict[str, Any] = {}
    for field, wanted in (("target", desired.target), ("sync", desired.sync)):
        before, owner = getattr(handled, field), getattr(handled, f"{field}_owner")
        if wanted is None and owner != "declared" and before != "":
            changes |= {field: "", f"{field}_owner": None}
        elif wanted is not None and wanted.owner == "declared" and before is None:
            changes |= {field: wanted.value, f"{field}_owner": "declared"}
    superseded = [site for site in handled.superseded_read_only if desired.read_only.get(site) is not None]
    if superseded != handled.superseded_read_only:
        changes["superseded_read_only"] = superseded
    if not changes:
        return state
    return state.model_copy(update={"handled": handled.model_copy(update=changes)})


def handle_target(state: ControlState, request: Requested, result: str, wall: float) -> ControlState:
    """The state in which a failover request counts as handled, with its result for `status.failover.lastHandled`."""
    last: dict[str, str | int | float | None] = {
        "target": request.value,
        "emergency": request.emergency,
        "result": result,
        "epoch": state.epoch,
        "at": wall,
    }
    handled = state.handled.model_copy(update={"target": request.value, "target_owner": request.owner, "last": last})
    return state.model_copy(update={"handled": handled})


def handle_sync(state: ControlState, request: Requested) -> ControlState:
    """The state in which a sync request counts as accepted."""
    handled = state.handled.model_copy(update={"sync": request.value, "sync_owner": request.owner})
    return state.model_copy(update={"handled": handled})


def read_only_wanted(state: ControlState, desired: Desired, site: Site) -> bool:
    """Whether a cluster's `readOnly` counts: set, and not ended by a newer promotion."""
    return desired.read_only.get(site) is not None and site not in state.handled.superseded_read_only


def supersede_read_only(state: ControlState, desired: Desired) -> ControlState:
    """The state in which every `readOnly` now standing has been ended by a promotion."""
    standing = [site for site in SITES if desired.read_only.get(site) is not None]
    handled = state.handled.model_copy(update={"superseded_read_only": standing})
    return state.model_copy(update={"handled": handled})


def leftovers(state: ControlState, desired: Desired) -> tuple[Consume, ...]:
    """What can be taken out of the specs now: handled requests that a plain patch wrote, while nothing is under way."""
    if state.operation is not None:
        return ()
    out: list[Consume] = []
    if desired.target is not None and desired.target.owner == "patch" and pending_target(state, desired) is None:
        out.append(Consume("target", desired.target.value))
    if desired.lone_emergency:
        out.append(Consume("emergency", "true"))
    sync_done = state.sync is None or state.sync.complete or state.sync.refused is not None
    if desired.sync is not None and desired.sync.owner == "patch" and sync_done:
        if pending_sync(state, desired) is None:
            out.append(Consume("sync", desired.sync.value))
    for site in state.handled.superseded_read_only:
        if desired.read_only.get(site) == "patch":
            out.append(Consume("readOnly", "true", site))
    return tuple(out)
