"""Text formats of the API: names, addresses, keys, schedules. Each is a pattern that the API server checks too.

A pattern is exact where a pattern can be; what it cannot say (a day that no month has) is checked when a resource is
read. Lengths are bounded everywhere: CEL rules are refused by the API server when their cost has no bound.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from neo4j_dr_operator.api.base import rule, rules

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_NAME_PART = r"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
_HOST = rf"({_NAME_PART}(\.{_NAME_PART})*|\[[0-9A-Fa-f:.]+\])"

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=rf"^{_LABEL}$")]
"""Name of a resource of ours; a DNS label, since Services and pods are named after it."""

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
"""Name of a Secret in the namespace of the resource that refers to it."""

SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$")]
"""A key in a Secret."""

Region = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]
"""Name of a region; the same text everywhere it is meant. A label value, so that it can be selected by."""

BoltUri = Annotated[str, Field(max_length=512, pattern=rf"^(bolt|neo4j)(\+s)?://{_HOST}(:{_PORT})?$")]
"""Address of a database: scheme, host and port only, so no password can hide in it. With ``+s``, TLS."""

HostPort = Annotated[str, Field(min_length=1, max_length=512, pattern=rf"^{_HOST}(:{_PORT})?$")]
"""Host with an optional port (1 to 65535)."""

StoreUrl = Annotated[str, Field(max_length=512, pattern=rf"^https?://{_HOST}(:{_PORT})?/?$")]
"""URL of an object store: no path, no user part."""

WebUrl = Annotated[
    str,
    Field(max_length=2048, pattern=rf"^https?://{_HOST}(:{_PORT})?(/[-A-Za-z0-9._~%!$&'()*+,;=:@/]*)?(\?[^#\s]*)?$"),
]
"""URL of a web hook, without user part and fragment."""

Email = Annotated[
    str, Field(max_length=254, pattern=rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_NAME_PART}(\.{_NAME_PART})+$")
]
"""Address of a mailbox (the common form of RFC 5321, no quoted part)."""

Bucket = Annotated[
    str,
    Field(
        min_length=3,
        max_length=63,
        pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$",
        json_schema_extra=rules(
            rule("!self.endsWith('-') && !self.contains('-.')", "each part must end with a letter or digit"),
            rule("!self.matches('^[0-9]+([.][0-9]+){3}$')", "must not look like an IP address"),
        ),
    ),
]
"""Name of a bucket (Amazon S3 User Guide, "Bucket naming rules")."""

KeyPrefix = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9/!_.*'()-]+$")]
"""Prefix of object keys: the characters that S3 calls safe."""

KmsKey = Annotated[
    str,
    Field(
        max_length=512,
        pattern=r"^(arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+|"
        r"(alias/)?[A-Za-z0-9][A-Za-z0-9_-]*)$",
    ),
]
"""A key of the store's key management: an ARN, ``alias/NAME``, or a key id."""

VpcId = Annotated[str, Field(max_length=32, pattern=r"^vpc-[0-9a-f]{8,17}$")]
"""Identifier of a VPC."""

Cidr = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        json_schema_extra=rules(rule("isCIDR(self)", "must be a network in CIDR form, such as 10.0.0.0/8")),
    ),
]
"""An IPv4 or IPv6 network."""

Retention = Annotated[str, Field(max_length=16, pattern=r"^[1-9][0-9]{0,5}(h|d|w)$")]
"""How long something is kept: whole hours, days or weeks, such as ``30d``."""

Quantity = Annotated[str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$")]
"""A Kubernetes quantity, such as ``500Gi`` or ``500m``."""

Text = Annotated[str, Field(min_length=1, max_length=1024)]
"""Some text; not empty."""


def _cron_field(low: str, names: str = "") -> str:
    value = rf"({low}{'|' + names if names else ''})"
    item = rf"(\*|{value}(-{value})?)(/[1-9][0-9]?)?"
    return rf"{item}(,{item})*"


_CRON = " +".join(
    (
        _cron_field("[0-5]?[0-9]"),
        _cron_field("[01]?[0-9]|2[0-3]"),
        _cron_field("0?[1-9]|[12][0-9]|3[01]"),
        _cron_field("0?[1-9]|1[0-2]", "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"),
        _cron_field("[0-7]", "SUN|MON|TUE|WED|THU|FRI|SAT"),
    )
)


def _fires(schedule: str) -> str:
    """Refuse what is a schedule by its form and never comes due. Raises ValueError."""
    fields = schedule.split()
    if len(fields) == 5 and fields[2].isdigit() and fields[4] == "*":
        day = int(fields[2])
        months = {part for part in fields[3].split(",") if part.isdigit()}
        if months and all(day > _LONGEST[int(month)] for month in months):
            raise ValueError("no such day comes in the months named")
    return schedule


_LONGEST = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Cron = Annotated[
    str,
    Field(max_length=128, pattern=rf"^(@(hourly|daily|weekly|monthly|yearly)|{_CRON})$"),
    AfterValidator(_fires),
]
"""A schedule: minute, hour, day of month, month, day of week (UTC), or ``@daily`` and its like."""
