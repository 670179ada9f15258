"""``python -m lab.manifests [--check]``: what is made from ``crds/`` and the chart, or whether it still says the same.

The chart carries its own copy of the definitions (a chart is packed from its directory alone). ``deploy/manifests`` is
the chart as Helm renders it with the default values, for people without Helm: one directory for ``kubectl apply -f``,
files in the order in which they have to be applied.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from lab import builds

ROOT = Path(__file__).resolve().parent.parent
CRDS = ROOT / "crds"
CHART = ROOT / "deploy" / "helm" / "neo4j-dr-operator"
MANIFESTS = ROOT / "deploy" / "manifests"
NAMESPACE = "neo4j-operator-system"
RELEASE = "neo4j-operator"
HEADER = "# Made from the chart: make manifests. Do not edit.\n"
HELM_ONLY = ("helm.sh/chart", "app.kubernetes.io/managed-by")
"""Labels that say who installed an object."""
LEVELS = ("enforce", "warn")
"""What the namespace asks of pods, at the strictest of the pod security standards."""


def template(*arguments: str, chart: Path = CHART) -> list[dict[str, Any]]:
    """The objects of the chart with further arguments of ``helm template``. CalledProcessError when Helm refuses."""
    command = [str(builds.program("helm")), "template", RELEASE, str(chart), "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, "helm template", done.stdout, done.stderr)
        error.add_note(done.stderr)
        raise error
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def files() -> dict[Path, str]:
    """Path and text of every file that is made."""
    definitions = {path.name: path.read_text(encoding="utf-8") for path in sorted(CRDS.glob("*.yaml"))}
    made = {CHART / "files" / "crds" / name: text for name, text in definitions.items()}
    labels = {f"pod-security.kubernetes.io/{level}": "restricted" for level in LEVELS}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    made[MANIFESTS / "00-namespace.yaml"] = HEADER + _dump([namespace])
    made |= {MANIFESTS / f"10-{name}": text for name, text in definitions.items()}
    made[MANIFESTS / "20-operator.yaml"] = HEADER + _dump(
        [_plain(each) for each in template("--set=crds.install=false")]
    )
    return made


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    metadatas = [document["metadata"]]
    if document["kind"] == "Deployment":
        metadatas.append(document["spec"]["template"]["metadata"])
    for metadata in metadatas:
        for label in HELM_ONLY:
            metadata["labels"].pop(label, None)
    return document


def _dump(documents: list[dict[str, Any]]) -> str:
    return str(yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True))


def drift() -> list[str]:
    """One sentence for each file that is missing, differs from what would be made, or is made by nobody."""
    wanted = files()
    found = {path for folder in {path.parent for path in wanted} for path in folder.glob("*")}
    said = [f"{path.relative_to(ROOT)}: missing" for path in wanted if path not in found]
    for path in sorted(found):
        if path not in wanted:
            said.append(f"{path.relative_to(ROOT)}: made by nobody")
        elif path.read_text(encoding="utf-8") != wanted[path]:
            said.append(f"{path.relative_to(ROOT)}: differs, run make manifests")
    return said


def write() -> list[Path]:
    """Write every file and remove what nobody makes; returns the paths that changed."""
    wanted, changed = files(), []
    for folder in {path.parent for path in wanted}:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in set(folder.glob("*")) - wanted.keys():
            stale.unlink()
            changed.append(stale)
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> int:
    """Exit code: 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m lab.manifests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    if parser.parse_args().check:
        said = drift()
        sys.stderr.write("".join(f"{line}\n" for line in said))
        return 1 if said else 0
    for path in write():
        sys.stderr.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
