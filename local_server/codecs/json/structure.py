"""The ends of JSON values, found for a whole chunk of text.

Brackets, braces and commas outside of strings, with their depth: numpy's vector passes take a few
nanoseconds per byte, without Python code per character.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPENING, _CLOSING = b"[{", b"]}"

_IS_MARK = np.zeros(256, np.bool_)
_IS_MARK[list(_OPENING + _CLOSING + b',"')] = True
_STEP = np.zeros(256, np.int8)
_STEP[list(_OPENING)] = 1
_STEP[list(_CLOSING)] = -1


@dataclass(frozen=True, slots=True)
class Ending:
    """The extent of a chunk of a container: offsets in the body, None if not in the chunk."""

    last_comma: int | None
    """The last comma between the container's own values."""
    close: int | None
    """The bracket or brace that closes the container."""
    commas: int
    """The number of commas between the container's own values, before its or the chunk's end."""


def find_ending(data: _Array, start: int, end: int) -> Ending:
    """Scan a chunk that starts inside a container, outside of strings.

    `data` are the bytes of the body.
    """
    window = data[start:end]
    at, marks = _marks(window)
    depth = np.cumsum(_STEP[marks], dtype=np.int32)
    closing = np.flatnonzero(depth < 0)
    close = None
    if closing.size:
        index = int(closing[0])
        close = start + int(at[index])
        depth, marks = depth[:index], marks[:index]
    commas = np.flatnonzero((depth == 0) & (marks == _COMMA))
    if not commas.size:
        return Ending(None, close, 0)
    return Ending(start + int(at[commas[-1]]), close, commas.size)


def _marks(window: _Array) -> tuple[_Array, _Array]:
    """Return the offsets of brackets, braces and commas outside of strings, and their bytes."""
    at = np.flatnonzero(_IS_MARK[window])
    marks = window[at]
    quotes = marks == _QUOTE
    if not quotes.any():
        return at, marks
    escaped = _escaped(window)
    if escaped is not None:
        quotes &= ~escaped[at]
    is_outside = (np.cumsum(quotes, dtype=np.int32) & 1) == 0
    is_outside &= marks != _QUOTE
    return at[is_outside], marks[is_outside]


def _escaped(window: _Array) -> _Array | None:
    """Return for each byte whether a backslash escapes it; None if there is no backslash."""
    slashes = np.flatnonzero(window == _BACKSLASH)
    if not slashes.size:
        return None
    begins = np.empty(slashes.size, np.bool_)
    begins[0] = True
    np.not_equal(np.diff(slashes), 1, out=begins[1:])
    order = np.arange(slashes.size)
    in_run = order - np.maximum.accumulate(np.where(begins, order, 0))
    mask = np.zeros(window.size + 1, np.bool_)
    mask[slashes[in_run % 2 == 0] + 1] = True
    return mask[:-1]
