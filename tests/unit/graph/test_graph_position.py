from __future__ import annotations

import base64
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.graph.position import END_OF_TRANSACTION, Position

INT64 = st.integers(-(2**63), 2**63 - 1)


def encode(version: int, database: uuid.UUID, tx: int, seq: int, millis: int) -> str:
    raw = struct.pack(">B16sqq", version, database.bytes, tx, seq)
    if version == 5:
        raw += struct.pack(">q", millis)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(st.sampled_from([3, 5]), st.uuids(), INT64, INT64, INT64)
def test_decodes_what_was_encoded(version: int, database: uuid.UUID, tx: int, seq: int, millis: int) -> None:
    position = Position.decode(encode(version, database, tx, seq, millis))
    assert (position.version, position.database, position.tx, position.seq) == (version, str(database), tx, seq)
    assert position.commit_millis == (millis if version == 5 else 0)


def test_a_real_identifier() -> None:
    position = Position.decode("BSqsSbn7W0dHk1tpzhPRqtMAAAAAAAAABX__________AAABogcK7RI")
    assert (position.version, position.tx, position.seq) == (5, 5, END_OF_TRANSACTION)
    assert position.commit_millis == 1795414486290
    assert position.same_stream(position)


@pytest.mark.parametrize(
    "text",
    ["", "A", "B", "!" * 55, "BSqsSbn7W0dHk1tpzhPRqtMAAAAAAAAABX__________AAABogcK7R", "Z" * 44, "ü", "A" * 44,
     encode(3, uuid.UUID(int=1), 1, 1, 1) + "AAAA"],
)  # fmt: skip
def test_refuses_what_is_no_identifier(text: str) -> None:
    with pytest.raises(ValueError):
        Position.decode(text)


@given(st.text())
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        position = Position.decode(text)
    except ValueError:
        return
    assert position.text == text
