"""Rules of a bucket that delete objects, or put them where they cannot be read at once.

Form of the rules: Amazon S3 API reference, GetBucketLifecycleConfiguration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

COLD = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects have to be restored before they can be read (Amazon S3 User Guide)."""


def endangering(rules: Iterable[Mapping[str, Any]], prefix: str) -> dict[str, str]:
    """Rules that concern objects whose keys begin with ``prefix``: what each one does to them, by its name.

    A rule for objects with a tag concerns none of ours. Older versions of a key, and uploads that were not completed,
    are nobody's loss.
    """
    found: dict[str, str] = {}
    for number, rule in enumerate(rules, 1):
        if rule.get("Status") != "Enabled" or not _concerns(rule, prefix):
            continue
        done = [text for text in (_expires(rule), _freezes(rule)) if text]
        if done:
            found[str(rule.get("ID") or f"number {number}")] = " and ".join(done)
    return found


def _concerns(rule: Mapping[str, Any], prefix: str) -> bool:
    filtered = rule.get("Filter") or {}
    inner = filtered.get("And") or filtered
    if inner.get("Tag") or inner.get("Tags"):
        return False
    wanted = str(inner.get("Prefix") or rule.get("Prefix") or "")
    return prefix.startswith(wanted) or wanted.startswith(prefix)


def _expires(rule: Mapping[str, Any]) -> str:
    expiration = rule.get("Expiration") or {}
    if "Days" in expiration:
        return f"deletes objects after {expiration['Days']} days"
    return f"deletes objects on {expiration['Date']:%Y-%m-%d}" if "Date" in expiration else ""


def _freezes(rule: Mapping[str, Any]) -> str:
    cold = [str(each["StorageClass"]) for each in rule.get("Transitions") or () if each.get("StorageClass") in COLD]
    return f"moves objects to {cold[0]}" if cold else ""
