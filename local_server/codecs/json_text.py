"""JSON values written for people: in error texts, as rapidjson's PrettyWriter writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

_LIMIT = 256
_INDENT = "    "
_TYPE_NAMES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def json_text(value: Any) -> str:
    """Return a value as JSON, cut after the token that makes it 256 characters or more.

    Objects are indented by four, arrays stand on one line (tfserving.md, 2.6).
    """
    text = ""
    for token in _tokens(value, 0):
        text += token
        if len(text) >= _LIMIT:
            break
    return text


def dump_text(text: str) -> bytes:
    """Write a string as JSON; lone surrogates give the bytes they stand for (`surrogateescape`)."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogateescape")


def type_name(value: Any) -> str:
    """Return rapidjson's name of a value's type: Null False True Object Array String Number."""
    return str(value) if isinstance(value, bool) else _TYPE_NAMES[type(value)]


def _tokens(value: Any, depth: int) -> Iterator[str]:
    """Yield the text in pieces. It nests generators, no deeper than the limit has characters."""
    if isinstance(value, dict):
        yield from _object_tokens(value, depth)
    elif isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ", "
            yield from _tokens(item, depth + 1)
        yield "]"
    elif isinstance(value, float) and not math.isfinite(value):
        yield "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    else:
        yield json.dumps(value, ensure_ascii=False)


def _object_tokens(value: dict[str, Any], depth: int) -> Iterator[str]:
    line = "\n" + _INDENT * depth
    yield "{"
    for index, (name, item) in enumerate(value.items()):
        yield f"{',' if index else ''}{line}{_INDENT}{json.dumps(name, ensure_ascii=False)}: "
        yield from _tokens(item, depth + 1)
    yield f"{line}}}" if value else "}"
