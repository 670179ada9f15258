"""All measures: tables on standard output, figures in ``bench.json`` of the directory named by BENCH_OUT, or here."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.bench import apply, failover, lag, rest, shipping

figures = {"apply": apply.main(), "shipping": shipping.main(), "lag": lag.main(), "failover": failover.main()}
figures |= {"rest": rest.main()}
path = Path(os.environ.get("BENCH_OUT", ".")) / "bench.json"
path.write_text(json.dumps(figures, indent=1) + "\n")
print(f"written to {path}")
