"""Google's discovery documents: the method of a request, and its query parameters.

The documents come from google-api-python-client's static cache and are read on first use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from cloudserve.errors import MissingExtraError

from ....status import Code
from .errors import ApiError, Violation

Schema = Mapping[str, Any]
_TEMPLATE = re.compile(r"\{\+?(\w+)\}")
_INT32 = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Method:
    """One method of an API, such as `projects.models.create`."""

    id: str
    http_method: str
    verb: str
    """The custom verb at the end of the path, such as `predict`, or ""."""
    path: re.Pattern[str]
    query: Mapping[str, Schema]
    request: str | None
    """The schema id of the request body."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request matched to a method, with its path and query parameters decoded."""

    method: Method
    path: Mapping[str, str]
    query: Mapping[str, Any]


class Api:
    """One API, from its discovery document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.schemas: Mapping[str, Schema] = document["schemas"]
        endpoints = document.get("endpoints", ())
        self.locations = frozenset(endpoint["location"] for endpoint in endpoints)
        """Locations of the API's regional endpoints; empty if the document names none."""
        self._methods: dict[tuple[str, str], list[Method]] = {}
        for method in _methods(document, document["parameters"]):
            self._methods.setdefault((method.http_method, method.verb), []).append(method)

    def match(self, http_method: str, path: str, query: str) -> Call:
        """Match a request to a method; raises ApiError for an unknown method or a bad parameter.

        `path` and `query` are percent-encoded, as in the request.
        """
        # An API has a thousand methods, but few share a verb.
        for method in self._methods.get((http_method, _verb(path)), ()):
            if match := method.path.fullmatch(path):
                names = {name: unquote(value) for name, value in match.groupdict().items()}
                return Call(method, names, _query(method, query))
        raise ApiError(Code.NOT_FOUND, f"Method not found: {http_method} {path}")


def load(name: str, version: str) -> Api:
    """Read an API's document.

    Raises MissingExtraError without google-api-python-client, and FileNotFoundError if that has
    no such document.
    """
    try:
        import googleapiclient.discovery_cache as cache
    except ImportError as error:
        raise MissingExtraError("The offline Google Cloud", "gcp") from error
    folder = Path(cache.__file__).parent / "documents"
    return Api(json.loads((folder / f"{name}.{version}.json").read_bytes()))


def _methods(resource: Schema, shared: Mapping[str, Schema]) -> Iterator[Method]:
    for spec in resource.get("methods", {}).values():
        parameters = spec.get("parameters", {})
        in_query = {n: p for n, p in parameters.items() if p["location"] == "query"}
        yield Method(
            id=spec["id"],
            http_method=spec["httpMethod"],
            verb=_verb(spec["path"]),
            path=_path_pattern(spec["path"], parameters),
            query={**in_query, **shared},
            request=spec.get("request", {}).get("$ref"),
        )
    for nested in resource.get("resources", {}).values():
        yield from _methods(nested, shared)


def _path_pattern(template: str, parameters: Mapping[str, Schema]) -> re.Pattern[str]:
    """Turn `v1/{+name}:predict` into a pattern that contains each parameter's own pattern."""
    parts = _TEMPLATE.split(template)
    for index in range(1, len(parts), 2):
        own = parameters[parts[index]].get("pattern", "^[^/]+$").removeprefix("^").removesuffix("$")
        # A name does not include a custom verb (":predict").
        parts[index] = f"(?P<{parts[index]}>{own.replace('[^/]', '[^/:]').replace('.*', '[^:]*')})"
    for index in range(0, len(parts), 2):
        parts[index] = re.escape(parts[index])
    return re.compile("/" + "".join(parts))


def _verb(path: str) -> str:
    return path.rpartition("/")[2].partition(":")[2]


def _query(method: Method, query: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        wire = name.removeprefix("$") if name.startswith("$") else name
        wire = wire if wire in method.query else _lower_camel(wire)
        schema = method.query.get(name) or method.query.get(wire)
        if schema is None:
            raise _unbound(name)
        value = _parameter(wire, schema, _without_options(wire, text))
        values[wire] = [*values.get(wire, ()), value] if schema.get("repeated") else value
    return values


def _without_options(name: str, text: str) -> str:
    """Return a value without the options after it in `$alt=json;enum-encoding=int`.

    Responses always name enums, which every proto3 JSON parser accepts.
    """
    return text.partition(";")[0] if name == "alt" else text


def _lower_camel(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])_([a-z])", lambda match: match[1].upper(), name)


def _parameter(name: str, schema: Schema, text: str) -> Any:
    kind = schema.get("type")
    if kind == "integer":
        if not re.fullmatch(r"-?[0-9]{1,10}", text) or int(text) not in _INT32:
            raise _invalid(name, "TYPE_INT32", text)
        return int(text)
    if kind == "boolean":
        if text not in {"true", "false", "1", "0"}:
            raise _invalid(name, "TYPE_BOOL", text)
        return text in {"true", "1"}
    if "enum" in schema and text not in schema["enum"]:
        raise _invalid(name, "TYPE_ENUM", text)
    return text


def snake(name: str) -> str:
    """Return a JSON field name as its proto name: `deploymentUri` -> `deployment_uri`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: f"_{m[1].lower()}", name)


def _unbound(name: str) -> ApiError:
    description = (
        f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
        f" Field '{name}' could not be found in request message."
    )
    return ApiError(Code.INVALID_ARGUMENT, description, (Violation("", description),))


def _invalid(name: str, kind: str, text: str) -> ApiError:
    description = f"Invalid value at '{snake(name)}' ({kind}), {json.dumps(text)}"
    return ApiError(Code.INVALID_ARGUMENT, description, (Violation(snake(name), description),))
