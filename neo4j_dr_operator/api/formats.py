"""Text formats of the API: names, addresses, keys, amounts. The API server checks each as the models do.

A refusal is a sentence that says what is allowed. Lengths are bounded everywhere: the API server takes no CEL rule
whose cost has no bound.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from neo4j_dr_operator.api.base import Checks, Form, refuse, rule

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_PART = r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_LAST_PART = r"([0-9][-A-Za-z0-9]{0,30})?[A-Za-z]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HOST = rf"(({_PART}[.])*{_LAST_PART}|{_BYTE}([.]{_BYTE}){{3}}|\[[0-9A-Fa-f:.]+\])"
_HOST_SAYS = "a host is a DNS name, an IPv4 address, or an IPv6 address in brackets; a port is 1 to 65535"


def _odd_brackets(text: str) -> bool:
    """Whether what stands in brackets is no IPv6 address."""
    inside = text[text.index("[") + 1 : text.index("]")] if "[" in text and "]" in text else "::"
    try:
        return ipaddress.ip_address(inside).version != 6
    except ValueError:
        return True


_INSIDE = "self.substring(self.indexOf('[') + 1, self.indexOf(']'))"
_BRACKETS_SAY = "what stands in brackets must be an IPv6 address, such as [2001:db8::1]"
_BRACKETS = Checks(
    rule(
        f"self.indexOf(']') <= self.indexOf('[') || (isIP({_INSIDE}) && ip({_INSIDE}).family() == 6)",
        _BRACKETS_SAY,
    )
)
_IPV6 = AfterValidator(refuse(_odd_brackets, _BRACKETS_SAY))

Name = Annotated[
    str,
    Field(min_length=1, max_length=63),
    Form(rf"^{_LABEL}$", "must be lower-case letters, digits and -, beginning and ending with a letter or digit"),
]
"""Name of a resource of ours; a DNS label, since Services and pods are named after it."""

SecretName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Form(
        rf"^{_LABEL}([.]{_LABEL})*$",
        "must be the name of a Kubernetes object: lower-case letters, digits, - and ., each part beginning and ending "
        "with a letter or digit",
    ),
]
"""Name of a Secret in the namespace of the resource that refers to it (or of a StorageClass)."""

SecretKey = Annotated[
    str, Field(min_length=1, max_length=253), Form(r"^[-._A-Za-z0-9]+$", "must be letters, digits, -, _ and .")
]
"""A key in a Secret."""

Region = Annotated[
    str,
    Field(min_length=1, max_length=63),
    Form(
        r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "must be letters, digits, -, _ and ., beginning and ending with a letter or digit, such as us-east-1",
    ),
]
"""Name of a region; the same text everywhere it is meant. A label value, so that it can be selected by."""

BoltUri = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Form(
        rf"^(bolt|neo4j)([+]s)?://{_HOST}(:{_PORT})?$",
        "must be bolt://, bolt+s://, neo4j:// or neo4j+s:// with host and port, and nothing after them (no user, no "
        f"path, no query): {_HOST_SAYS}",
    ),
    _BRACKETS,
    _IPV6,
]
"""Address of a database: scheme, host and port only, so no password can hide in it. With ``+s``, TLS."""

HostPort = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Form(rf"^{_HOST}(:{_PORT})?$", f"must be HOST or HOST:PORT without a scheme: {_HOST_SAYS}"),
    _BRACKETS,
    _IPV6,
]
"""Host with an optional port (1 to 65535)."""

StoreUrl = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Form(
        rf"^https?://{_HOST}(:{_PORT})?/?$",
        f"must be http:// or https:// with host and port, and nothing after them: {_HOST_SAYS}",
    ),
    _BRACKETS,
    _IPV6,
]
"""URL of an object store: no path, no user part."""

WebUrl = Annotated[
    str,
    Field(min_length=1, max_length=2048),
    Form(
        rf"^https?://{_HOST}(:{_PORT})?(/[-A-Za-z0-9._~%!$&'()*+,;=:@/]*)?([?][-A-Za-z0-9._~%!$&'()*+,;=:@/?]*)?$",
        f"must be an http:// or https:// URL without user part and fragment: {_HOST_SAYS}",
    ),
]
"""URL of a web hook, without user part and fragment."""

Email = Annotated[
    str,
    Field(min_length=1, max_length=254),
    Form(
        rf"^[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+([.][A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@({_PART}[.])+{_LAST_PART}$",
        "must be the address of a mailbox, such as ops-team@example.com",
    ),
]
"""Address of a mailbox (the common form of RFC 5321, no quoted part)."""

_LIKE_IP = "^[0-9]+([.][0-9]+){3}$"
_RESERVED = "!self.startsWith('xn--') && !self.startsWith('sthree-') && !self.endsWith('-s3alias')"
Bucket = Annotated[
    str,
    Field(min_length=3, max_length=63),
    Form(
        rf"^{_LABEL}([.]{_LABEL})*$",
        "must be the name of a bucket: lower-case letters, digits, - and ., each part beginning and ending with a "
        "letter or digit",
    ),
    Checks(rule(f"!self.matches('{_LIKE_IP}')", "must not look like an IP address")),
    AfterValidator(refuse(lambda text: re.fullmatch(_LIKE_IP, text) is not None, "must not look like an IP address")),
    Checks(rule(_RESERVED, "must not begin with xn-- or sthree-, nor end with -s3alias: Amazon keeps these names")),
]
"""Name of a bucket (Amazon S3 User Guide, "Bucket naming rules")."""

KeyPrefix = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Form(r"^[A-Za-z0-9/!_.*'()-]+$", "must be letters, digits and / ! _ . * ' ( ) -, such as /transaction-logs"),
]
"""Prefix of object keys: the characters that S3 calls safe."""

KmsKey = Annotated[
    str,
    Field(min_length=1, max_length=512),
    Form(
        r"^(arn:aws(-[a-z]+)*:kms:[a-z]{2,}(-[a-z]+)+-[0-9]+:[0-9]{12}:key/[A-Za-z0-9_-]+|[A-Za-z0-9][A-Za-z0-9_-]*)$",
        "must be arn:aws:kms:REGION:ACCOUNT:key/ID with an account of 12 digits, or the id of a key; no alias, because "
        "the store answers with the key behind it, and that answer has to prove which key was used",
    ),
]
"""A key of the store's key management: an ARN or a key id, which are what a store answers with."""

VpcId = Annotated[
    str,
    Field(min_length=1, max_length=32),
    Form(r"^vpc-([0-9a-f]{8}|[0-9a-f]{17})$", "must be vpc- with 8 or 17 hexadecimal digits, such as vpc-12345678"),
]
"""Identifier of a VPC."""


def _no_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return True
    return "/" not in text


_CIDR_SAYS = "must be an IPv4 or IPv6 network in CIDR form, such as 10.0.0.0/8"
Cidr = Annotated[
    str,
    Field(min_length=1, max_length=64),
    Checks(rule("isCIDR(self)", _CIDR_SAYS)),
    AfterValidator(refuse(_no_network, _CIDR_SAYS)),
]
"""An IPv4 or IPv6 network."""

Retention = Annotated[
    str,
    Field(min_length=1, max_length=16),
    Form(
        r"^[1-9][0-9]{0,5}(h|d|w)?$",
        "must be whole hours, days or weeks, such as 12h, 30d or 4w, or a number of snapshots, such as 7",
    ),
]
"""How long something is kept, in whole hours, days or weeks, such as ``30d``; or how many of it, such as ``7``."""

Quantity = Annotated[
    str,
    Field(min_length=1, max_length=32),
    Form(
        r"^([1-9][0-9]{0,17}([.][0-9]{1,9})?|0[.][0-9]{0,8}[1-9])(m|Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$",
        "must be a Kubernetes quantity above zero, such as 500Gi or 500m",
    ),
]
"""A Kubernetes quantity, such as ``500Gi`` or ``500m``; not zero."""

NOT_BLANK = Checks(rule("self.trim() != ''", "must not be blank"))
"""Annotation of a text in which blanks alone say nothing."""

Text = Annotated[str, Field(min_length=1, max_length=1024)]
"""Some text; not empty."""
