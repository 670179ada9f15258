"""Run one seeded schedule again and show what happened: `python tests/simulation/replay.py SEED`."""

from __future__ import annotations

import sys

from schedule import chaos


def main() -> int:
    """The trace on standard output; 1 when the schedule breaks a promise."""
    world = chaos(int(sys.argv[1])).world
    sys.stdout.write("\n".join([*world.trace, *world.violations, ""]))
    return bool(world.violations)


if __name__ == "__main__":
    sys.exit(main())
