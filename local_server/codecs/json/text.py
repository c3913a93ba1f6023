"""JSON values in error texts, formatted like rapidjson's PrettyWriter."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

_LIMIT = 256
_INDENT = "    "
_SHORT_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_ESCAPES = str.maketrans({chr(code): f"\\u{code:04X}" for code in range(0x20)} | _SHORT_ESCAPES)
_UNESCAPED = bytes(code for code in range(256) if code not in _ESCAPES)
_LONG = 4096
_ALL_DIGITS = {np.float32: 9, np.float64: 17}
_LARGEST_FLOAT = float(np.finfo(np.float32).max)
_TYPE_NAMES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def json_text(value: Any) -> str:
    """Return a value as JSON, cut after the token that reaches 256 characters.

    Objects are indented by four, arrays are on one line.
    """
    text = ""
    for token in _tokens(value, 0):
        text += token
        if len(text) >= _LIMIT:
            break
    return text


def dump_text(text: str) -> bytes:
    """Print a string as JSON; lone surrogates become their bytes (`surrogateescape`)."""
    return quote(text).encode("utf-8", "surrogateescape")


def quote(text: str) -> str:
    """Return a string as a JSON string, escaped as by rapidjson."""
    if len(text) < _LONG:
        return f'"{text.translate(_ESCAPES)}"'
    # `str.translate` takes a second for ten million characters, and the event loop waits.
    found = {*text.encode("utf-8", "surrogatepass").translate(None, _UNESCAPED)}
    # The backslash is the first: the others are replaced by texts that have one.
    for code in sorted(found, reverse=True):
        text = text.replace(chr(code), _ESCAPES[code])
    return f'"{text}"'


def decimal_text(value: float, kind: type[np.floating[Any]]) -> str:
    """Return a float as TensorFlow Serving prints it (json_tensor.cc, `WriteDecimal`).

    With six digits if they read back as the same number, else with all, and never like an integer.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    text = f"{value:g}"
    if kind(float(text)) != value:
        text = f"{value:.{_ALL_DIGITS[kind]}g}"
    return text if "." in text or "e" in text else f"{text}.0"


def type_name(value: Any) -> str:
    """Return rapidjson's name of a value's type: Null False True Object Array String Number."""
    return str(value) if isinstance(value, bool) else _TYPE_NAMES[type(value)]


def _tokens(value: Any, depth: int) -> Iterator[str]:
    """Yield the text in pieces. The limit of characters bounds the nesting of generators."""
    if isinstance(value, dict):
        yield from _object_tokens(value, depth)
    elif isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ", "
            yield from _tokens(item, depth + 1)
        yield "]"
    elif isinstance(value, str):
        yield quote(value)
    elif isinstance(value, float) and (depth == 0 or not math.isfinite(value)):
        yield _lone_decimal(value)
    else:
        yield json.dumps(value)


def _lone_decimal(value: float) -> str:
    """Return a float that is the whole value: as a C++ float if it is in its range."""
    if abs(value) <= _LARGEST_FLOAT:
        return decimal_text(float(np.float32(value)), np.float32)
    return decimal_text(value, np.float64)


def _object_tokens(value: dict[str, Any], depth: int) -> Iterator[str]:
    line = "\n" + _INDENT * depth
    yield "{"
    for index, (name, item) in enumerate(value.items()):
        yield f"{',' if index else ''}{line}{_INDENT}{quote(name)}: "
        yield from _tokens(item, depth + 1)
    yield f"{line}}}" if value else "}"
