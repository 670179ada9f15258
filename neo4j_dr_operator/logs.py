"""What the operator writes on standard error.

At every level, DEBUG included, no line may hold a secret. The clients of vendors write whole requests and answers at
DEBUG, the data of Secrets among them (`kubernetes.client.rest`), so they are kept above it, whatever is asked for.
"""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
VENDORS = ("kubernetes", "urllib3", "botocore", "boto3", "s3transfer", "neo4j", "aiohttp", "asyncio")
"""Loggers that never go below INFO."""
FRAMEWORK = "kopf"
"""Logs whole bodies and patches at DEBUG, and each event at INFO: never below WARNING."""


def configure(level: str) -> None:
    """Log to standard error from `level` (a name of the logging module) on."""
    logging.basicConfig(level=level, format=FORMAT, stream=sys.stderr)
    asked = logging.getLogger().level
    for name in VENDORS:
        logging.getLogger(name).setLevel(max(logging.INFO, asked))
    logging.getLogger(FRAMEWORK).setLevel(max(logging.WARNING, asked))
