"""Building blocks shared by the custom resources: model bases, CEL rules, durations.

JSON names are the camelCase of the Python names. Cross-field rules that the API server must enforce are CEL expressions
kept beside the model they speak of (``rule``), so that the models stay the only source of ``crds/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

GROUP = "neo4j.neo4j.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Site = Literal["primary", "secondary"]
"""A site is named after the reference in the resource that points at it, whoever is active."""

Rule = dict[str, Any]
"""One CEL rule as the API server takes it: ``rule``, ``message``, maybe ``fieldPath`` and ``optionalOldSelf``."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = r"^([0-9]{1,4}h|[0-9]{1,6}m|[0-9]{1,8}s|[0-9]{1,8}ms)+$"  # digits bounded: nothing overflows in CEL
_DURATION_PART = re.compile(r"([0-9]+)(ms|s|m|h)")
_DURATION_MAX_LENGTH = 32
_DURATION_FORM = "must be a duration such as 30s, 5m or 1h30m: numbers with the units h, m, s or ms, at most 8760h"
_LONGEST, _SHORTEST = "8760h", "100ms"
_CHECKS = "x-kubernetes-validations"


def rule(expression: str, message: str, *, field: str | None = None, old_may_lack: bool = False) -> Rule:
    """One entry of ``x-kubernetes-validations``; ``field`` is a path below the schema it stands in (``.name``).

    With ``old_may_lack`` a rule that speaks of ``oldSelf`` holds for something new as well: ``oldSelf`` is optional.
    """
    entry: Rule = {"rule": expression, "message": message}
    if field:
        entry["fieldPath"] = field
    return entry | {"optionalOldSelf": True} if old_may_lack else entry


def rules(*entries: Rule) -> dict[str, Any]:
    """``json_schema_extra`` that carries CEL rules to the API server."""
    return {_CHECKS: list(entries)}


def matches(pattern: str, text: str = "self") -> str:
    """CEL expression: the text has this form (RE2). Raises ValueError for a pattern that cannot be quoted."""
    if '"' in pattern:
        raise ValueError("a double quote would end the expression")
    return f'{text}.matches(r"{pattern}")'


class Checks:
    """Annotation: CEL rules beside those that the type it stands with has already."""

    def __init__(self, *entries: Rule) -> None:
        self.entries = entries

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The rules of the type, then these."""
        made = handler(schema)
        return made | rules(*made.get(_CHECKS, []), *self.entries)


class Form(Checks):
    """Annotation: the form of a text, refused at the door and by the model with a sentence that says what is allowed.

    A ``pattern`` in the schema would be refused with the pattern, which tells a person nothing. The pattern must mean
    the same to Python and RE2 and be anchored at both ends.
    """

    def __init__(self, pattern: str, sentence: str) -> None:
        super().__init__(rule(matches(pattern), sentence))
        self._known, self._sentence = re.compile(pattern), sentence

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type, then its form."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, text: str) -> str:
        if not self._known.fullmatch(text):
            raise ValueError(self._sentence)
        return text


def refuse(wrong: Callable[[str], bool], sentence: str) -> Callable[[str], str]:
    """A validator that raises ValueError with the sentence where ``wrong`` holds."""

    def check(text: str) -> str:
        if wrong(text):
            raise ValueError(sentence)
        return text

    return check


def constant(what: str) -> Rule:
    """A rule: what has been set may never change; ``what`` names it in the refusal."""
    return rule("self == oldSelf", f"{what} cannot be changed: create another resource instead")


def immutable(what: str) -> dict[str, Any]:
    """``json_schema_extra`` with ``constant`` as the only rule."""
    return rules(constant(what))


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
    """A span of time as Kubernetes users write it: ``250ms``, ``30s``, ``5m``, ``1h30m``; at most a year.

    Raises ValueError when the text has no such form or means more.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check form and length, and keep the text as written."""
        if len(text) > _DURATION_MAX_LENGTH or not re.fullmatch(_DURATION, text):
            raise ValueError(_DURATION_FORM)
        made = super().__new__(cls, text)
        if made.seconds > 8760 * 3600:
            raise ValueError(f"must be at most {_LONGEST}")
        return made

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return sum(int(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string of the documented form, turned into this class."""
        text = core_schema.str_schema(max_length=_DURATION_MAX_LENGTH)
        return core_schema.no_info_after_validator_function(cls, text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The same form and bounds for the API server."""
        form = matches(_DURATION)
        bound = rule(f"!{form} || {cls._bounds()[0]}", cls._bounds()[1])
        return handler(schema) | rules(rule(form, _DURATION_FORM), bound)

    @classmethod
    def _bounds(cls) -> tuple[str, str]:
        return f"duration(self) <= duration('{_LONGEST}')", f"must be at most {_LONGEST}"


class Interval(Duration):
    """A duration of at least 100 ms: pauses and timeouts, which must not be zero. Raises ValueError when shorter."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form and the least length."""
        made = super().__new__(cls, text)
        if made.seconds < 0.1:
            raise ValueError(f"must be at least {_SHORTEST}")
        return made

    @classmethod
    def _bounds(cls) -> tuple[str, str]:
        longest, shortest = f"duration(self) <= duration('{_LONGEST}')", f"duration(self) >= duration('{_SHORTEST}')"
        return f"({shortest} && {longest})", f"must be at least {_SHORTEST} and at most {_LONGEST}"


Instant = AwareDatetime
"""A point in time with its offset (RFC 3339 on the wire)."""

_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = rf"^[12][0-9]{{3}}-{_DAY}T{_CLOCK}:[0-5][0-9]([.][0-9]{{1,9}})?(Z|[+-]{_CLOCK})$"
_INSTANT_FORM = "must be a point in time with its offset (RFC 3339), such as 2025-01-15T10:30:00Z"


class _AskedInstant:
    """Annotation: the schema of an instant that people write, without the laxer ``format: date-time``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(schema)
        made.pop("format")
        form = matches(_INSTANT)
        day = rule(f"!{form} || timestamp(self) > timestamp('1970-01-01T00:00:00Z')", _INSTANT_FORM)
        return made | {"maxLength": 40} | rules(rule(form, _INSTANT_FORM), day)

    @staticmethod
    def _check(value: object) -> object:
        if isinstance(value, datetime) or (isinstance(value, str) and re.fullmatch(_INSTANT, value)):
            return value
        raise ValueError(_INSTANT_FORM)


AskedInstant = Annotated[AwareDatetime, _AskedInstant()]
"""An ``Instant`` in a spec: exactly the form of RFC 3339, a day that exists."""
