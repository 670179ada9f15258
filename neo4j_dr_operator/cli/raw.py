"""Careful reading of documents that another version of the operator may have written. Pure.

The models in `api/` refuse what they do not know; a person in need is better served by the fields that are readable.
Nothing here raises: what is absent or of another type is None, or an empty list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Document = Mapping[str, Any]


def part(document: object, *path: str) -> Document:
    """The object at that path, empty when there is none."""
    found = _at(document, path)
    return found if isinstance(found, Mapping) else {}


def text(document: object, *path: str) -> str | None:
    """The text at that path; None for an empty one."""
    found = _at(document, path)
    return found if isinstance(found, str) and found else None


def flag(document: object, *path: str) -> bool | None:
    """The boolean at that path."""
    found = _at(document, path)
    return found if isinstance(found, bool) else None


def number(document: object, *path: str) -> float | None:
    """The finite number at that path."""
    found = _at(document, path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return found


def whole(document: object, *path: str) -> int | None:
    """The integer at that path."""
    found = number(document, *path)
    return None if found is None else int(found)


def instant(document: object, *path: str) -> datetime | None:
    """The moment at that path, written in RFC 3339; without an offset it counts as UTC."""
    found = text(document, *path)
    if found is None:
        return None
    try:
        read = datetime.fromisoformat(found)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def moment(document: object, *path: str) -> datetime | None:
    """The moment at that path, written in seconds since 1970."""
    found = number(document, *path)
    try:
        return None if found is None else datetime.fromtimestamp(found, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def items(document: object, *path: str) -> list[Document]:
    """The objects of the list at that path; whatever else is in it is passed over."""
    found = _at(document, path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def texts(document: object, *path: str) -> list[str]:
    """The texts of the list at that path."""
    found = _at(document, path)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _at(document: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document
