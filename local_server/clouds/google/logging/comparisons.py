"""Comparisons of the Logging query language.

Source: "Logging query language", "Comparison operators" and "Values and conversions": a comparison
with a field that an entry does not have is false, except != and !~; severities are ordered; a
timestamp is RFC 3339.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ....status import Code
from ..common.errors import ApiError

Compare = Callable[[Mapping[str, Any]], bool]
SEVERITIES = {
    "DEFAULT": 0,
    "DEBUG": 100,
    "INFO": 200,
    "NOTICE": 300,
    "WARNING": 400,
    "ERROR": 500,
    "CRITICAL": 600,
    "ALERT": 700,
    "EMERGENCY": 800,
}
_TIMES = frozenset({"timestamp", "receiveTimestamp"})
_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')
_NOT_RE2 = re.compile(r"(?:[^\\]|\\.)*?(?:\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9])", re.DOTALL)
"""Python's look-around and references, which RE2, the service's library, does not have."""
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def comparison(path: str, op: str, value: str) -> Compare:
    """Return a comparison of a field with a value; "" is any field. Raises ApiError."""
    test = _test(path, op, value)
    if op in {"!=", "!~"}:
        return lambda entry: not any(test(found) for found in _values(entry, path))
    return lambda entry: any(test(found) for found in _values(entry, path))


def _test(path: str, op: str, value: str) -> Callable[[Any], bool]:
    if op in {"=~", "!~"}:
        return _regular(value)
    if path in _TIMES:
        return _compared(op, timestamp_bound(value), timestamp_bound)
    if path == "severity":
        if value.upper() not in SEVERITIES:
            raise _bad(f'"{value}" is not a severity')
        return _compared(op, SEVERITIES[value.upper()], lambda found: SEVERITIES.get(found, 0))
    if op in _ORDER:
        return _ordered(op, value)
    if op == ":":
        return lambda found: value == "*" or value.lower() in str(found).lower()
    return lambda found: _text(found).lower() == value.lower()


def _regular(value: str) -> Callable[[Any], bool]:
    if _NOT_RE2.match(value):
        raise _bad(f'"{value}" is not a regular expression of RE2')
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise _bad(f'"{value}" is not a regular expression') from error
    return lambda found: pattern.search(_text(found)) is not None


def _compared(op: str, wanted: Any, key: Callable[[Any], Any]) -> Callable[[Any], bool]:
    compare: Callable[[Any, Any], bool] = _ORDER.get(op, operator.eq)
    return lambda found: compare(key(found), wanted)


def _ordered(op: str, value: str) -> Callable[[Any], bool]:
    """Return an ordering of numbers, or of texts where the value is not a number."""
    compare = _ORDER[op]
    try:
        number = float(value)
    except ValueError:
        return lambda found: compare(_text(found).lower(), value.lower())
    return lambda found: _is_number(found) and compare(float(found), number)


def _is_number(found: Any) -> bool:
    if isinstance(found, bool):
        return False
    try:
        float(found)
    except (TypeError, ValueError):
        return False
    return True


def _text(found: Any) -> str:
    if isinstance(found, bool):
        return str(found).lower()
    return str(found)


def timestamp_bound(value: str) -> str:
    """Return a timestamp with nine digits after the point, in UTC, as entries are stored."""
    match = re.fullmatch(r"(.*?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", value)
    try:
        zone = (match[3] if match else None) or "Z"
        moment = datetime.fromisoformat(f"{match[1] if match else ''}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _bad(f'"{value}" is not a timestamp such as "2026-11-30T09:00:00Z"') from error
    fraction = (match[2] if match else None) or ""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}.{fraction:0<9}Z"


def _bad(why: str) -> ApiError:
    return ApiError(Code.INVALID_ARGUMENT, f"Unparsable filter: {why}.")


def _values(entry: Mapping[str, Any], path: str) -> Iterator[Any]:
    """Yield the values of a field: the elements of a list, all leaves of an object."""
    found: Any = entry
    for quoted, plain in _PART.findall(path):
        if not isinstance(found, Mapping):
            return
        found = found.get(quoted or plain)
    yield from _leaves(found)


def _leaves(found: Any) -> Iterator[Any]:
    if isinstance(found, Mapping):
        for value in found.values():
            yield from _leaves(value)
    elif isinstance(found, list):
        for value in found:
            yield from _leaves(value)
    elif found is not None:
        yield found
