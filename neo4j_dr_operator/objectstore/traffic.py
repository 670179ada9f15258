"""Requests and bytes of one client, counted by the SDK's own hooks: what is sent and answered, not what was meant.

botocore, "Extending": ``before-send`` comes with every request that leaves, ``response-received`` with every answer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class Traffic:
    """Counters since the client was made: requests by the API's name of the operation, bytes of bodies."""

    def __init__(self, client: S3Client) -> None:
        self._lock = threading.Lock()
        self.requests: dict[str, int] = {}
        self.sent = 0
        self.received = 0
        self.of(client)

    def of(self, client: S3Client) -> None:
        """Count what goes through this client, too."""
        client.meta.events.register("before-send.s3", self._leaves)
        client.meta.events.register("response-received.s3", self._answered)

    def shown(self) -> dict[str, Any]:
        """As reports hold it."""
        with self._lock:
            return {"requests": dict(self.requests), "sent": self.sent, "received": self.received}

    def _leaves(self, request: Any, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        with self._lock:
            self.requests[operation] = self.requests.get(operation, 0) + 1
            self.sent += int(request.headers.get("Content-Length") or 0)

    def _answered(self, response_dict: Any, **_: Any) -> None:
        if response_dict is not None:
            with self._lock:
                self.received += int(response_dict["headers"].get("content-length") or 0)
