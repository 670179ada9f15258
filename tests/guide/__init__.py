"""The user's guide as test data: its manifests and command lines, verbatim, without its prose.

``blocks/`` holds each fenced block as ``NN-<heading>.<language>`` in the order of the guide. A test that runs a line
of the guide takes it from here, so that what is tested is what is printed.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).parent / "blocks"
_FENCE = re.compile(r"^(?P<indent>[ ]*)```(?P<language>\w*)\s*$")
_HEADING = re.compile(r"^#{2,}\s+(?:\d+\.\s+)?(?P<title>.+?)\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its number in the guide (from 1), the heading it stands under as a slug, language and text."""

    number: int
    slug: str
    language: str
    text: str

    @property
    def file_name(self) -> str:
        """Name of its data file."""
        return f"{self.number:02d}-{self.slug}.{self.language}"


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def parse(markdown: str) -> list[Block]:
    """Every fenced block with a language, in order; a block inside a list loses the list's indent.

    Raises ValueError when a fence is never closed.
    """
    made: list[Block] = []
    slug, number, opened, lines = "", 0, None, list[str]()
    for line in markdown.splitlines():
        fence = _FENCE.match(line)
        if opened is None:
            heading = _HEADING.match(line)
            slug = _slug(heading["title"]) if heading else slug
            opened, lines = fence, []
        elif fence and not fence["language"]:
            if opened["language"]:
                number += 1
                made.append(Block(number, slug, opened["language"], textwrap.dedent("\n".join(lines)) + "\n"))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        raise ValueError("a fence is not closed")
    return made


def blocks() -> list[Block]:
    """The blocks kept here, in the order of the guide."""
    made = []
    for path in sorted(DIRECTORY.iterdir()):
        number, _, slug = path.stem.partition("-")
        made.append(Block(int(number), slug, path.suffix.removeprefix("."), path.read_text(encoding="utf-8")))
    return made


def find(heading: str, language: str) -> list[Block]:
    """The blocks of that language under the one heading that contains the words. Raises LookupError otherwise."""
    found = [block for block in blocks() if block.language == language and _slug(heading) in block.slug]
    if len({block.slug for block in found}) != 1:
        names = ", ".join(block.file_name for block in found) or "none"
        raise LookupError(f"the words {heading!r} must mean one heading with {language} blocks; found: {names}")
    return found


def manifest(heading: str) -> str:
    """The first manifest under a heading, such as ``primary cluster setup``, verbatim."""
    return find(heading, "yaml")[0].text


def commands(heading: str, program: str = "kubectl") -> list[str]:
    """The printed commands of one program under a heading, such as ``planned failover``, verbatim and in order.

    A command that goes on (a backslash at the end of a line, a here-document) is one entry; each can be given to a
    shell as it is.
    """
    found = [command for block in find(heading, "bash") for command in split(block.text)]
    return [command for command in found if command.split(maxsplit=1)[0] == program]


def split(script: str) -> list[str]:
    """The commands of a shell script: comments and empty lines left out, lines that belong together kept together."""
    made: list[str] = []
    lines = iter(script.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        command = [line]
        while command[-1].endswith("\\"):
            command.append(next(lines))
        here = re.search(r"<<-?\s*['\"]?(\w+)", line)
        while here and command[-1].strip() != here[1]:
            command.append(next(lines))
        made.append("\n".join(command))
    return made
