"""The OpenAPI document of a server's models.

Source: OpenAPI Specification 3.1.0; TensorFlow Serving, "RESTful API", for paths, methods and
errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cloudserve._version import __version__
from cloudserve.golden.samples import sample_requests
from cloudserve.openapi.requests import (
    examples_of,
    examples_request,
    examples_response,
    method_of,
    predict_request,
    predict_response,
)
from cloudserve.openapi.tensors import Schema
from cloudserve.savedmodel.signature import Signature

_ERRORS = {
    "400": "The request does not fit the signature, or is no JSON.",
    "404": "There is no such model or version.",
    "503": "The model is not available, or its queue is full.",
    "504": "The request took longer than the server permits.",
}


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """A model of the document: its name, and the signatures that requests may call."""

    name: str
    signatures: tuple[Signature, ...]
    versions: tuple[int, ...] = ()
    """The versions that are available; () if that is not known."""
    labels: Mapping[str, int] | None = None


def openapi_document(models: Sequence[DescribedModel], title: str, url: str = "/") -> Schema:
    """Return the document of a server at `url`."""
    paths: Schema = {}
    for model in models:
        paths |= _paths(model)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": __version__,
            "description": "TensorFlow Serving's REST API, with the signatures of the models.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _error()},
            "responses": {code: _error_response(text) for code, text in _ERRORS.items()},
        },
    }


def _paths(model: DescribedModel) -> Schema:
    base = f"/v1/models/{quote(model.name, safe='')}"
    versions = f"{base}/versions/{{version}}"
    paths: Schema = {
        base: {"get": _status(model, f"{model.name}_status")},
        f"{base}/metadata": {"get": _metadata(model, f"{model.name}_metadata")},
    }
    for method in ("predict", "classify", "regress"):
        # As in TensorFlow Serving, `predict` runs signatures of any method.
        signatures = [
            one for one in model.signatures if method == "predict" or method_of(one) == method
        ]
        operation = _operation(model, method, signatures)
        if operation is None:
            continue
        paths[f"{base}:{method}"] = {"post": operation}
        of_version = {**operation, "operationId": f"{operation['operationId']}_version"}
        paths[f"{versions}:{method}"] = {"parameters": [_version(model)], "post": of_version}
        if model.labels:
            of_label = {**operation, "operationId": f"{operation['operationId']}_label"}
            path = f"{base}/labels/{{label}}:{method}"
            paths[path] = {"parameters": [_label(model.labels)], "post": of_label}
    return paths


def _operation(
    model: DescribedModel, method: str, signatures: Sequence[Signature]
) -> Schema | None:
    """Return the operation of a method; None if no signature of it takes JSON."""
    requests: list[Schema] = []
    responses: list[Schema] = []
    for signature in signatures:
        if method == "predict":
            forms = predict_request(signature)
            requests += forms
            responses += predict_response(signature) if forms else []
        else:
            requests.append(examples_request(signature))
    if not requests:
        return None
    content: Schema = {"schema": _one_of(requests)}
    examples: Schema = {}
    for sample in sample_requests(signatures):
        examples |= examples_of(sample)
    if examples:
        content["examples"] = examples
    answer = _one_of(responses) if responses else examples_response(method)
    names = ", ".join(f"`{one.name}`" for one in signatures)
    return {
        "operationId": f"{model.name}_{method}",
        "summary": f"{method} with {names}",
        "tags": [model.name],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"200": _json_response("The model's answer.", answer), **_errors()},
    }


def _one_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _status(model: DescribedModel, identity: str) -> Schema:
    version = {
        "type": "object",
        "properties": {
            "version": {"type": "string", "description": "an int64"},
            "state": {
                "type": "string",
                "enum": ["UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END"],
            },
            "status": {"type": "object"},
        },
        "required": ["version", "state"],
    }
    states = {"type": "array", "items": version}
    schema = {"type": "object", "properties": {"model_version_status": states}}
    return _read(model, identity, "the states of its versions", schema)


def _metadata(model: DescribedModel, identity: str) -> Schema:
    schema = {
        "type": "object",
        "properties": {"model_spec": {"type": "object"}, "metadata": {"type": "object"}},
    }
    return _read(model, identity, "its signatures", schema)


def _read(model: DescribedModel, identity: str, what: str, schema: Schema) -> Schema:
    return {
        "operationId": identity,
        "summary": what,
        "tags": [model.name],
        "responses": {"200": _json_response(what, schema), "404": _reference("404")},
    }


def _version(model: DescribedModel) -> Schema:
    schema: Schema = {"type": "integer", "minimum": 0}
    if model.versions:
        schema["enum"] = sorted(model.versions)
    return {"name": "version", "in": "path", "required": True, "schema": schema}


def _label(labels: Mapping[str, int]) -> Schema:
    schema = {"type": "string", "enum": sorted(labels)}
    return {"name": "label", "in": "path", "required": True, "schema": schema}


def _json_response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error() -> Schema:
    return {
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    }


def _error_response(text: str) -> Schema:
    return _json_response(text, {"$ref": "#/components/schemas/Error"})


def _errors() -> dict[str, Any]:
    return {code: _reference(code) for code in _ERRORS}


def _reference(code: str) -> Schema:
    return {"$ref": f"#/components/responses/{code}"}
