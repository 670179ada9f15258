"""The log shipper: a process that ships one archive at one epoch. docs/archive-format.md has the format.

Threads beside those of every worker: gauge (what the source has meanwhile), reader; encoding and putting is done by the
main thread.
"""

from __future__ import annotations

from neo4j_dr_operator.process import Lines, Work, serve
from neo4j_dr_operator.replication.faults import Faults
from neo4j_dr_operator.shipping.config import ShipperConfig
from neo4j_dr_operator.shipping.gauge import Gauge
from neo4j_dr_operator.shipping.shipper import POINTS, Shipper
from neo4j_dr_operator.shipping.status import PERIOD, ShipperStatus


def main() -> int:
    """Run one shipper; the exit code is 0 when finished, 3 when it cannot go on, 4 when its parent died."""
    status = ShipperStatus(0)

    def begin(line: bytes, _: Lines) -> Work:
        config = ShipperConfig.parse(line)
        status.epoch = config.epoch
        shipper = Shipper(config, status, Faults.from_environment(points=POINTS))
        Gauge(config.source, status).start()
        return Work(shipper.run, {"finish": lambda _: shipper.finish()})

    return serve(status, begin, PERIOD)
