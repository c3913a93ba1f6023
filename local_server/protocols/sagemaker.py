"""SageMaker's TensorFlow Serving container: its request conversion, on the one data plane.

Source: aws/deep-learning-containers, tensorflow/inference/sagemaker (tensorflowServing.js and its
Python service), in the behaviour of the 2.20 image.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..inference import Inference, ModelSpec
from ..status import StatusError
from .predict_json import error_body, http_status, predict_json_here

_AS_IT_IS = re.compile(rb'"(instances|inputs|examples)"\s*:')
_NEXT_LINE = re.compile(rb"[}\]]\s*[\[{]")
_ROWS = re.compile(rb"\s*\[\s*\[")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ATTRIBUTE = re.compile(r"(tfs-[a-z-]+)=([^,]+)")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_JSON_TYPES = {"application/json", "application/jsonlines", "application/jsons"}
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request as it reaches the container: bytes and the headers it looks at."""

    body: bytes
    content_type: str = ""
    accept: str = ""
    attributes: str = ""
    """X-Amzn-SageMaker-Custom-Attributes."""


@dataclass(frozen=True, slots=True)
class ContainerAnswer:
    """What the container answers."""

    status: int
    body: bytes
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Container:
    """The models of one container: their names in it -> their names in the data plane."""

    models: Mapping[str, str]
    default: str

    async def invoke(self, inference: Inference, invocation: Invocation) -> ContainerAnswer:
        """Answer `POST /invocations` as the container does, errors included."""
        try:
            spec = self._spec(invocation.attributes)
            # The conversion too is done in the executor: a body of megabytes takes its time.
            answer = await inference.submit(lambda: _answer(inference, spec, invocation))
        except ContainerError as error:
            return ContainerAnswer(error.status, json.dumps({"error": error.message}).encode())
        except StatusError as error:
            text = self._named_here(error.message)
            return ContainerAnswer(http_status(error.code), error_body(text))
        return ContainerAnswer(200, answer)

    def _named_here(self, message: str) -> str:
        """Say the data plane's names of models as the container has them."""
        for name, outside in self.models.items():
            message = message.replace(outside, name)
        return message

    def _spec(self, attributes: str) -> ModelSpec:
        given = dict(_ATTRIBUTE.findall(attributes))
        name = given.get("tfs-model-name", self.default)
        version = given.get("tfs-model-version")
        if not _MODEL_NAME.fullmatch(name):
            raise ContainerError(400, "invalid tfs-model-name")
        if version is not None and not re.fullmatch(r"[0-9]{1,18}", version):
            raise ContainerError(400, "invalid tfs-model-version")
        method = given.get("tfs-method", "predict")
        if method not in {"predict", "classify", "regress"}:
            raise ContainerError(400, "invalid tfs-method")
        if method != "predict":
            raise ContainerError(501, f"tfs-method={method} is not available offline")
        # An unknown model keeps its short name, which is what the error then tells.
        return ModelSpec(self.models.get(name, name), None if version is None else int(version))


def _answer(inference: Inference, spec: ModelSpec, invocation: Invocation) -> bytes:
    request = to_tfserving(invocation.content_type, invocation.body)
    answer = predict_json_here(inference, spec, request)
    return answer.replace(b"\n", b"") if JSON in invocation.accept else answer


class ContainerError(Exception):
    """The container's own refusal, before TensorFlow Serving sees the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def to_tfserving(content_type: str, body: bytes) -> bytes:
    """Convert a body to TensorFlow Serving's JSON; raises ContainerError (415, 400)."""
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if kind in _JSON_TYPES:
        return _from_json(body)
    if kind == "text/csv":
        return _from_csv(body)
    raise ContainerError(415, f"Unsupported Media Type: {content_type or 'Unknown'}")


def _from_json(body: bytes) -> bytes:
    if _AS_IT_IS.search(body):
        return body
    if _NEXT_LINE.search(body) and not _ROWS.match(body):
        return _from_lines(body)
    if _ROWS.match(body):
        return b'{"instances":' + body + b"}"
    return b'{"instances":[' + body + b"]}"


def _from_lines(body: bytes) -> bytes:
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) == 1:
        return b'{"instances":' + lines[0] + b"}"
    return b'{"instances":[' + b",".join(lines) + b"]}"


def _from_csv(body: bytes) -> bytes:
    try:
        rows = ",".join(_csv_rows(body.decode()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ContainerError(400, f"the body is not CSV: {error}") from error
    return b'{"instances":[' + rows.encode() + b"]}"


def _csv_rows(text: str) -> Iterator[str]:
    """Yield each line as JSON: an array of its fields, or a lone field itself.

    A number is taken over as it is written, anything else becomes a string.
    """
    for fields in csv.reader(io.StringIO(text, newline=""), strict=True):
        values = [field if _NUMBER.fullmatch(field) else json.dumps(field) for field in fields]
        if values:
            yield f"[{','.join(values)}]" if len(values) > 1 else values[0]
