"""The rights on the API server that the operator's code makes use of, read off the calls in it.

One file speaks to the API server (``kube/client.py``); every other room calls its methods with the name of a kind, and
kopf lists and watches the kinds that handlers are registered for. The command line works with the rights of a person.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neo4j_dr_operator.api import kinds

PACKAGE = Path(kinds.__file__).parents[1]
CLIENT = PACKAGE / "kube" / "client.py"
PLURALS = {kind.plural for kind in kinds.KINDS}
Right = tuple[str, str, str]
"""Group, resource (with its subresource), verb."""

CALLS = {
    "get_namespaced_custom_object": (kinds.GROUP, "{}", "get"),
    "patch_namespaced_custom_object": (kinds.GROUP, "{}", "patch"),
    "patch_namespaced_custom_object_status": (kinds.GROUP, "{}/status", "patch"),
    "read_namespaced_secret": ("", "secrets", "get"),
    "create_namespaced_event": ("", "events", "create"),
    "get_api_resources": None,
}
"""What a method of the Kubernetes client takes; None: discovery, which everybody may use. One not here is an error."""


@dataclass(frozen=True)
class Call:
    """A call of a method or a function, with the function around it and what that calls its parameters."""

    name: str
    arguments: list[ast.expr]
    function: str
    around: ast.AST


def _calls(path: Path) -> Iterator[Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tuples = {
        ast.unparse(node.targets[0]): node.value.elts
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
    }
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                arguments: list[ast.expr] = []
                for each in node.args:  # `*where`: what the tuple of that name is made of
                    starred = ast.unparse(each.value) if isinstance(each, ast.Starred) else None
                    arguments += tuples.get(starred, [each]) if starred else [each]
                yield Call(name, [*arguments, *(each.value for each in node.keywords)], function.name, function)


def _package() -> list[Call]:
    files = [path for path in PACKAGE.rglob("*.py") if path != CLIENT and "cli" not in path.parts]
    return [call for path in files for call in _calls(path)]


def _methods() -> dict[str, Right]:
    """What each method of the operator's client takes."""
    found = {}
    for call in _calls(CLIENT):
        if "_namespaced_" in call.name or call.name in CALLS:
            right = CALLS[call.name]
            if right is not None:
                found[call.function] = right
    return found


def _kinds(nodes: Iterator[Any]) -> set[str]:
    """Kinds that are named in a piece of code: by their constants or by their plural."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Constant) and node.value in PLURALS:
            found.add(str(node.value))
        elif isinstance(node, ast.Name) and isinstance(getattr(kinds, node.id, None), kinds.Kind):
            found.add(getattr(kinds, node.id).plural)
    return found


def _meant(call: Call, package: list[Call]) -> set[str]:
    """The kinds that a call is about: named in it, else in the function around it, else by whoever calls that."""
    named = _kinds(node for each in call.arguments for node in ast.walk(each))
    named = named or _kinds(ast.walk(call.around))
    callers = [other for other in package if other.name == call.function]
    return named or {kind for other in callers for each in other.arguments for kind in _kinds(ast.walk(each))}


@functools.cache
def used() -> frozenset[Right]:
    """Every right that some call takes."""
    methods, package = _methods(), _package()
    found: set[Right] = set()
    for call in package:
        about_a_kind = not {"GROUP", "group"}.isdisjoint(ast.unparse(each) for each in call.arguments)
        if call.name == "event" and about_a_kind:
            found |= {(kinds.GROUP, plural, verb) for plural in _meant(call, package) for verb in ("list", "watch")}
        elif call.name in methods:
            group, resource, verb = methods[call.name]
            if "{}" not in resource:
                found.add((group, resource, verb))
            elif about_a_kind:
                meant = _meant(call, package)
                assert meant, f"which kind does {call.name} in {call.function} speak of?"
                found |= {(group, resource.format(plural), verb) for plural in meant}
    return frozenset(found)
