"""The request and response bodies of a signature's method."""

from __future__ import annotations

from typing import Any

from cloudserve.golden.samples import Sample, to_text
from cloudserve.openapi.tensors import B64, Schema, takes_json, tensor_schema
from cloudserve.savedmodel.signature import Signature, TensorSpec

DEFAULT = "serving_default"
LONGEST_EXAMPLE = 4096
"""Bytes: the numbers of an image say nothing to a reader."""


def method_of(signature: Signature) -> str:
    """Return `predict`, `classify` or `regress`."""
    return signature.method_name.rpartition("/")[2] or "predict"


def predict_request(signature: Signature) -> list[Schema]:
    """Return the schemas of a predict request: by rows, and by columns where it can be so."""
    specs = [spec for spec in signature.inputs if takes_json(spec)]
    if len(specs) != len(signature.inputs) or not specs:
        return []
    named = _naming(signature)
    columns = _columns(specs, signature)
    forms = [_object({**named, "inputs": columns}, _required(signature, "inputs"), "by columns")]
    if all(spec.shape is None or spec.shape for spec in specs):
        rows = _rows(specs, signature)
        forms.insert(
            0, _object({**named, "instances": rows}, _required(signature, "instances"), "by rows")
        )
    return forms


def predict_response(signature: Signature) -> list[Schema]:
    """Return the schemas of the responses: `predictions` to rows, `outputs` to columns."""
    specs = signature.outputs
    one = len(specs) == 1
    row = (
        tensor_schema(specs[0], is_output=True, drop_rows=True)
        if one
        else _named(specs, drop_rows=True)
    )
    whole = tensor_schema(specs[0], is_output=True) if one else _named(specs, drop_rows=False)
    return [
        _object({"predictions": {"type": "array", "items": row}}, ["predictions"], "by rows"),
        _object({"outputs": whole}, ["outputs"], "by columns"),
    ]


def examples_request(signature: Signature) -> Schema:
    """Return the schema of a classify or regress request: tf.Examples by feature."""
    kinds: list[Schema] = [{"type": "number"}, {"anyOf": [{"type": "string"}, B64]}]
    feature: Schema = {
        "anyOf": [*kinds, *({"type": "array", "items": kind} for kind in kinds)],
        "description": "a value, or a list of values of one kind",
    }
    examples = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "additionalProperties": feature},
    }
    properties = {
        **_naming(signature),
        "context": {"type": "object", "additionalProperties": feature},
        "examples": examples,
    }
    return _object(properties, _required(signature, "examples"), "tf.Examples")


def examples_response(method: str) -> Schema:
    """Return the schema of a classify or regress response."""
    label = {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, {"type": "number"}]},
        "minItems": 2,
        "maxItems": 2,
        "description": "a class and its score",
    }
    item = {"type": "array", "items": label} if method == "classify" else {"type": "number"}
    return _object({"results": {"type": "array", "items": item}}, ["results"], "one per example")


def examples_of(sample: Sample) -> dict[str, Any]:
    """Return the sample requests as OpenAPI's examples."""
    forms = {"rows": sample.rows, "columns": sample.columns}
    return {
        f"{sample.signature}, by {form}": {"value": body}
        for form, body in forms.items()
        if body is not None and len(to_text(body)) <= LONGEST_EXAMPLE
    }


def _object(properties: Schema, required: list[str], title: str) -> Schema:
    return {"type": "object", "title": title, "properties": properties, "required": required}


def _naming(signature: Signature) -> Schema:
    return {"signature_name": {"type": "string", "const": signature.name}}


def _required(signature: Signature, *fields: str) -> list[str]:
    named = [] if signature.name == DEFAULT else ["signature_name"]
    return [*named, *fields]


def _rows(specs: list[TensorSpec], signature: Signature) -> Schema:
    """Return the schema of `instances`: all rows name their inputs, or none does."""
    named = _inputs(specs, signature, drop_rows=True) | {"additionalProperties": False}
    forms = [tensor_schema(specs[0], drop_rows=True)] if len(specs) == 1 else []
    lists: list[Schema] = [
        {"type": "array", "items": form, "minItems": 1} for form in (*forms, named)
    ]
    return lists[0] if len(lists) == 1 else {"anyOf": lists}


def _columns(specs: list[TensorSpec], signature: Signature) -> Schema:
    """Return the schema of `inputs`; TensorFlow Serving ignores further names there."""
    named = _inputs(specs, signature, drop_rows=False)
    return {"anyOf": [tensor_schema(specs[0]), named]} if len(specs) == 1 else named


def _inputs(specs: list[TensorSpec], signature: Signature, *, drop_rows: bool) -> Schema:
    schemas = {spec.alias: tensor_schema(spec, drop_rows=drop_rows) for spec in specs}
    required = [spec.alias for spec in specs if spec.alias not in signature.defaults]
    return {"type": "object", "properties": schemas, "required": required}


def _named(specs: tuple[TensorSpec, ...], *, drop_rows: bool) -> Schema:
    schemas = {
        spec.alias: tensor_schema(spec, is_output=True, drop_rows=drop_rows) for spec in specs
    }
    return {"type": "object", "properties": schemas, "required": list(schemas)}
