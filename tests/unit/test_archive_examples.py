"""The rights in ``examples/archive`` are those of the calls that the code makes: no more, and none is missing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import hcl2
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import ANY, Stubber

from neo4j_dr_operator.objectstore.objects import Bucket
from neo4j_dr_operator.objectstore.s3 import S3Address

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, EXAMPLES = ROOT / "neo4j_dr_operator", ROOT / "examples" / "archive"
RIGHTS = {
    "PutObject": {"s3:PutObject"},
    "GetObject": {"s3:GetObject"},
    "HeadObject": {"s3:GetObject"},
    "DeleteObject": {"s3:DeleteObject"},
    "DeleteObjects": {"s3:DeleteObject"},
    "ListObjectsV2": {"s3:ListBucket"},
    "HeadBucket": {"s3:ListBucket"},
    "CreateMultipartUpload": {"s3:PutObject"},
    "UploadPart": {"s3:PutObject"},
    "CompleteMultipartUpload": {"s3:PutObject"},
    "AbortMultipartUpload": {"s3:AbortMultipartUpload"},
    "GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration"},
}
"""Rights that a call takes (Amazon S3 API reference, "Required permissions"); a call that is not here fails a test."""
ROOMS = {"ship": "shipping", "backup": "backup", "audit": "audit", "restore": "restore"}
"""Policy: the room whose programs it is for."""
PLACES = {"account", "admin_arn", "bucket", "key_arn", "operator_arn", "path", "region", "restore_arn"}
KEYS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
OPERATORS = {"ArnNotEquals", "Bool", "Null", "StringEquals", "StringLike", "StringNotEqualsIfExists"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def policy(name: str) -> list[dict[str, Any]]:
    """Statements of a policy."""
    document = json.loads((EXAMPLES / "policies" / f"{name}.json").read_text(encoding="utf-8"))
    assert document["Version"] == "2012-10-17"
    statements = document["Statement"]
    assert isinstance(statements, list)
    return statements


def allowed(name: str) -> set[str]:
    return {action for each in policy(name) if each["Effect"] == "Allow" for action in as_list(each["Action"])}


def calls(path: Path) -> Iterator[ast.Call]:
    """Calls of methods in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node


def operations() -> dict[str, set[str]]:
    """Operations of S3 that the code asks a client for, by the function that does; ``boto3`` is in one room."""
    known = boto3.client("s3", region_name="us-east-1").meta.method_to_api_mapping
    found: dict[str, set[str]] = {}
    for path in (PACKAGE / "objectstore").glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                name = node.func.attr
                if name == "get_paginator":
                    name = ast.literal_eval(node.args[0])
                if name in known:
                    found.setdefault(function.name, set()).add(known[name])
    return found


def test_the_rights_are_those_of_the_calls() -> None:
    made = {operation for each in operations().values() for operation in each}
    assert {"PutObject", "GetObject", "ListObjectsV2", "DeleteObject"} <= made
    assert made <= RIGHTS.keys(), "say which right it takes"
    wanted = {right for operation in made for right in RIGHTS[operation]}
    given = {right for name in ROOMS for right in allowed(name) if right.startswith("s3:")}
    assert given == wanted


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_a_program_may_do_what_its_room_does(name: str) -> None:
    """By the methods that its room calls of a location: get, put, list, folders, delete."""
    by_method, wanted = operations(), set()
    for path in (PACKAGE / ROOMS[name]).glob("*.py"):
        for call in calls(path):
            assert isinstance(call.func, ast.Attribute)
            if "bucket" in ast.unparse(call.func.value).rpartition(".")[2] and call.func.attr in by_method:
                wanted |= {right for operation in by_method[call.func.attr] for right in RIGHTS[operation]}
    given = {right for right in allowed(name) if right.startswith("s3:")}
    assert wanted, f"nothing found in {ROOMS[name]}"
    assert wanted <= given


def test_only_backups_delete_and_restores_only_read() -> None:
    assert [name for name in ROOMS if "s3:DeleteObject" in allowed(name)] == ["backup"]
    assert allowed("restore") == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}


def test_a_key_may_be_used_by_who_may_use_the_bucket() -> None:
    """A put takes a data key, a get its decryption; both by way of S3 only."""
    for name in ROOMS:
        rights = allowed(name)
        assert ("kms:GenerateDataKey" in rights) == ("s3:PutObject" in rights)
        assert "kms:Decrypt" in rights
    uses = [each for each in policy("key") if "kms:Decrypt" in as_list(each["Action"])]
    assert len(uses) == 2
    assert all("kms:ViaService" in each["Condition"]["StringEquals"] for each in uses)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "policies").glob("*.json")), ids=lambda path: path.stem)
def test_a_policy_is_one_by_the_grammar(path: Path) -> None:
    """Elements, operators, principals where they belong, an id of letters and digits, only names that are filled in."""
    by_resource = path.stem in ("bucket", "key")
    statements = policy(path.stem)
    assert len({each["Sid"] for each in statements}) == len(statements)
    for each in statements:
        assert each.keys() <= KEYS
        assert each["Sid"].isalnum()
        assert each["Effect"] in ("Allow", "Deny")
        assert ("Principal" in each) == by_resource
        assert all(re.fullmatch(r"(s3|kms):(\*|[A-Z][A-Za-z]+)", action) for action in as_list(each["Action"]))
        assert each.get("Condition", {}).keys() <= OPERATORS
        if path.stem != "key":
            assert all(text.startswith("arn:aws:s3:::${bucket}") or text == "${key_arn}" for text in _resources(each))
        if by_resource and each["Effect"] == "Deny":
            assert each["Condition"], "a denial of everything to everybody would lock the owner out"
    assert set(re.findall(r"\$\{([^}]*)\}", path.read_text(encoding="utf-8"))) <= PLACES


def _resources(statement: dict[str, Any]) -> list[str]:
    return [str(resource) for resource in as_list(statement["Resource"])]


def test_the_bucket_lets_nobody_overwrite_what_is_written_once() -> None:
    """By the names of the format: segments, amendments, chunks, manifests, and not the marks that are replaced."""
    (once,) = (each for each in policy("bucket") if each["Sid"] == "WrittenOnce")
    patterns = [re.escape(text.partition("${path}/")[2]).replace(r"\*", ".*") for text in _resources(once)]

    def denied(name: str) -> bool:
        return any(re.fullmatch(pattern, name) for pattern in patterns)

    archive = "neo4j-production/cross-region-dr"
    written = (
        f"{archive}/0000000001/000000000001.seg",
        f"{archive}/amendments/{'a' * 64}.seg",
        f"{archive}/chunks/aa/{'a' * 64}.gz",
        f"{archive}/snapshots/0000000001/1-2-3.json",
    )
    assert [name for name in written if not denied(name)] == []
    replaced = ("0000000001/watermark.json", "encryption-probe")
    assert [name for name in replaced if denied(f"{archive}/{name}")] == []
    assert once["Condition"] == {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}


def test_no_rule_expires_what_is_current_or_moves_it_away() -> None:
    rules = json.loads((EXAMPLES / "lifecycle.json").read_text(encoding="utf-8"))["Rules"]
    for rule in rules:
        assert rule["Status"] == "Enabled"
        assert "Transitions" not in rule
        assert rule.get("Expiration", {}).keys() <= {"ExpiredObjectDeleteMarker"}
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:  # the SDK's own check of the form
        stub.add_response("put_bucket_lifecycle_configuration", {}, {"Bucket": "b", "LifecycleConfiguration": ANY})
        client.put_bucket_lifecycle_configuration(Bucket="b", LifecycleConfiguration={"Rules": rules})


def test_every_put_carries_a_checksum() -> None:
    """A bucket with object lock takes none without."""
    bucket = Bucket(S3Address("b", region="eu-west-1", access_key="a", secret_key="s"), 1.0, None)
    asked: list[dict[str, Any]] = []

    def answer(model: Any, params: dict[str, Any], **rest: Any) -> tuple[AWSResponse, dict[str, Any]]:
        asked.append(params["headers"])
        return AWSResponse("", 200, {}, None), {"ResponseMetadata": {"HTTPStatusCode": 200}}

    bucket._client.meta.events.register("before-call.s3.PutObject", answer)
    bucket.put("k", b"x", create=False)
    bucket.put("k", b"x", create=True)
    assert [each["x-amz-checksum-sha256"] for each in asked] == ["LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="] * 2
    assert [each.get("If-None-Match") for each in asked] == [None, "*"]


# -- Terraform ---------------------------------------------------------------------------------------------------------
def blocks(kind: str) -> list[tuple[list[str], dict[str, Any]]]:
    """Labels and contents of the blocks of a kind, of all files."""
    found = []
    for path in sorted((EXAMPLES / "terraform").glob("*.tf")):
        for block in hcl2.loads(path.read_text(encoding="utf-8")).get(kind, []):
            labels: list[str] = []
            while len(block) == 1 and next(iter(block)).startswith('"'):
                ((label, block),) = block.items()
                labels.append(label.strip('"'))
            found.append((labels, block))
    return found


def text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (EXAMPLES / "terraform").glob("*.tf"))


def test_every_name_that_is_used_is_declared_and_the_other_way_round() -> None:
    variables = {labels[0] for labels, _ in blocks("variable")}
    assert set(re.findall(r"\bvar\.(\w+)", text())) == variables
    local = {name for _, block in blocks("locals") for name in block if name != "__is_block__"}
    assert set(re.findall(r"\blocal\.(\w+)", text())) == local
    made = {".".join(labels) for labels, _ in blocks("resource")}
    assert {f"{kind}.{name}" for kind, name in re.findall(r"(?<!\")\b(aws_\w+)\.(\w+)", text())} <= made | {
        ".".join(labels) for labels, _ in blocks("data")
    }
    assert len(made) == len(blocks("resource"))


def test_terraform_takes_the_policies_beside_it() -> None:
    """Every file is used, and is given every name that it wants."""
    ((_, block),) = blocks("locals")
    named = set(block["names"]) - {"__is_block__"}
    assert named | {"key_arn"} == PLACES
    rights = set(block["rights"]) - {"__is_block__"}
    written = set(re.findall(r"local\.policies}/([\w]+)\.json", text()))
    assert rights | written == {path.stem for path in (EXAMPLES / "policies").glob("*.json")}
    assert "key_arn" not in (EXAMPLES / "policies" / "key.json").read_text(encoding="utf-8"), "it is not known yet"


def test_terraforms_rules_are_those_of_the_file() -> None:
    (rules,) = [block["rule"] for labels, block in blocks("resource") if labels[0].endswith("lifecycle_configuration")]
    listed = json.loads((EXAMPLES / "lifecycle.json").read_text(encoding="utf-8"))["Rules"]
    assert [rule["id"].strip('"') for rule in rules] == [rule["ID"] for rule in listed]
    parts = listed[0]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    assert rules[0]["abort_incomplete_multipart_upload"][0]["days_after_initiation"] == parts
    default = next(block["default"] for labels, block in blocks("variable") if labels == ["kept_days"])
    assert default == listed[1]["NoncurrentVersionExpiration"]["NoncurrentDays"]
    markers = {"expired_object_delete_marker", "__is_block__"}
    assert all("expiration" not in rule or set(rule["expiration"][0]) <= markers for rule in rules)


def test_the_list_of_files_is_whole() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = [path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.json")]
    assert [str(path) for path in files if f"`{path}`" not in listed] == []
    filled = set(re.findall(r"`([a-z_]+)`", listed.partition("The files have names in")[2].partition("```")[0]))
    assert filled == PLACES
