"""``python -m demo``: tell the story.

``CHAPTERS`` names the chapters to tell (``all``, or of those in :data:`demo.chapters.CHAPTERS`; the first always is).
By default it is the story of two minutes: all but :data:`demo.chapters.ASIDE`.

With ``KEEP=1`` everything is left running in the end. Exit code 0 only if everything checked out, 1 if not, 2 for a
wrong chapter, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from demo.chapters import ABOUT, ASIDE, CHAPTERS
from demo.screen import Screen, clock
from demo.stage import Stage, StoryError
from lab import Lab
from lab.builds.recipes import BuildError
from lab.component import NotReady

TITLE = "Disaster recovery of a Neo4j graph across two regions"
BELOW = "Real servers on this machine: Neo4j Community (change capture by a stand-in), Kubernetes API, S3."


def wanted(text: str) -> list[str]:
    """Names of the chapters to tell, in order. Raises ValueError for a name that is none."""
    names = set(text.replace(",", " ").split()) or set(CHAPTERS) - ASIDE
    if "all" in names:
        names = set(CHAPTERS)
    unknown = sorted(names - set(CHAPTERS))
    if unknown:
        raise ValueError(f"no such chapter: {', '.join(unknown)}; there are all, {', '.join(CHAPTERS)}")
    return [name for name in CHAPTERS if name in names or name == "replicate"]


def main() -> int:
    """Tell the story and return the exit code."""
    try:
        names = wanted(os.environ.get("CHAPTERS", ""))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    screen = Screen(sys.stdout)
    try:
        with Lab() as lab:
            return _tell(Stage(screen, lab), names)
    except KeyboardInterrupt:
        screen.note("\ninterrupted; everything has been ended")
        return 130
    finally:
        screen.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tell(stage: Stage, names: list[str]) -> int:
    screen = stage.screen
    screen.title(TITLE, BELOW)
    code = 0
    try:
        for number, name in enumerate(names, 1):
            screen.chapter(number, *ABOUT[name])
            CHAPTERS[name](stage)
    except (StoryError, NotReady, BuildError, TimeoutError) as error:
        screen.note(f"\n{error}", "red", "bold")
        screen.note(stage.evidence())
        screen.note(f"\nthe demo has failed: {str(error).splitlines()[0]}", "red", "bold")
        code = 1
    else:
        screen.note("")
        for what, how in stage.summary:
            screen.note(f"{what:<20} {how}", "bold")
        screen.note(f"{'all of it checked':<20} in {clock(screen.elapsed)} minutes", "bold", "green")
    if os.environ.get("KEEP") not in (None, "", "0"):
        _keep(stage)
    stage.close_watch()
    return code


def _keep(stage: Stage) -> None:
    """Leave it running, but for the application."""
    stage.writer.stop()
    stage.screen.note(f"\nLeft running:\n{stage.talk()}")
    stage.lab.keep()


if __name__ == "__main__":
    sys.exit(main())
