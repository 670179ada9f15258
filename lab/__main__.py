"""``python -m lab``: doctor, build, up, down, clean."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from types import FrameType

from lab import builds, cache, doctor, run
from lab.builds import recipes
from lab.builds.progress import say


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    look = commands.add_parser(
        "doctor", help="look for the tools that are needed; install them in CI and as root on Debian"
    )
    look.add_argument(
        "--image", action="store_true", help="also those that build the operator's image, and those of single tests"
    )
    build = commands.add_parser("build", help="build programs into the cache")
    build.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(recipes.RECIPES)}")
    commands.add_parser("up", help="start a lab and leave it running")
    commands.add_parser("down", help="end the labs that were left running")
    clean = commands.add_parser("clean", help="end what dead labs left, forget logs")
    clean.add_argument("--builds", action="store_true", help="also forget everything that was built")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return COMMANDS[options.command](options)
    except recipes.BuildError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _doctor(options: argparse.Namespace) -> int:
    return doctor.main(image=options.image)


def _build(options: argparse.Namespace) -> int:
    unknown = [name for name in options.names if name not in recipes.RECIPES]
    if unknown:
        say(f"no such build: {', '.join(unknown)}")
        return 2
    builds.ensure(options.names or recipes.RECIPES)
    return 0


def _up(options: argparse.Namespace) -> int:
    from lab import standing  # needs the Python environment, unlike doctor and build

    standing.up()
    return 0


def _down(options: argparse.Namespace) -> int:
    for path in run.kept():
        run.end(path)
        say(f"ended {path.name}")
    run.sweep()
    return 0


def _clean(options: argparse.Namespace) -> int:
    for path in run.sweep():
        say(f"cleared {path.name}")
    for name in ("logs", *(["builds", "go"] if options.builds else [])):
        shutil.rmtree(cache.root() / name, ignore_errors=True)
    return 0


COMMANDS = {"doctor": _doctor, "build": _build, "up": _up, "down": _down, "clean": _clean}

if __name__ == "__main__":
    sys.exit(main())
