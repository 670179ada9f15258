"""Replication: the change stream of one database applied to another, exactly once. ``docs/replication.md`` explains."""

from __future__ import annotations
