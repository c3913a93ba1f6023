"""CSV to rows of JSON, as both images do it.

Source: tensorflowServing.js (`csv_request`, `split_csv_fields`). Neither is RFC 4180: a quoted
field never spans lines, and what is between quotes is written into JSON with only its backslashes
and quotes escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .js import SPACE, WHITE, split_lines

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LOOKS_READY = re.compile(rf'{SPACE}*(?:"|[0-9.Ee+\-]+)')
_FIELD = re.compile(r'"(?:[^"]|"")*"?|[^",]+')


def csv_rows_2_20(text: str) -> str:
    """Return the lines as JSON: each field by itself a number as it is written, or a string."""
    return ",".join(_row([_value(field) for field in _fields(line)]) for line in _lines(text))


def csv_rows_2_19(text: str) -> str:
    """Return the lines as JSON, quoted all or none by what the body starts with.

    A line that is quoted has only its first quote escaped, and is split at its first comma alone.
    """
    if _LOOKS_READY.match(text):
        rows = _lines(text)
    else:
        rows = (f'"{_escape_first(line)}"' for line in _lines(text))
    return ",".join(f"[{row}]" if "," in row else row for row in rows)


def _escape_first(line: str) -> str:
    return line.replace('"', '\\"', 1).replace(",", '","', 1)


def _lines(text: str) -> Iterator[str]:
    for line in split_lines(text.strip(WHITE)):
        stripped = line.strip(WHITE)
        if stripped:
            yield stripped


def _row(values: list[str]) -> str:
    return f"[{','.join(values)}]" if len(values) > 1 else values[0]


def _fields(line: str) -> list[str]:
    """Split a line at the commas outside of quotes, which may open and close anywhere."""
    if '"' not in line:
        return line.split(",")
    fields, place = [""], 0
    while place < len(line):
        found = _FIELD.match(line, place)
        if found is None:
            fields.append("")
            place += 1
        else:
            fields[-1] += _unquoted(found[0])
            place = found.end()
    return fields


def _unquoted(part: str) -> str:
    if not part.startswith('"'):
        return part
    closed = len(part) > 1 and part.endswith('"') and part.count('"') % 2 == 0
    return part[1 : -1 if closed else None].replace('""', '"')


def _value(field: str) -> str:
    probe = field.strip(WHITE)
    if _NUMBER.fullmatch(probe):
        return probe
    escaped = field.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
