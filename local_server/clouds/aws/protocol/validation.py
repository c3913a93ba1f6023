"""Validation of inputs by botocore's shapes, with the service's messages.

Like AWS, raises SerializationException for JSON of the wrong type and ValidationException for a
value that violates a constraint (required, enum, pattern, range). Members that the shape does not
have are ignored, as AWS ignores them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from cloudserve.errors import MissingExtraError

from ...bodies import read_json
from .errors import AwsError, invalid

Shape = Any
"""A botocore shape; botocore ships no types."""

_JSON_TYPES = {
    "string": "STRING_VALUE",
    "number": "NUMBER_VALUE",
    "boolean": "TRUE_VALUE",
    "structure": "START_OBJECT",
    "list": "START_ARRAY",
}
_TARGETS = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "float": "Float",
    "double": "Double",
    "boolean": "Boolean",
    "timestamp": "Date",
}
_LARGEST_FLOAT = 3.4028234663852886e38
_NUMBERS = {"integer", "long", "float", "double", "timestamp"}
# Java character classes that Python's `re` does not have.
_CLASSES = {
    r"\p{L}\p{Z}\p{N}_": r"\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    # Approximations: everything but control characters (without \p{Z}, also no spaces).
    r"\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}": "\x20-\x7e\xa0-\U0010ffff",
    r"\p{L}\p{M}\p{S}\p{N}\p{P}": "\x21-\x7e\xa1-\U0010ffff",
    r"\p{L}\p{M}\p{Z}\p{N}\p{P}": "\x20-\x7e\xa0-\U0010ffff",
    r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}": "\x20-\x7e\xa0-\U0010ffff",
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{ASCII}": r"[\x00-\x7f]",
    r"\p{Print}+": "[ -~]+",
    r"\p{Print}": r" -~",
    r"\z": r"\Z",
}


def check(shape: Shape, body: bytes) -> dict[str, Any]:
    """Read a JSON body as a structure; raises AwsError that lists every violated constraint."""
    value = _typed(shape, _json(body))
    _raise_for(_problems(shape, value, ""))
    result: dict[str, Any] = value
    return result


def _raise_for(violations: Iterator[str]) -> None:
    problems = list(violations)
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise invalid(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")


def check_members(shape: Shape, values: Mapping[str, Any]) -> None:
    """Check members from a path or headers; raises AwsError as `check` does."""
    _raise_for(_problems(shape, values, ""))


def _json(body: bytes) -> object:
    try:
        return read_json(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", "The body is not JSON.") from error


def _typed(shape: Shape, value: object) -> Any:
    """Return the value with its known members; raises AwsError for a value of the wrong type."""
    kind = shape.type_name
    match kind, value:
        case "structure", dict():
            return {
                name: _typed(shape.members[name], item)
                for name, item in value.items()
                if name in shape.members and item is not None
            }
        case "map", dict():
            return {key: _typed(shape.value, item) for key, item in value.items()}
        case "list", list():
            return [_typed(shape.member, item) for item in value]
        case ("string", str()) | ("boolean", bool()):
            return value
        case _, bool():
            pass
        case _, int() | float() if kind in _NUMBERS:
            return _number(kind, value)
        case _:
            pass
    raise _mismatch(shape, value)


def _number(kind: str, value: float) -> float:
    if kind in {"integer", "long"}:
        most = 2**31 if kind == "integer" else 2**63
        if not -most <= value < most or int(value) != value:
            raise AwsError("SerializationException", f"{value} is not a valid {_TARGETS[kind]}")
        return int(value)
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite or (kind == "float" and abs(value) > _LARGEST_FLOAT):
        raise AwsError("SerializationException", f"A number is out of range for {_TARGETS[kind]}")
    return value


def _mismatch(shape: Shape, value: object) -> AwsError:
    token = _JSON_TYPES[_json_type(value)] if value is not None else "NULL"
    if shape.type_name in {"structure", "map", "list"}:
        expected = "START_ARRAY" if shape.type_name == "list" else "START_OBJECT"
        return AwsError("SerializationException", f"Unexpected token {token}, expected {expected}")
    target = _TARGETS.get(shape.type_name, shape.type_name)
    return AwsError("SerializationException", f"{token} can not be converted to a {target}")


def _json_type(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "list"
        case _:
            return "structure"


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Yield each constraint that a value of the right type, or a part of it, violates."""
    match shape.type_name:
        case "structure":
            yield from _structure_problems(shape, value, path)
        case "list":
            yield from _size_problems(shape.metadata, value, path)
            for index, item in enumerate(value, 1):
                yield from _problems(shape.member, item, f"{path}.{index}.member")
        case "map":
            yield from _size_problems(shape.metadata, value, path)
            for key, item in value.items():
                yield from _problems(shape.key, key, f"{path}.{key}.key")
                yield from _problems(shape.value, item, f"{path}.{key}.member")
        case "string":
            yield from _string_problems(shape.metadata, value, path)
        case "integer" | "long" | "float" | "double":
            yield from _range_problems(shape.metadata, value, path)
        case _:
            pass


def _structure_problems(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        below = f"{path}.{_lower(name)}" if path else _lower(name)
        if name in value:
            yield from _problems(member, value[name], below)
        elif name in shape.required_members:
            yield _problem("null", below, "Member must not be null")


def _string_problems(metadata: Mapping[str, Any], value: str, path: str) -> Iterator[str]:
    if "enum" in metadata and value not in metadata["enum"]:
        names = ", ".join(metadata["enum"])
        yield _problem(value, path, f"Member must satisfy enum value set: [{names}]")
        return
    size_problems = list(_size_problems(metadata, value, path))
    yield from size_problems
    pattern = metadata.get("pattern")
    # Patterns are not matched against text of an invalid length: it may be very long.
    if pattern and not size_problems and not compiled(pattern).fullmatch(value):
        rule = f"Member must satisfy regular expression pattern: {pattern}"
        yield _problem(value, path, rule)


def _size_problems(metadata: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    shown = value if isinstance(value, str) else json.dumps(value)
    if len(value) < metadata.get("min", 0):
        rule = f"Member must have length greater than or equal to {metadata['min']}"
        yield _problem(shown, path, rule)
    if len(value) > metadata.get("max", math.inf):
        rule = f"Member must have length less than or equal to {metadata['max']}"
        yield _problem(shown, path, rule)


def _range_problems(metadata: Mapping[str, Any], value: float, path: str) -> Iterator[str]:
    if value < metadata.get("min", -math.inf):
        rule = f"Member must have value greater than or equal to {metadata['min']}"
        yield _problem(str(value), path, rule)
    if value > metadata.get("max", math.inf):
        rule = f"Member must have value less than or equal to {metadata['max']}"
        yield _problem(str(value), path, rule)


def _problem(value: str, path: str, rule: str) -> str:
    shown = "null" if value == "null" else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {rule}"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


# Two patterns of the model repeat the end of the text; once is enough.
_REPEATED_END = re.compile(r"\$\{\d+,\d+\}$")
_ANYTHING = re.compile(".*", re.DOTALL)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the model; one that Python cannot express matches anything."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(_REPEATED_END.sub("", pattern))
    except re.error:
        return _ANYTHING


class ServiceModel:
    """The operations of one AWS service and the shapes of their inputs.

    Raises MissingExtraError without botocore.
    """

    def __init__(self, service: str) -> None:
        if find_spec("botocore") is None:
            raise MissingExtraError("The offline AWS", "aws")
        self._service = service
        self._model: Any = None

    @property
    def is_read(self) -> bool:
        """Return whether the model is in memory."""
        return self._model is not None

    def read(self) -> None:
        """Read the model; takes a tenth of a second."""
        from botocore.loaders import Loader
        from botocore.model import ServiceModel as BotocoreModel

        self._model = BotocoreModel(Loader().load_service_model(self._service, "service-2"))

    def __contains__(self, operation: str) -> bool:
        """Return whether the service has an operation of this name."""
        return operation in self._read_model().operation_names

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the service's operations."""
        return tuple(self._read_model().operation_names)

    def input_shape(self, operation: str) -> Any | None:
        """Return the operation's input shape; None if it has no input."""
        return self._read_model().operation_model(operation).input_shape

    def output_shape(self, operation: str) -> Any | None:
        """Return the operation's output shape; None if it has no output."""
        return self._read_model().operation_model(operation).output_shape

    def _read_model(self) -> Any:
        if self._model is None:
            self.read()
        return self._model
