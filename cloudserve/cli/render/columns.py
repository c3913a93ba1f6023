"""Columns of tables: their lines, as wide as the terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

Row = tuple[str, ...]
_GAP = 2
_NARROW = 16
_LEAST = 8
"""The width down to which a column is narrowed by breaking its words."""


def terminal_width() -> int | None:
    """Return the width of stdout if it is a terminal: rows of pipes and files are not broken."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def row_lines(rows: Sequence[Row], width: int | None) -> Iterator[list[str]]:
    """Yield the lines of each row; cells are wrapped if the rows are wider than `width`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = _GAP
    if width is not None and _total(widths, gap) > width:
        gap = 1
        widths = _narrowed(widths, _longest_words(rows), width - gap * (len(widths) - 1))
    for row in rows:
        cells = [_wrapped(cell, most) for cell, most in zip(row, widths, strict=True)]
        yield [_joined(line, widths, " " * gap) for line in zip_longest(*cells, fillvalue="")]


def _total(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _longest_words(rows: Sequence[Row]) -> list[int]:
    return [
        max((len(word) for cell in column for word in cell.split()), default=0)
        for column in zip(*rows, strict=True)
    ]


def _kept(widths: Sequence[int]) -> list[int]:
    """Return the widths that columns keep while others can give way: names stay on a line."""
    return [min(width, _NARROW) for width in widths]


def _narrowed(widths: Sequence[int], words: Sequence[int], room: int) -> list[int]:
    """Return widths within `room`: whole names if they fit, else whole words, else broken ones."""
    names = [max(pair) for pair in zip(words, _kept(widths), strict=True)]
    for least in (names, words):
        whole = _shrunk(widths, least, room)
        if sum(whole) <= room:
            return whole
    return _shrunk(widths, [min(word, _LEAST) for word in words], room)


def _shrunk(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths within `room`, if `least` allows; the widest column gives way first."""
    result = list(widths)
    while sum(result) > room:
        wide = [number for number, width in enumerate(result) if width > least[number]]
        if not wide:
            break
        result[max(wide, key=result.__getitem__)] -= 1
    return result


def _wrapped(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_on_hyphens=False)


def _joined(cells: Sequence[str], widths: Sequence[int], gap: str) -> str:
    line = gap.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return line.rstrip()
