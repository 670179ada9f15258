"""Where a link worker's code calls a database, read from its sources: what a matrix of crashes has to have struck.

A *site* is a call through the door to Neo4j, by whatever name the database, transaction or writer goes there. A
*statement* is a constant of a module whose text a server understands; it is *used* by each function that names it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import neo4j_dr_operator.replication.worker
from neo4j_dr_operator.graph import cypher

PACKAGE = neo4j_dr_operator.replication.__name__
DOOR = ("row", "rows", "stream", "write", "send", "commit", "guarded")
"""What a database, an open transaction or a link's writer is called with."""
LATER = ("rows", "stream")
"""What asks only when the first row is wanted, somewhere in the same function."""
NO_DOOR = ("file", "stderr", "_lines")
"""What is written to by the same word, and is no database."""
STATEMENT = re.compile(r"\b(RETURN|CREATE|DELETE|MERGE|SHOW (CONSTRAINTS|INDEXES))\b")
UNNAMED = "(made there)"


@dataclass(frozen=True, order=True)
class Site:
    """A call in lines ``first`` to ``last`` of a function (``module.function``)."""

    function: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.function}:{self.first}"


@dataclass(frozen=True, order=True)
class Use:
    """A function that names a statement, and the functions that it hands it to."""

    function: str
    statement: str
    to: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.function} {self.statement}"


@dataclass(frozen=True)
class Struck:
    """A call as the worker names it: functions with their lines, outermost first, and the statement."""

    frames: tuple[tuple[str, int], ...]
    statement: str

    @classmethod
    def of(cls, name: str) -> Struck:
        """From the name."""
        *chain, statement = name.split(" > ")
        parts = (each.rpartition(":") for each in chain)
        return cls(tuple((function, int(line)) for function, _, line in parts), statement)

    @property
    def functions(self) -> set[str]:
        """Without their lines."""
        return {function for function, _ in self.frames}


def modules() -> list[ModuleType]:
    """The worker's part of replication."""
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(f"{PACKAGE}.")]


def statements(module: ModuleType) -> dict[str, list[str]]:
    """Names of a module's constants, and those of the statements that they hold, as the worker names them."""
    found = {}
    for name, value in vars(module).items():
        if isinstance(value, str) and STATEMENT.search(value) and not name.startswith("__"):
            found[name] = [UNNAMED if "{}" in value else name]
        elif (
            isinstance(value, tuple) and value and all(isinstance(one, str) and STATEMENT.search(one) for one in value)
        ):
            found[name] = [f"{name}[{number}]" for number in range(len(value))]
    return found


def functions(module: ModuleType) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of a module, also those inside others."""
    assert module.__file__ is not None
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(node, ast.FunctionDef):
            yield f"{module.__name__.rpartition('.')[2]}.{node.name}", node


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, and not in one that is defined inside it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own(node)


def sites() -> set[Site]:
    """Every call through the door."""
    found = set()
    for module in modules():
        for name, function in functions(module):
            for node in _own(function):
                if (asked := _asked(node)) is not None:
                    place = function if asked in LATER else node
                    found.add(Site(name, place.lineno, place.end_lineno or place.lineno))
    return found


def _asked(node: ast.AST) -> str | None:
    """The word with which the door is called, if it is."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DOOR):
        return None
    receiver = node.func.value
    name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    return None if name in NO_DOOR else node.func.attr


def uses() -> set[Use]:
    """Every function that names a statement of its module, of another one, or of :mod:`cypher`."""
    found = set()
    for module in modules():
        known = statements(module)
        shared = {name: [name] for name in statements(cypher)}
        for name, function in functions(module):
            for statement, node in _named(function, known, shared):
                found.add(Use(name, statement, tuple(sorted(_handed(function, node)))))
    return found


def _named(
    function: ast.FunctionDef, known: dict[str, list[str]], shared: dict[str, list[str]]
) -> Iterator[tuple[str, ast.expr]]:
    for node in _own(function):
        if isinstance(node, ast.Name):
            names = known.get(node.id, [])
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "cypher":
            names = shared.get(node.attr, [])
        else:
            continue
        for each in names:
            yield each, node


def _handed(function: ast.FunctionDef, named: ast.expr) -> Iterator[str]:
    """The functions that are called with it."""
    for node in _own(function):
        if isinstance(node, ast.Call) and any(one is named for given in node.args for one in ast.walk(given)):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def missing(struck: set[str], exempt: set[str]) -> list[str]:
    """What no worker died at: sites, uses of statements, and statements; but for functions that are ``exempt``, and for
    uses that are, whose statement may have been struck anywhere."""
    calls = [Struck.of(name) for name in struck]
    lines = {frame for call in calls for frame in call.frames}
    found = {
        str(site)
        for site in sites()
        if site.function not in exempt
        and not any((site.function, line) in lines for line in range(site.first, site.last + 1))
    }
    for use in uses():
        if use.function in exempt:
            continue
        by = {use.function, *(f"{module}.{to}" for module in _modules(use) for to in use.to)}
        anywhere = str(use) in exempt
        if not any(call.statement == use.statement and (anywhere or call.functions & by) for call in calls):
            found.add(str(use))
    named = {use.statement for use in uses()}
    found |= {f"cypher {name}" for name in statements(cypher) if name not in named}
    return sorted(found)


def _modules(use: Use) -> tuple[str, ...]:
    return use.function.partition(".")[0], "link"
