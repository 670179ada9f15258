"""Building blocks shared by the custom resources: model bases, CEL rules, durations.

JSON names are the camelCase of the Python names. Cross-field rules that the API server must enforce are CEL expressions
kept beside the model they speak of (``rule``), so that the models stay the only source of ``crds/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

GROUP = "neo4j.neo4j.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Site = Literal["primary", "secondary"]
"""A site is named after the reference in the resource that points at it, whoever is active."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PATTERN = r"^([0-9]{1,6}(ms|s|m|h))+$"
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h)")
_DURATION_MAX_LENGTH = 32


def rule(expression: str, message: str, *, field: str | None = None) -> dict[str, str]:
    """One entry of ``x-kubernetes-validations``; ``field`` is a path below the schema it stands in (``.name``)."""
    entry = {"rule": expression, "message": message}
    return entry | {"fieldPath": field} if field else entry


def rules(*entries: dict[str, str]) -> dict[str, Any]:
    """``json_schema_extra`` that carries CEL rules to the API server."""
    return {"x-kubernetes-validations": list(entries)}


def immutable(what: str) -> dict[str, Any]:
    """``json_schema_extra`` of a field that may never change once set; ``what`` names it in the refusal."""
    return rules(rule("self == oldSelf", f"{what} cannot be changed: create another resource instead"))


def map_by(*keys: str) -> dict[str, Any]:
    """``json_schema_extra`` of a list whose items are told apart by these fields: duplicates are refused, and a
    server-side apply merges item by item."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


UNIQUE: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""``json_schema_extra`` of a list of different values."""


class SpecModel(BaseModel):
    """Base of everything under ``spec``: unknown fields are errors, values never change after reading."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # what was refused may be an address with a password in it
    )

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """Read what the API server returned. Raises ``pydantic.ValidationError`` naming every field that is wrong."""
        return cls.model_validate(dict(raw))


class StatusModel(BaseModel):
    """Base of everything under ``status``: fields that a newer operator wrote are passed over when reading."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> Self:
        """Read a stored status; none at all gives the empty one. Raises ``pydantic.ValidationError``."""
        return cls.model_validate(dict(raw or {}))

    def wire(self, *, drop_none: bool = False) -> dict[str, Any]:
        """The JSON form with camelCase names.

        Unset values stay as nulls: a merge patch removes by them, and the API server drops those inside lists.
        ``drop_none`` leaves them out, which is the form a stored status comes back in, so the one to compare with.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=drop_none)


class Duration(str):
    """A span of time as Kubernetes users write it: ``250ms``, ``30s``, ``5m``, ``1h30m``; ``seconds`` is its length.

    Raises ValueError when the text has no such form.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form and keep the text as written."""
        if len(text) > _DURATION_MAX_LENGTH or not re.fullmatch(_DURATION_PATTERN, text):
            raise ValueError("a duration is written as numbers with the units h, m, s or ms, such as 1h30m")
        return super().__new__(cls, text)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return sum(int(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string of the documented pattern, turned into this class."""
        text = core_schema.str_schema(pattern=_DURATION_PATTERN, max_length=_DURATION_MAX_LENGTH)
        return core_schema.no_info_after_validator_function(cls, text)


class Interval(Duration):
    """A duration of at least 100 ms: pauses and timeouts, which must not be zero. Raises ValueError when shorter."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form and the least length."""
        made = super().__new__(cls, text)
        if made.seconds < 0.1:
            raise ValueError("must be at least 100ms")
        return made

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The same bound for the API server."""
        return handler(schema) | rules(rule("duration(self) >= duration('100ms')", "must be at least 100ms"))


Instant = AwareDatetime
"""A point in time with its offset (RFC 3339 on the wire)."""
