"""The models' JSON schema turned into structural OpenAPI v3 definitions.

A keyword that a structural schema cannot hold is an error, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neo4j_dr_operator.api.base import GROUP, VERSION, SpecModel, StatusModel
from neo4j_dr_operator.api.kinds import CATEGORY, Column, Kind

Schema = dict[str, Any]

_KEPT = frozenset({"type", "description", "enum", "pattern", "format", "required", "default"}) | frozenset(
    {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"}
)


class UnsupportedSchema(ValueError):
    """A model says something that a structural schema cannot; the message names the place."""


def _merged(node: Schema, defs: Mapping[str, Schema]) -> Schema:
    """The node with its reference inlined and a union with null opened.

    The API server drops nulls of fields that are not nullable, in lists too, so "unset" needs no mark.
    """
    own = dict(node)
    if "$ref" in own:
        target = defs[own.pop("$ref").removeprefix("#/$defs/")]
        return _merged(target | own, defs)
    if "anyOf" in own:
        options = [option for option in own.pop("anyOf") if option.get("type") != "null"]
        if len(options) != 1:
            raise UnsupportedSchema("a union of several types")
        return _merged(options[0] | own, defs)
    if "const" in own:
        own["enum"] = [own.pop("const")]
    return own


def _structural(node: Schema, defs: Mapping[str, Schema], path: str, *, bare: bool) -> Schema:
    """One node of the structural schema. ``bare``: nothing is defaulted.

    A status is bare, since only the operator writes it. So is what is in lists: ``kubectl apply`` and Git compare lists
    as a whole and would find a difference each time.
    """
    source = _merged(node, defs)
    made: Schema = {}
    for key, value in source.items():
        if key in _KEPT or key.startswith("x-kubernetes-"):
            made[key] = value
        elif key == "properties":
            made[key] = _properties(source, defs, path, bare=bare)
        elif key == "items":
            made[key] = _structural(value, defs, f"{path}[]", bare=True)
        elif key == "additionalProperties" and value is True:
            made["x-kubernetes-preserve-unknown-fields"] = True
        elif key != "title" and not (key == "additionalProperties" and value is False):
            raise UnsupportedSchema(f"{path}: {key}")
    if made.get("default", ...) is None or bare:
        made.pop("default", None)
    if made.get("type") == "integer":
        made["format"] = "int64"
    return _ordered(made)


def _properties(source: Schema, defs: Mapping[str, Schema], path: str, *, bare: bool) -> Schema:
    """Every property, described; what may be left out is defaulted: lists as empty, objects with what is in them."""
    made: Schema = {}
    required = source.get("required", [])
    for name, node in source["properties"].items():
        child = _structural(node, defs, f"{path}.{name}", bare=bare)
        if "description" not in child:
            raise UnsupportedSchema(f"{path}.{name}: no description")
        if not bare and name not in required and "anyOf" not in node:
            if "properties" in child:
                child = _ordered(child | {"default": _default(child)})
            elif child["type"] == "array":
                child = _ordered(child | {"default": []})
        made[name] = child
    return made


def _default(schema: Schema) -> Schema:
    """The default of an object that may be left out.

    The API server fills in what is inside a default afterwards, but tries the object's rules on it before: so where
    there are rules the default is written out.
    """
    if "x-kubernetes-validations" not in schema:
        return {}
    return {name: child["default"] for name, child in schema["properties"].items() if "default" in child}


def _ordered(schema: Schema) -> Schema:
    """Keys in one order everywhere: what people read first comes first."""
    first = ["description", "type", "format", "default", "enum", "pattern"]
    last = ["items", "properties", "required"]
    rest = sorted(key for key in schema if key not in first and key not in last)
    return {key: schema[key] for key in [*first, *rest, *last] if key in schema}


def structural_schema(model: type[SpecModel] | type[StatusModel]) -> Schema:
    """Structural schema of a model. Raises UnsupportedSchema."""
    source = model.model_json_schema(by_alias=True)
    defs = source.pop("$defs", {})
    return _structural(source, defs, model.__name__, bare=issubclass(model, StatusModel))


def _column(column: Column) -> Schema:
    made: Schema = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        made["description"] = column.description
    if column.wide:
        made["priority"] = 1
    return made


def definition(kind: Kind) -> Schema:
    """The CustomResourceDefinition of a kind."""
    root: Schema = {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": kind.kind},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec),
            "status": structural_schema(kind.status),
        },
    }
    if kind.rules:
        root["x-kubernetes-validations"] = list(kind.rules)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                    "schema": {"openAPIV3Schema": root},
                }
            ],
        },
    }
