"""Random protobuf messages, and a REST server's own reading of HTTP bindings, for comparisons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

_VARIABLE = re.compile(r"\{(\w+(?:\.\w+)*)(?:=([^}]*))?\}")
# Clients refuse "." and "..", which would be other URLs.
_SEGMENT = st.text("abcxyz019-_.~@% é", min_size=1, max_size=6).filter(
    lambda word: word not in {".", ".."}
)
_KNOWN = {
    "projects": st.just("p") | _SEGMENT,
    "locations": st.just("us-central1") | _SEGMENT,
    "endpoints": st.just("any-request") | _SEGMENT,
}
"""Names after these words, among which some that exist."""
_DEPTH = 2
_SPECIAL = {
    "google.protobuf.Timestamp": st.builds(
        lambda s, n: {"seconds": s, "nanos": n},
        st.integers(0, 4_000_000_000),
        st.integers(0, 999_999_999),
    ),
    "google.protobuf.Duration": st.builds(lambda s: {"seconds": s}, st.integers(0, 3600)),
    # JSON has a mask's paths in lowerCamelCase.
    "google.protobuf.FieldMask": st.builds(
        lambda paths: {"paths": paths},
        st.lists(st.from_regex(r"[a-z]+(_[a-z]+){0,2}", fullmatch=True), min_size=1, max_size=3),
    ),
    "google.protobuf.Value": st.one_of(
        st.builds(lambda v: {"number_value": v}, st.floats(-1e9, 1e9)),
        st.builds(lambda v: {"string_value": v}, st.text(max_size=4)),
        st.builds(lambda v: {"bool_value": v}, st.booleans()),
        st.just({"null_value": 0}),
    ),
    "google.protobuf.Struct": st.builds(
        lambda v: {"fields": {"a": {"number_value": v}}}, st.integers(0, 9)
    ),
}
_SCALARS = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=5),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    FieldDescriptor.TYPE_FLOAT: st.floats(-1e6, 1e6, width=32),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_STRING: st.text(max_size=6),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
}


@st.composite
def requests(draw, method) -> Any:
    """Draw a request of a method that fits one of its bindings."""
    message = method.request(**draw(_fields(method.request.DESCRIPTOR, _DEPTH)))
    binding = draw(st.sampled_from(method.http))
    for name, pattern in _VARIABLE.findall(binding["uri"]):
        _set(message, name, draw(_name(pattern or "*")))
    body = binding.get("body", "*")
    if body != "*":
        getattr(message, body).SetInParent()  # REST has no absent body
    return message


def responses(method) -> st.SearchStrategy:
    """Return a strategy for responses of a method."""
    return st.builds(
        lambda fields: method.response(**fields), _fields(method.response.DESCRIPTOR, _DEPTH)
    )


def read(method, request) -> Any:
    """Return the message that a REST request stands for (google/api/http.proto)."""
    for binding in method.http:
        match = _pattern(binding["uri"]).fullmatch(unquote(request.head.path))
        if match and binding["method"].upper() == request.head.method:
            break
    else:
        raise AssertionError(request.head)
    message = method.request()
    body = binding.get("body")
    if body == "*":
        _read_body(message, request)
    elif body:
        json_format.Parse(request.content, getattr(message, body))
        getattr(message, body).SetInParent()
    _merge_query(message, request.head.query)
    for name in match.groupdict():
        _set(message, name.replace("__", "."), match[name])
    return message


def _read_body(message: Any, request: Any) -> None:
    if "http_body" in message.DESCRIPTOR.fields_by_name and not request.content.startswith(b"{"):
        message.http_body.data = request.content
        message.http_body.content_type = request.head.headers["content-type"]
    else:
        json_format.Parse(request.content, message)


def _merge_query(message: Any, query: str) -> None:
    document: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        *parents, last = name.split(".")
        at, descriptor = document, message.DESCRIPTOR
        for parent in parents:
            at = at.setdefault(parent, {})
            descriptor = _field(descriptor, parent).message_type
        field = _field(descriptor, last)
        value = {"true": True, "false": False}[text] if _is_bool(field) else text
        at[last] = [*at.get(last, []), value] if field.is_repeated else value
    json_format.ParseDict(document, message)


def _field(descriptor: Descriptor, json_name: str) -> FieldDescriptor:
    return next(each for each in descriptor.fields if each.json_name == json_name)


def _is_bool(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_BOOL


def _set(message: Any, path: str, value: str) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    setattr(message, last, value)


def _name(pattern: str) -> st.SearchStrategy[str]:
    words = pattern.split("/")
    drawn = [
        _KNOWN.get(before, _SEGMENT) if word in {"*", "**"} else st.just(word)
        for before, word in zip(["", *words], words, strict=False)
    ]
    return st.tuples(*drawn).map("/".join)


def _pattern(uri: str) -> re.Pattern[str]:
    parts = _VARIABLE.split(uri)
    text = ""
    for index in range(0, len(parts), 3):
        text += re.escape(parts[index])
        if index + 1 < len(parts):
            inner = (parts[index + 2] or "*").replace("**", ".+").replace("*", "[^/]+")
            text += f"(?P<{parts[index + 1].replace('.', '__')}>{inner})"
    return re.compile(text)


def _fields(descriptor: Descriptor, depth: int) -> st.SearchStrategy[Mapping[str, Any]]:
    """Return a strategy for some of a message's fields, as its constructor takes them."""
    fields = [field for field in descriptor.fields if depth or field.message_type is None]
    fields = [field for field in fields if not _is_any(field)]
    chosen = st.lists(st.sampled_from(fields), unique=True, max_size=4) if fields else st.just([])
    return chosen.flatmap(
        lambda some: st.fixed_dictionaries(
            {field.name: _value(field, depth) for field in _one_of_each(some)}
        )
    )


def _one_of_each(fields: list[FieldDescriptor]) -> list[FieldDescriptor]:
    """Return the fields without others of the same oneof."""
    kept: dict[str, FieldDescriptor] = {}
    for field in fields:
        kept[field.containing_oneof.name if field.containing_oneof else f".{field.name}"] = field
    return list(kept.values())


def _is_any(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Any"


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        return st.dictionaries(_one(key, 0), _one(value, depth - 1), max_size=2)
    one = _one(field, depth - 1)
    return st.lists(one, max_size=2) if field.is_repeated else one


def _one(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.message_type is None:
        return _SCALARS[field.type]
    special = _SPECIAL.get(field.message_type.full_name)
    return special if special is not None else _fields(field.message_type, max(depth, 0))
