"""The thread that reads ahead: however it ends, who takes from it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from neo4j_dr_operator import errors
from neo4j_dr_operator.replication import reader
from neo4j_dr_operator.replication.reader import Reader
from neo4j_dr_operator.replication.report import Status
from neo4j_dr_operator.replication.stream import SourceFailure


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (errors.ChangeCaptureDisabled("off"), SourceFailure),
        (ValueError("no such value"), SourceFailure),
        (ZeroDivisionError("a mistake of ours"), ZeroDivisionError),
    ],
)
def test_an_end_that_nobody_asked_for_is_raised(
    raised: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for a stop, the worker would say that it has finished."""

    def read_chunk(*_: object) -> None:
        raise raised

    monkeypatch.setattr(reader, "read_chunk", read_chunk)
    monkeypatch.setattr(reader.lost, "explained", lambda *args: args[-1])
    database: Any = SimpleNamespace(close=lambda: None)
    thread = Reader(database, "cursor", 100, 1.0, Status(1))
    thread.start()
    thread.join()
    with pytest.raises(kind):
        thread.take(0.0)
