"""Validation of request bodies by a discovery document's schemas, with Google's error texts.

The JSON is proto3's: names in lowerCamelCase or snake_case, null means absent, a 64-bit integer
may be a string. The result has lowerCamelCase names and only fields of the schema.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....status import Code
from ...bodies import read_json
from .discovery import Schema, snake
from .errors import ApiError, Violation

# A discovery document lists an enum's names in declaration order, which usually is the order of
# their numbers. This table has the exceptions (google-cloud-aiplatform's own types).
_NUMBERS: Mapping[str, Mapping[int, str]] = {
    "GoogleCloudAiplatformV1MachineSpec.AcceleratorType": {
        0: "ACCELERATOR_TYPE_UNSPECIFIED",
        1: "NVIDIA_TESLA_K80",
        2: "NVIDIA_TESLA_P100",
        3: "NVIDIA_TESLA_V100",
        4: "NVIDIA_TESLA_P4",
        5: "NVIDIA_TESLA_T4",
        6: "TPU_V2",
        7: "TPU_V3",
        8: "NVIDIA_TESLA_A100",
        9: "NVIDIA_A100_80GB",
        10: "TPU_V4_POD",
        11: "NVIDIA_L4",
        12: "TPU_V5_LITEPOD",
        13: "NVIDIA_H100_80GB",
        14: "NVIDIA_H100_MEGA_80GB",
        15: "NVIDIA_H200_141GB",
        16: "NVIDIA_B200",
        17: "NVIDIA_GB200",
        18: "NVIDIA_RTX_PRO_6000",
    },
    "GoogleCloudAiplatformV1ExplanationMetadataInputMetadataVisualization.ColorMap": {
        0: "COLOR_MAP_UNSPECIFIED",
        1: "PINK_GREEN",
        2: "VIRIDIS",
        3: "RED",
        4: "GREEN",
        5: "PINK_WHITE_GREEN",
        6: "RED_GREEN",
    },
}


def name_of(enum: str, names: Sequence[str], number: int) -> str | None:
    """Return the name of an enum's number, or None for an unknown number."""
    numbers = _NUMBERS.get(enum)
    if numbers is not None:
        return numbers.get(number)
    return names[number] if 0 <= number < len(names) else None


_PACKAGES = {
    "GoogleCloudMlV1": "google.cloud.ml.v1",
    "GoogleCloudAiplatformV1": "google.cloud.aiplatform.v1",
}
_INTEGER = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_BAD = object()
"""Result of a scalar reader for a value of another type."""


def parse(schemas: Mapping[str, Schema], schema_id: str, body: bytes, root: str) -> dict[str, Any]:
    """Parse a body as one message; raises ApiError that lists every invalid field.

    `root` is the request field that holds the body (`version`), or "".
    """
    reader = _Reader(schemas)
    value = reader.message(schema_id, schemas[schema_id], _json(body), root)
    if reader.violations:
        text = "\n".join(violation.description for violation in reader.violations)
        raise ApiError(Code.INVALID_ARGUMENT, text, tuple(reader.violations))
    return value if isinstance(value, dict) else {}


def writable(
    schemas: Mapping[str, Schema], schema_id: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a parsed message without output-only fields, which clients may send."""
    return {
        name: _writable_value(schemas, schemas[schema_id]["properties"][name], value)
        for name, value in message.items()
        if not schemas[schema_id]["properties"][name].get("readOnly")
    }


def _writable_value(schemas: Mapping[str, Schema], schema: Schema, value: Any) -> Any:
    if schema.get("type") == "array":
        return [_writable_value(schemas, schema["items"], item) for item in value]
    if isinstance(value, Mapping) and "properties" in schemas.get(schema.get("$ref", ""), {}):
        return writable(schemas, schema["$ref"], value)
    return value


def _json(body: bytes) -> object:
    if not body.strip():
        return {}
    try:
        return read_json(body)
    except ValueError as error:
        message = f"Invalid JSON payload received. Unexpected token.\n{error}"
        raise ApiError(Code.INVALID_ARGUMENT, message, (Violation("", message),)) from error


class _Reader:
    """Reads one body and collects its errors."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas
        self.violations: list[Violation] = []

    def value(self, schema: Schema, owner: str, value: object, path: str) -> Any:
        """Read a value of any schema; `owner` identifies its enums and messages."""
        if "$ref" in schema:
            return self.message(schema["$ref"], self._schemas[schema["$ref"]], value, path)
        match schema.get("type"):
            case "object":
                return self.message(owner, schema, value, path)
            case "array":
                return self._array(schema, owner, value, path)
            case "any" | None:
                return value
            case _:
                return self._scalar(schema, owner, value, path)

    def message(self, schema_id: str, schema: Schema, value: object, path: str) -> Any:
        """Read an object: a message if it has properties, otherwise a map."""
        if isinstance(value, list):
            return self._unknown(path, "Proto field is not repeating, cannot start list.")
        if not isinstance(value, dict):
            return self._invalid(path, _type_url(schema_id), value)
        if "additionalProperties" in schema:
            return self._map(schema["additionalProperties"], schema_id, value, path)
        return self._fields(schema_id, schema.get("properties", {}), value, path)

    def _fields(
        self, schema_id: str, properties: Mapping[str, Schema], value: dict[str, Any], path: str
    ) -> dict[str, Any]:
        by_name = {snake(name): name for name in properties} | {n: n for n in properties}
        fields: dict[str, Any] = {}
        for key, item in value.items():
            name = by_name.get(key)
            if name is None:
                self._unknown(f"{path}.{key}" if path else key, "Cannot find field.")
            elif item is not None:
                owner = f"{schema_id}.{name[:1].upper()}{name[1:]}"
                below = f"{path}.{snake(name)}" if path else snake(name)
                fields[name] = self.value(properties[name], owner, item, below)
        return fields

    def _map(self, schema: Schema, owner: str, value: dict[str, Any], path: str) -> dict[str, Any]:
        return {
            key: self.value(schema, owner, item, f"{path}[{json.dumps(key)}]")
            for key, item in value.items()
        }

    def _array(self, schema: Schema, owner: str, value: object, path: str) -> Any:
        # Google's parser accepts a single value as a list of one.
        items = value if isinstance(value, list) else [value]
        return [
            self.value(schema["items"], owner, item, f"{path}[{index}]")
            for index, item in enumerate(items)
        ]

    def _scalar(self, schema: Schema, owner: str, value: object, path: str) -> Any:
        if isinstance(value, list):
            return self._unknown(path, "Proto field is not repeating, cannot start list.")
        if isinstance(value, dict):
            return self._unknown(path, "Proto field is not a message, cannot start object.")
        if "enum" in schema:
            return self._enum(schema["enum"], owner, value, path)
        kind, read = _scalar_type(schema)
        result = read(value)
        return self._invalid(path, kind, value) if result is _BAD else result

    def _enum(self, names: list[str], owner: str, value: object, path: str) -> Any:
        if isinstance(value, str) and value in names:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            name = name_of(owner, names, value)
            return name if name is not None else self._invalid(path, _type_url(owner), value)
        return self._invalid(path, _type_url(owner), value)

    def _invalid(self, path: str, kind: str, value: object) -> None:
        at = f" at '{path}'" if path else ""
        self._report(path, f"Invalid value{at} ({kind}), {json.dumps(value)}")

    def _unknown(self, path: str, why: str) -> None:
        parent, _, name = path.rpartition(".")
        at = f" at '{parent}'" if parent else ""
        text = f'Invalid JSON payload received. Unknown name "{name}"{at}: {why}'
        self._report(parent, text)

    def _report(self, field: str, description: str) -> None:
        self.violations.append(Violation(field, description))


def _type_url(schema_id: str) -> str:
    package, _, name = schema_id.partition("__")
    return f"type.googleapis.com/{_PACKAGES.get(package, package)}.{name}"


def _scalar_type(schema: Schema) -> tuple[str, Callable[[Any], object]]:
    """Return a scalar schema's proto type name and its reader."""
    form = schema.get("format", "")
    if form in _INTEGER:
        return f"TYPE_{form.upper()}", lambda value: _integer(value, form)
    match schema["type"], form:
        case "boolean", _:
            return "TYPE_BOOL", lambda value: value if isinstance(value, bool) else _BAD
        case "number", _:
            return "TYPE_DOUBLE", _number
        case _, "byte":
            return "TYPE_BYTES", _bytes
        case _:
            return "TYPE_STRING", lambda value: value if isinstance(value, str) else _BAD


def _integer(value: object, form: str) -> object:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    low, high = _INTEGER[form]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        return _BAD
    # proto3 JSON writes 64-bit integers as strings.
    return str(value) if form == "int64" else value


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _BAD
    try:
        return float(value) if math.isfinite(value) else _BAD
    except OverflowError:
        return _BAD


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return _BAD
    try:
        read_bytes(value)
    except ValueError:
        return _BAD
    return value


def read_bytes(text: str) -> bytes:
    """Decode a bytes field in either base64 alphabet; raises ValueError."""
    return base64.b64decode(text, altchars=b"-_" if "-" in text or "_" in text else None)
