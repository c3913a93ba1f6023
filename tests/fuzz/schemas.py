"""Requests shaped by the services' own definitions: every member is of its type, mostly."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.model
import googleapiclient.discovery_cache

from .mutations import VALUES
from .wire import Message

WRONG = 0.08
"""How often a value is not of its type."""
PRESENT = 0.4
"""How often a member that may be left out is there."""
DEPTH = 5
NAMES = (
    "m",
    "c",
    "e",
    "v",
    "fuzzed",
    "a",
    "projects/p/models/m",
    "gs://fuzzed/m",
    "s3://fuzzed/m/",
)

AWS_SERVICES = (("sagemaker", "SageMaker."), ("cloudwatch", "GraniteServiceVersion20100801."))
GOOGLE_SERVICES = ("ml.v1", "aiplatform.v1", "storage.v1")
AIPLATFORM = ("models", "endpoints", "batchPredictionJobs", "operations")
"""The resources of the offline Vertex AI."""


class Schemas:
    """The definitions of all services that take JSON."""

    def __init__(self) -> None:
        self._aws = [
            (model, target) for name, target in AWS_SERVICES for model in [_botocore(name)]
        ]
        folder = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
        documents = [json.loads((folder / f"{n}.json").read_bytes()) for n in GOOGLE_SERVICES]
        self._google = [(document, list(_methods(document))) for document in documents]

    def request(self, chance: random.Random) -> Message:
        """Return a request of a random operation, without a Host."""
        return self._of_aws(chance) if chance.random() < 0.4 else self._of_google(chance)

    def _of_aws(self, chance: random.Random) -> Message:
        model, target = chance.choice(self._aws)
        operation = chance.choice(model.operation_names)
        shape = model.operation_model(operation).input_shape
        body = _of_shape(shape, chance, DEPTH) if shape is not None else {}
        headers = (
            (b"Host", b"localhost"),
            (b"X-Amz-Target", f"{target}{operation}".encode()),
            (b"Content-Type", b"application/x-amz-json-1.1"),
        )
        return Message(b"POST", b"/", headers, json.dumps(body).encode())

    def _of_google(self, chance: random.Random) -> Message:
        document, methods = chance.choice(self._google)
        method = chance.choice(methods)
        base = document["servicePath"] if document["name"] == "storage" else ""
        path = base + method["path"]
        parameters = method.get("parameters", {})
        query = []
        for name, spec in parameters.items():
            value = str(chance.choice((*NAMES, *VALUES[3:8])))
            if spec["location"] == "path":
                path = path.replace(f"{{+{name}}}", _resource(spec, chance))
                path = path.replace(f"{{{name}}}", chance.choice(NAMES[:6]))
            elif chance.random() < PRESENT / 2:
                query.append(f"{name}={value}")
        reference = method.get("request", {}).get("$ref")
        body = b""
        if reference:
            schemas = document["schemas"]
            body = json.dumps(_of_schema(schemas, schemas[reference], chance, DEPTH)).encode()
        target = f"/{path}?{'&'.join(query)}".encode()
        headers = ((b"Host", b"localhost"), (b"Content-Type", b"application/json"))
        return Message(method["httpMethod"].encode(), target, headers, body)


def _botocore(name: str) -> botocore.model.ServiceModel:
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model(name, "service-2"))


def _methods(resource: Mapping[str, Any], above: str = "") -> Any:
    for method in resource.get("methods", {}).values():
        if not method["id"].startswith("aiplatform") or above in AIPLATFORM:
            yield method
    for name, nested in resource.get("resources", {}).items():
        yield from _methods(nested, name)


def _resource(spec: Mapping[str, Any], chance: random.Random) -> str:
    """Return a resource name by its pattern: `^projects/[^/]+/models/[^/]+$`."""
    words = spec.get("pattern", "").strip("^$").replace("[^/]+", "*").split("/")
    named = {"projects": "p", "locations": "us-central1"}
    for position, word in enumerate(words):
        if word == "*":
            words[position] = named.get(words[position - 1], chance.choice(NAMES[:6]))
    return "/".join(words)


def _of_shape(shape: Any, chance: random.Random, depth: int) -> Any:
    """Return a value of a botocore shape."""
    if chance.random() < WRONG:
        return chance.choice(VALUES)
    if shape.type_name == "structure":
        names = [n for n in shape.members if n in shape.required_members or _takes(chance, depth)]
        return {name: _of_shape(shape.members[name], chance, depth - 1) for name in names}
    if shape.type_name == "map":
        return {chance.choice(NAMES): _of_shape(shape.value, chance, depth - 1)}
    if shape.type_name == "list":
        return [_of_shape(shape.member, chance, depth - 1) for _ in _some(chance, depth)]
    return _scalar(shape.type_name, getattr(shape, "enum", ()), chance)


def _of_schema(schemas: Any, schema: Mapping[str, Any], chance: random.Random, depth: int) -> Any:
    """Return a value of a schema of a discovery document."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if chance.random() < WRONG:
        return chance.choice(VALUES)
    if "additionalProperties" in schema:
        inner = schema["additionalProperties"]
        return {chance.choice(NAMES): _of_schema(schemas, inner, chance, depth - 1)}
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        names = [name for name in properties if _takes(chance, depth)]
        return {n: _of_schema(schemas, properties[n], chance, depth - 1) for n in names}
    if schema.get("type") == "array":
        inner = schema["items"]
        return [_of_schema(schemas, inner, chance, depth - 1) for _ in _some(chance, depth)]
    return _scalar(schema.get("type", "any"), schema.get("enum", ()), chance)


def _scalar(kind: str, enum: Sequence[str], chance: random.Random) -> Any:
    if kind == "string":
        return chance.choice(enum or (*NAMES, "1", "2026-01-01T00:00:00Z"))
    if kind == "boolean":
        return chance.random() < 0.5
    return chance.choice((0, 1, 2, 60, -1, 1.5))


def _some(chance: random.Random, depth: int) -> range:
    return range(chance.randint(0, 2) if depth > 0 else 0)


def _takes(chance: random.Random, depth: int) -> bool:
    return depth > 0 and chance.random() < PRESENT
