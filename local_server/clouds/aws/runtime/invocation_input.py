"""Operation input read from a REST-JSON request's path and headers, by botocore's model."""

from __future__ import annotations

from typing import Any

from ....transport.types import Head
from ...resources import Document
from ..protocol.errors import AwsError
from ..protocol.validation import Shape, check_members


def read_headers(shape: Shape, head: Head, **path: str) -> Document:
    """Return an input's members without its body; `path` holds those of the request path.

    Raises AwsError (ValidationError) if a member violates a constraint.
    """
    values: Document = dict(path)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header":
            text = head.headers.get(member.serialization["name"].lower())
            if text is not None:
                values[name] = _value(name, member.type_name, text)
    try:
        check_members(_Headers(shape), values)
    except AwsError as error:
        raise AwsError("ValidationError", error.message) from error
    return values


class _Headers:
    """The members of a shape that travel in the path and in headers."""

    type_name = "structure"

    def __init__(self, shape: Shape) -> None:
        self.members = {
            name: member for name, member in shape.members.items() if member.serialization
        }
        self.required_members = [n for n in shape.required_members if n in self.members]


def _value(name: str, kind: str, text: str) -> Any:
    if kind != "integer":
        return text
    try:
        return int(text)
    except ValueError:
        message = f"{name} is not a whole number: {text!r}"
        raise AwsError("ValidationError", message) from None
