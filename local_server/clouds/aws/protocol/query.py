"""AWS's query protocol: a form in, XML out, both by botocore's shapes.

Source: Smithy, "AWS query protocol": nested names are joined by dots, lists have `member.N`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .errors import AwsError, xml_text
from .validation import Shape, check_members

_MOST_MEMBERS = 1000


def read_form(shape: Shape, form: Mapping[str, str]) -> dict[str, Any]:
    """Read a form as a structure; raises AwsError (ValidationError) for violated constraints."""
    values = dict(_members(shape, form, ""))
    try:
        check_members(shape, values)
    except AwsError as error:
        raise AwsError("ValidationError", error.message) from error
    return values


def _members(shape: Shape, form: Mapping[str, str], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, member in shape.members.items():
        key = f"{prefix}{name}"
        if any(each == key or each.startswith(f"{key}.") for each in form):
            yield name, _value(member, form, key)


def _value(shape: Shape, form: Mapping[str, str], key: str) -> Any:
    match shape.type_name:
        case "structure":
            return dict(_members(shape, form, f"{key}."))
        case "list":
            return list(_items(shape.member, form, key))
        case "integer" | "long":
            return _number(_single(form, key), key)
        case "boolean":
            return _single(form, key) == "true"
        case "string":
            return _single(form, key)
        case kind:
            raise AwsError("ValidationError", f"{key} is a {kind}, which is not available offline.")


def _items(member: Shape, form: Mapping[str, str], key: str) -> Iterator[Any]:
    for number in range(1, _MOST_MEMBERS):
        name = f"{key}.member.{number}"
        if not any(each == name or each.startswith(f"{name}.") for each in form):
            return
        yield _value(member, form, name)


def _single(form: Mapping[str, str], key: str) -> str:
    if key not in form:  # members of the key alone
        raise AwsError("MalformedInput", f"{key} is a single value.")
    return form[key]


def _number(text: str, key: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise AwsError("MalformedInput", f"{key} is not a whole number: {text!r}") from None


def write_xml(shape: Shape | None, value: Mapping[str, Any]) -> str:
    """Return the XML elements of a structure's members; members without a value are left out."""
    members = shape.members if shape is not None else {}
    return "".join(
        f"<{name}>{_xml(member, value[name])}</{name}>"
        for name, member in members.items()
        if name in value
    )


def _xml(shape: Shape, value: Any) -> str:
    match shape.type_name:
        case "structure":
            return write_xml(shape, value)
        case "list":
            return "".join(f"<member>{_xml(shape.member, each)}</member>" for each in value)
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return xml_text(str(value))
