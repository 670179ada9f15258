"""All measures, or those named as arguments: tables on standard output, figures in ``bench.json`` of the directory
named by BENCH_OUT, or here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.bench import apply, cost, engine, failover, lag, memory, puts, rest, restore, seed, shipping, wan

PARTS = {
    "engine": engine.main,
    "apply": apply.main,
    "seed": seed.main,
    "memory": memory.main,
    "shipping": shipping.main,
    "puts": puts.main,
    "wan": wan.main,
    "restore": restore.main,
    "lag": lag.main,
    "failover": failover.main,
    "rest": rest.main,
    "cost": cost.main,
}

chosen = sys.argv[1:] or list(PARTS)
if unknown := set(chosen) - set(PARTS):
    sys.exit(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
path = Path(os.environ.get("BENCH_OUT", ".")) / "bench.json"
path.write_text(json.dumps({part: PARTS[part]() for part in chosen}, indent=1) + "\n")
print(f"written to {path}")
