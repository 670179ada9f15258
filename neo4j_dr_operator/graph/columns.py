"""Columns of element ids as bytes: the forms in which the element map is kept in a database.

A column of 64-bit integers is written as a head ``<BIqq`` (form, count, first, step) and a body:

===== ======================================================= ============================
form  meaning                                                 body
===== ======================================================= ============================
0..3  first value, then differences less the smallest one     count-1 times 1, 2, 4 or 8 B
8     constant step (created elements mostly have one)        none
9     empty                                                   none
===== ======================================================= ============================

A slice of the map (checkpoints) has the same head (form, count, base, 0) and offsets from the base in the narrowest
width, whose highest value means "no element"; form 9 is a slice without elements.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

_HEAD = struct.Struct("<BIqq")
_WIDTHS = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8"))
_STEP, _EMPTY = 8, 9


def pack(column: Ids) -> bytes:
    """A column of integers as bytes."""
    count = len(column)
    if count == 0:
        return _HEAD.pack(_EMPTY, 0, 0, 0)
    if count == 1:
        return _HEAD.pack(_STEP, 1, int(column[0]), 0)
    steps = column[1:] - column[:-1]
    low = int(steps.min())
    span = int(steps.max()) - low
    if span == 0:
        return _HEAD.pack(_STEP, count, int(column[0]), low)
    form = _form(span)
    return _HEAD.pack(form, count, int(column[0]), low) + (steps - low).astype(_WIDTHS[form]).tobytes()


def unpack(data: bytes, at: int = 0) -> tuple[Ids, int]:
    """The column that starts at byte ``at``, and where it ends. :class:`ValueError` when cut or unknown."""
    try:
        form, count, first, low = _HEAD.unpack_from(data, at)
    except struct.error as error:
        raise ValueError("a column of the element map is cut short") from error
    at += _HEAD.size
    if form == _EMPTY:
        return np.empty(0, np.int64), at
    if form == _STEP:
        return first + low * np.arange(count, dtype=np.int64), at
    if form >= len(_WIDTHS):
        raise ValueError(f"a column of the element map has the unknown form {form}")
    width = _WIDTHS[form]
    steps = np.frombuffer(data, width, count - 1, at).astype(np.int64)
    column = np.empty(count, np.int64)
    column[0] = first
    np.cumsum(steps + low, out=column[1:])
    column[1:] += first
    return column, at + (count - 1) * width.itemsize


def pack_slice(slots: Ids) -> bytes:
    """A slice of the flat map (0 = no element) as bytes."""
    live = slots[slots > 0]
    if not len(live):
        return _HEAD.pack(_EMPTY, len(slots), 0, 0)
    base = int(live.min())
    form = _form(int(live.max()) - base + 1)
    none = np.iinfo(_WIDTHS[form]).max
    offsets = np.where(slots > 0, slots - base, 0).astype(_WIDTHS[form])
    offsets[slots <= 0] = none
    return _HEAD.pack(form, len(slots), base, 0) + offsets.tobytes()


def unpack_slice(data: bytes) -> Ids:
    """What :func:`pack_slice` wrote, with 0 where there is no element."""
    form, count, base, _ = _HEAD.unpack_from(data, 0)
    if form == _EMPTY:
        return np.zeros(count, np.int64)
    offsets = np.frombuffer(data, _WIDTHS[form], count, _HEAD.size)
    slots: Ids = offsets.astype(np.int64) + base
    slots[offsets == np.iinfo(_WIDTHS[form]).max] = 0
    return slots


def _form(span: int) -> int:
    return 0 if span < 1 << 8 else 1 if span < 1 << 16 else 2 if span < 1 << 32 else 3
