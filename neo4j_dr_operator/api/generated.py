"""The files that are generated from the models, ``crds/`` and ``docs/api.md``: written, or compared.

Written with PyYAML, which only this command needs (and the Kubernetes client brings along): it is imported when text is
rendered, not with the module.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neo4j_dr_operator.api.crd import definition
from neo4j_dr_operator.api.kinds import KINDS
from neo4j_dr_operator.api.reference import render

_HEADER = "# Generated from the models in neo4j_dr_operator/api by `neo4j-dr-operator crds`: change those, not this.\n"


def render_all() -> dict[str, str]:
    """File name to YAML text of every manifest; the same text for the same models."""
    import yaml

    class Plain(yaml.SafeDumper):
        """Never writes anchors: a shared list is written out each time."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return {
        f"{kind.plural}.yaml": _HEADER
        + yaml.dump(definition(kind), Dumper=Plain, sort_keys=False, width=100, allow_unicode=True)
        for kind in KINDS
    }


def write(directory: Path) -> list[str]:
    """Write every manifest; returns the names of those that changed. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in render_all().items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def check(directory: Path) -> list[str]:
    """One sentence for each manifest that is missing, differs from the models, or belongs to no model."""
    wanted = render_all()
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.yaml"))}
    drift = [f"{name}: missing" for name in wanted if name not in found]
    drift += [f"{name}: differs from the models" for name in wanted if name in found and found[name] != wanted[name]]
    return drift + [f"{name}: belongs to no model" for name in found if name not in wanted]


def check_docs(path: Path, text: str) -> list[str]:
    """One sentence where the reference is missing or differs from the models."""
    if not path.exists():
        return [f"{path.name}: missing"]
    return [] if path.read_text(encoding="utf-8") == text else [f"{path.name}: differs from the models"]


def main(argv: Sequence[str]) -> int:
    """``crds [--check] [--docs FILE] [DIR]``: write manifests and reference, or say what differs (exit code 1)."""
    parser = argparse.ArgumentParser(prog="neo4j-dr-operator crds", description="Write the CustomResourceDefinitions.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="the reference of the API, in Markdown")
    parser.add_argument("directory", type=Path, metavar="DIR", nargs="?")
    options = parser.parse_args(argv)
    if options.directory is None and options.docs is None:
        parser.error("nothing to write: give DIR, --docs FILE or both")
    if options.check:
        drift = check(options.directory) if options.directory else []
        drift += check_docs(options.docs, render()) if options.docs else []
        sys.stdout.writelines(f"{line}\n" for line in drift)
        return 1 if drift else 0
    written = write(options.directory) if options.directory else []
    if options.docs and check_docs(options.docs, render()):
        options.docs.write_text(render(), encoding="utf-8")
        written.append(options.docs.name)
    sys.stdout.writelines(f"{name}: written\n" for name in written)
    return 0
