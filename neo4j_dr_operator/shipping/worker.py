"""The log shipper: a process that ships one archive at one epoch. docs/archive-format.md has the format.

Threads: commands (standard input), reports (standard output), gauge (what the source has meanwhile), reader; encoding
and putting is done by the main thread. The process ends at once when its standard input ends: its parent died.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import threading

import orjson

from neo4j_dr_operator import errors
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.replication.report import Lines, Problem, Reporter
from neo4j_dr_operator.shipping.config import ShipperConfig
from neo4j_dr_operator.shipping.gauge import Gauge
from neo4j_dr_operator.shipping.shipper import POINTS, Shipper
from neo4j_dr_operator.shipping.status import PERIOD, ShipperStatus

log = logging.getLogger(__name__)

EXIT_FINISHED, EXIT_FAILED, EXIT_ORPHANED = 0, 3, 4


def _commands(shipper: Shipper, stdin: io.RawIOBase) -> None:
    """Standard input until it ends, and with it the process."""
    while line := stdin.readline():
        try:
            if orjson.loads(line)["do"] == "finish":
                shipper.finish()
            else:
                log.warning("unknown command")
        except (ValueError, KeyError, TypeError):
            log.warning("a command line makes no sense")
    os._exit(EXIT_ORPHANED)


def main() -> int:
    """Run one shipper; the exit code is 0 when finished, 3 when it cannot go on, 4 when its parent died."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for vendor in ("neo4j", "botocore", "boto3", "urllib3"):
        logging.getLogger(vendor).setLevel(logging.CRITICAL)
    lines = Lines()
    stdin = io.FileIO(0, closefd=False)  # unbuffered: a thread that waits in a buffered reader blocks the exit
    status = ShipperStatus(0)
    try:
        config = ShipperConfig.parse(stdin.readline())
        status = ShipperStatus(config.epoch)
        shipper = Shipper(config, status, Faults.from_environment(points=POINTS))
        gauge = Gauge(config.source, status)
    except errors.DrError as error:
        return _failed(status, lines, error)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # collections over large lists of changes are pure loss
    threading.Thread(target=_commands, args=(shipper, stdin), name="commands", daemon=True).start()
    Reporter(status, lines, PERIOD).start()
    gauge.start()
    try:
        shipper.run()
    except errors.DrError as error:
        return _failed(status, lines, error)
    except Exception as error:  # the boundary of the process: a mistake of ours is reported like any other failure
        log.exception("the shipper failed")
        return _failed(status, lines, errors.DrError(f"{type(error).__name__} in the log shipper"))
    status.become("finished")
    lines.write(status.line())
    return EXIT_FINISHED


def _failed(status: ShipperStatus, lines: Lines, error: errors.DrError) -> int:
    status.problem = Problem.of(error)
    log.error("%s: %s", status.problem.reason, status.problem.message)
    status.become("failed")
    lines.write(status.line())
    return EXIT_FAILED
