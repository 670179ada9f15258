"""``python -m neo4j_dr_operator.cli`` is ``kubectl neo4j-dr``."""

from __future__ import annotations

import sys

from neo4j_dr_operator.cli.main import main

sys.exit(main())
