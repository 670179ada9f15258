"""The API server's door without kubectl's start-up time: strict, dry, and with the message that kubectl shows."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from lab import ControlPlane
from neo4j_dr_operator.api.base import GROUP, VERSION
from neo4j_dr_operator.api.kinds import KINDS
from tests.guide import blocks, commands

PLURALS = {kind.kind: kind.plural for kind in KINDS}


def printed(block: str) -> dict[str, Any]:
    """The manifest in a block of the guide (``03-disaster-recovery-configuration``), in a here-document as well."""
    (found,) = (each for each in blocks() if each.file_name.startswith(f"{block}."))
    text = found.text
    if found.language == "bash":
        (command,) = (line for line in commands(found.slug) if "<<EOF" in line)
        text = command.split("<<EOF\n")[1].removesuffix("EOF")
    made = yaml.safe_load(text)
    assert isinstance(made, dict)
    return made


@dataclass(frozen=True)
class Case:
    """One line of a table: what is set in which manifest, and what must be refused how (nothing: it is accepted)."""

    kind: str
    block: str
    changed: bool
    line: str
    settings: tuple[tuple[str, Any], ...]
    words: str = ""
    field: str = ""

    def body(self) -> dict[str, Any]:
        """The manifest."""
        made = copy.deepcopy(printed(self.block))
        for path, value in self.settings:
            put(made, path if path.startswith("metadata.") else f"spec.{path}", value)
        return made


def put(body: Any, path: str, value: Any) -> None:
    """Set what lies at a path (``a.0.b``); None takes it out."""
    *parents, last = path.split(".")
    inner = body
    for part in parents:
        inner = inner[int(part)] if isinstance(inner, list) else inner.setdefault(part, {})
    if isinstance(inner, list):
        inner[int(last) : int(last) + 1] = [value]
    elif value is None:
        inner.pop(last, None)
    else:
        inner[last] = value


def read_table(path: Path) -> list[Case]:
    """The cases of a table; its head says how it is written."""
    cases: list[Case] = []
    state = kind = block = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            _, state, kind, _, block = line.split()
        elif line and not line.startswith("#"):
            written, *rest = (part.strip() for part in line.split(" | "))
            settings = tuple(_setting(each) for each in written.split("; "))
            words = rest[0] if rest else ""
            field = rest[1] if len(rest) > 1 else _named(settings[0][0])
            cases.append(Case(kind, block, state == "changed", written, settings, words, field))
    return cases


def _setting(text: str) -> tuple[str, Any]:
    path, _, value = text.partition(" = ")
    return path.strip(), yaml.safe_load(value)


def _named(path: str) -> str:
    if path.startswith("metadata."):
        return path
    made = "spec"
    for part in path.split("."):
        made += f"[{part}]" if part.isdigit() else f".{part}"
    return made


class Door:
    """Requests that change nothing, with strict validation."""

    def __init__(self, plane: ControlPlane) -> None:
        self._api = client.CustomObjectsApi(config.new_client_from_config(str(plane.kubeconfig)))

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.api_client.close()

    def store(self, body: dict[str, Any], namespace: str) -> dict[str, Any]:
        """Create it for good; what is stored comes back. Raises ApiException."""
        where = (GROUP, VERSION, namespace, PLURALS[body["kind"]])
        made = self._api.create_namespaced_custom_object(*where, _in(body, namespace), field_validation="Strict")
        assert isinstance(made, dict)
        return made

    def refusal(self, body: dict[str, Any], namespace: str, *, stored: dict[str, Any] | None = None) -> str | None:
        """What the server says against creating it or, where something is stored, against the change; or None."""
        where = (GROUP, VERSION, namespace, PLURALS[body["kind"]])
        options = {"dry_run": "All", "field_validation": "Strict"}
        sent = _in(body, namespace)
        try:
            if stored is None:
                self._api.create_namespaced_custom_object(*where, sent, **options)
            else:
                sent["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
                self._api.replace_namespaced_custom_object(*where, sent["metadata"]["name"], sent, **options)
        except client.ApiException as error:
            message = json.loads(error.body)["message"]
            assert isinstance(message, str)
            return message
        return None


def _in(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The manifest in another namespace."""
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}
