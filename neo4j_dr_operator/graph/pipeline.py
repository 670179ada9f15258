"""Statements of one transaction on their way together: sent without waiting for the answers of those before.

The driver waits for each statement's first answer, and for that of BEGIN, so a transaction of eight statements costs
ten round trips. Between regions that is all the time there is. Bolt itself answers in order whatever was sent ahead,
and ignores everything after a failure, COMMIT included, so only those answers have to be waited for that the next
statement needs. The driver has no setting for it: its own result is made here, less the waiting.
"""

from __future__ import annotations

import contextlib
from typing import Any

import neo4j


class Sent(neo4j.Result):
    """The result of a statement that was sent. Answers come in order: take those of earlier ones first."""

    _waiting = False

    def _attach(self) -> None:
        """Called by the driver after sending; waits only once the answer is wanted."""
        if self._waiting:
            super()._attach()  # type: ignore[no-untyped-call]

    def row(self) -> list[Any]:
        """The values of its one row. Raises the driver's errors, also those of BEGIN."""
        self._waiting = True
        self._attach()
        return self.single(strict=True).values()


def send(transaction: neo4j.Transaction, query: str, params: dict[str, Any]) -> Sent:
    """Send a statement of an open transaction."""
    inner: Any = transaction
    made: Any = Sent(
        inner._connection,
        inner._fetch_size,
        inner._warn_notification_severity,
        inner._result_on_closed_handler,
        inner._error_handler,
        None,
    )
    inner._results.append(made)
    made._tx_ready_run(query, params)
    sent: Sent = made
    return sent


def begun_with_the_first_statement(session: neo4j.Session) -> contextlib.AbstractContextManager[Any]:
    """Inside, BEGIN is not sent by itself; its failure is the first statement's."""
    pipelined: contextlib.AbstractContextManager[Any] = session._pipelined_begin
    return pipelined
