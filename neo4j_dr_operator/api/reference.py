"""Generator of ``docs/api.md``: the fields of the kinds as people look them up. Pure: text from the models.

What is allowed comes from the same schema as ``crds/``, what is not acted on yet from ``support``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from neo4j_dr_operator.api import support
from neo4j_dr_operator.api.base import API_VERSION
from neo4j_dr_operator.api.crd import Schema, definition
from neo4j_dr_operator.api.kinds import CATEGORY, KINDS, Kind

_MISSING: dict[str, Sequence[support.Missing[Any]]] = {
    "Neo4jEnterpriseCluster": support.CLUSTER,
    "Neo4jDisasterRecovery": support.RECOVERY,
    "Neo4jRestore": support.RESTORE,
}

_HEAD = f"""# Reference of the API

Generated from the models by `neo4j-dr-operator crds --docs docs/api.md`: change those, not this. `kubectl explain` says
the same of one field: `kubectl explain n4dr.spec.failover --recursive`.

Group and version: `{API_VERSION}`. All kinds are in the category `{CATEGORY}` (`kubectl get {CATEGORY}`).

**Acted on.** "yes": the operator does what the field says. "not yet": it can be written down, is checked, and is listed
in `status.notYetSupported` where it asks for something, that is for what is not the default. "not yet, safety": in that
case `Ready` is `False` with the reason `NotYetSupported`, since relying on it would be a mistake. Where a value stands
before it, that is so of this value alone. An empty cell belongs to an object: see its fields.

**Default.** What the API server fills in. Inside lists it fills in nothing, so that a list stays as it was written;
where the operator has a default there, the description says so.
"""


@dataclass(frozen=True)
class Field:
    """One field: path below ``spec`` or ``status`` (``[]`` for the items of a list), its schema, whether required."""

    path: str
    schema: Schema
    required: bool


def fields(schema: Schema, path: str) -> Iterator[Field]:
    """Every field below an object, each before what is in it."""
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield Field(here, child, name in schema.get("required", []))
        inner, below = child, here
        while "items" in inner:
            inner, below = inner["items"], f"{below}[]"
        yield from fields(inner, below)


def _type(schema: Schema) -> str:
    kind: str = schema["type"]
    if kind == "array":
        return f"list of {_plural(schema['items'])}"
    return kind


def _plural(schema: Schema) -> str:
    return "lists" if schema["type"] == "array" else f"{schema['type']}s"


def _bounds(schema: Schema) -> str:
    """What the keywords of a schema allow, in words."""
    said = []
    if "enum" in schema:
        said.append(" or ".join(f"`{value}`" for value in schema["enum"]))
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            said.append(f"{least} to {most}{unit}")
        elif least is not None or most is not None:
            said.append(f"at {'most' if least is None else 'least'} {most if least is None else least}{unit}")
    if schema.get("x-kubernetes-list-type") == "map":
        said.append(f"each {' and '.join(schema['x-kubernetes-list-map-keys'])} once")
    if schema.get("x-kubernetes-list-type") == "set":
        said.append("each value once")
    return "; ".join(said)


def _allowed(schema: Schema) -> str:
    """What is allowed: bounds and rules, also of the items where those are plain values."""
    said = [_bounds(schema)]
    for entry in schema.get("x-kubernetes-validations", []):
        where = entry.get("fieldPath", "").removeprefix(".")
        said.append(f"`{where}` {entry['message']}" if where else entry["message"])
    if "items" in schema and "properties" not in schema["items"]:
        item = _allowed(schema["items"])
        said.append(f"items: {item}" if item else "")
    return "; ".join(part for part in said if part)


def _acted_on(kind: Kind, field: Field) -> str:
    for missing in _MISSING[kind.kind]:
        if field.path == missing.path or field.path.startswith((f"{missing.path}.", f"{missing.path}[")):
            mark = "not yet, safety" if missing.safety else "not yet"
            return f"yes; `{missing.only}`: {mark}" if missing.only else mark
    inner = field.schema.get("items", field.schema)
    return "" if "properties" in inner else "yes"


def _default(field: Field) -> str:
    if field.required:
        return "required"
    value = field.schema.get("default")
    return "" if value is None or isinstance(value, dict) else f"`{json.dumps(value)}`".replace('"', "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _specification(kind: Kind, schema: Schema) -> str:
    rules = _allowed(schema)
    made = "### spec\n\n"
    if rules:
        made += f"{_cell(rules[0].upper() + rules[1:])}.\n\n"
    made += _row("field", "type", "default", "what it is", "what is allowed", "acted on") + "|---" * 6 + "|\n"
    for field in fields(schema, "spec"):
        made += _row(
            f"`{field.path.removeprefix('spec.')}`",
            _type(field.schema),
            _default(field),
            _cell(field.schema["description"]),
            _cell(_allowed(field.schema)),
            _acted_on(kind, field),
        )
    return made


def _status(schema: Schema) -> str:
    made = "### status\n\n" + _row("field", "type", "what it is") + "|---" * 3 + "|\n"
    for field in fields(schema, "status"):
        if not field.path.startswith("status.conditions[]"):
            path = field.path.removeprefix("status.")
            made += _row(f"`{path}`", _type(field.schema), _cell(field.schema["description"]))
    return made


def _kind(kind: Kind) -> str:
    (version,) = definition(kind)["spec"]["versions"]
    root = version["schema"]["openAPIV3Schema"]
    columns = ", ".join(f"{column.name}{' (wide)' if column.wide else ''}" for column in kind.columns)
    made = f"## {kind.kind}\n\n{kind.description} Names: `{kind.plural}`, `{kind.singular}`, `{kind.short}`.\n"
    made += f"Columns of `kubectl get`: {columns}.\n\n"
    for entry in kind.rules:
        made += f"{_cell(entry['message'].replace('metadata.name', '`metadata.name`', 1))}.\n\n"
    return made + _specification(kind, root["properties"]["spec"]) + "\n" + _status(root["properties"]["status"])


def render() -> str:
    """The whole page; the same text for the same models."""
    return _HEAD + "".join("\n" + _kind(kind) for kind in KINDS)
