"""Vertex AI's online predictions on the data plane.

`predict` wraps the bodies of a TensorFlow Serving container: `{instances, parameters}` in,
`predictions` and their model out. `raw_predict` passes the container's bytes on unchanged.
Source: aiplatform v1's PredictRequest and PredictResponse; texts as users reported them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec

from ...codecs.large.document import Document, Node, Run
from ...codecs.large.outline import DeepError, read_outline
from ...codecs.limits import JsonLimits
from ...codecs.request import WHOLE_BYTES
from ...inference import Inference
from ...inference.types import ModelSpec
from ...status import Code, StatusError
from ..errors import error_body, http_status
from ..tfserving.predict_json import predict_job

_NOT_AS_WRITTEN = re.compile(rb"\.0+(?:[\s,\]}]|\Z)|[0-9][eE]|[0-9]{16}")
"""Numbers that a protobuf Value, which holds doubles, may write differently."""
_SEARCHED_AT_ONCE, _OVERLAP = 2**16, 32
_ANY_SIZE = JsonLimits(values=2**31)
"""The size of a request's body bounds its values."""


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """A model at an endpoint, and the name it is loaded under."""

    servable: str
    id: str
    endpoint_id: str
    model: str
    version_id: str
    display_name: str

    def envelope(self) -> dict[str, str]:
        """Return the fields of a PredictResponse that name the model."""
        return {
            "deployedModelId": self.id,
            "model": self.model,
            "modelDisplayName": self.display_name,
            "modelVersionId": self.version_id,
        }


@dataclass(frozen=True, slots=True)
class VertexLimits:
    """An endpoint's limits for one prediction: bytes of the response, seconds."""

    answer_bytes: int
    seconds: float


class VertexRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PredictRequest with its JSON values as written; null is absent."""

    instances: msgspec.Raw = msgspec.Raw(b"[]")
    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    labels: dict[str, str] | None = None

    def to_container(self) -> bytes:
        """Return the body for the container; raises StatusError if it is not JSON."""
        return container_body(self._written_instances(), _decode(self.parameters))

    def to_own_container(self) -> bytes:
        """Return the body for a user's own container; raises StatusError."""
        parameters = msgspec.json.encode(through_doubles(_decode(self.parameters)))
        instances = self._written_instances()
        return b'{"instances":' + instances + b',"parameters":' + parameters + b"}"

    def _written_instances(self) -> bytes:
        instances = bytes(self.instances).strip()
        return _rewritten(instances) if _is_written_otherwise(instances) else instances


def container_body(instances: bytes, parameters: Any) -> bytes:
    """Return the body for a container from a JSON array of instances."""
    name = signature_of(parameters)
    start = f'{{"signature_name":{json.dumps(name)},' if name else "{"
    return start.encode() + b'"instances":' + instances + b"}"


def read_request(body: bytes) -> VertexRequest | None:
    """Return a predict request, or None for a body that the message's schema may refuse."""
    try:
        request = msgspec.json.decode(body, type=VertexRequest)
    except (ValueError, RecursionError):
        return None
    is_list = bytes(request.instances).lstrip().startswith(b"[")
    return request if is_list else None


async def predict(
    inference: Inference, deployed: DeployedModel, request: VertexRequest, limits: VertexLimits
) -> bytes:
    """Answer a predict request with Vertex AI's envelope; raises StatusError."""
    answer = await inference.submit(
        lambda: _enveloped(_run(inference, deployed, request.to_container()), deployed),
        timeout_seconds=limits.seconds,
    )
    return within(answer, deployed, limits)


async def raw_predict(
    inference: Inference, deployed: DeployedModel, body: bytes, limits: VertexLimits
) -> bytes:
    """Answer with the container's bytes; raises StatusError."""
    answer = await inference.submit(
        lambda: _run(inference, deployed, body), timeout_seconds=limits.seconds
    )
    return within(answer, deployed, limits)


def predict_batch(
    inference: Inference, deployed: DeployedModel, instances: bytes, parameters: Any, count: int
) -> list[msgspec.Raw]:
    """Return the predictions for a JSON array of `count` instances, each as JSON. Blocks.

    Raises StatusError if the container refuses them, or answers with another number of predictions.
    """
    answer = _run(inference, deployed, container_body(instances, parameters))
    _check_numbers(answer)
    try:
        predictions = msgspec.json.decode(answer, type=_Predictions).predictions
    except (ValueError, RecursionError) as error:
        text = f"The model's answer holds no predictions as JSON: {error}"
        raise StatusError(Code.INTERNAL, text) from error
    if len(predictions) != count:
        text = f"The model gave {len(predictions)} predictions for {count} instances."
        raise StatusError(Code.INTERNAL, text)
    return predictions


class _Predictions(msgspec.Struct, frozen=True):
    predictions: list[msgspec.Raw]


def _run(inference: Inference, deployed: DeployedModel, body: bytes) -> bytes:
    try:
        return inference.serve_here(
            predict_job(ModelSpec(deployed.servable), body, limits=inference.json_limits)
        )
    except StatusError as error:
        raise _of_container(error, deployed) from error


def _of_container(error: StatusError, deployed: DeployedModel) -> StatusError:
    """Return the platform's error for a container's error, whose body is the message."""
    message = error.message.replace(deployed.servable, deployed.display_name)
    text = error_body(message).decode("utf-8", "replace")
    status = http_status(error.code)
    if status == HTTPStatus.BAD_REQUEST:
        return StatusError(Code.INVALID_ARGUMENT, text)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return StatusError(Code.FAILED_PRECONDITION, text)
    return StatusError(error.code, text)


def _enveloped(answer: bytes, deployed: DeployedModel) -> bytes:
    _check_numbers(answer)
    return answer.rstrip()[:-1] + b"," + msgspec.json.encode(deployed.envelope())[1:]


def _check_numbers(answer: bytes) -> None:
    """Refuse an answer with numbers that JSON lacks, which the container writes (StatusError)."""
    if b"NaN" not in answer and b"Infinity" not in answer:
        return
    try:
        msgspec.json.decode(answer, type=msgspec.Raw)
    except (ValueError, RecursionError) as error:
        text = "The model's answer is not JSON: it holds NaN or Infinity, which JSON lacks."
        raise StatusError(Code.FAILED_PRECONDITION, text) from error


def within(answer: bytes, deployed: DeployedModel, limits: VertexLimits) -> bytes:
    """Return an answer of allowed size; raises StatusError for a larger one."""
    if len(answer) > limits.answer_bytes:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"Failed to handle request. endpoint_id: {deployed.endpoint_id}, deployed_model_id:"
            f" {deployed.id} with error: Response size too large. Received at least"
            f" {len(answer)} bytes; max is {limits.answer_bytes}.",
        )
    return answer


def _decode(raw: bytes | msgspec.Raw) -> Any:
    """Return a JSON value; a raw one was not validated when its message was read."""
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error


def _not_json(error: Exception) -> StatusError:
    text = f"Invalid JSON payload received. Unexpected token.\n{error}"
    return StatusError(Code.INVALID_ARGUMENT, text)


def signature_of(parameters: Any) -> str:
    """Return the signature that a prediction's parameters name, or ""."""
    name = parameters.get("signature_name") if isinstance(parameters, dict) else None
    return name if isinstance(name, str) else ""


def _is_written_otherwise(instances: bytes) -> bool:
    """Return whether a number may be; searches in chunks, for each search holds the GIL."""
    starts = range(0, len(instances), _SEARCHED_AT_ONCE)
    ends = (start + _SEARCHED_AT_ONCE + _OVERLAP for start in starts)
    return any(map(partial(_NOT_AS_WRITTEN.search, instances), starts, ends))


def _rewritten(instances: bytes) -> bytes:
    """Return a JSON array as a protobuf Value writes it; a large one in pieces."""
    if len(instances) > WHOLE_BYTES:
        # The array is valid JSON: an error means that the piecewise reader does not support it.
        with suppress(DeepError, StatusError):
            document = read_outline(instances, _ANY_SIZE, first_counts=False)
            return b"".join(_pieces(document, document.root))
    return msgspec.json.encode(through_doubles(_decode(instances)))


def _pieces(document: Document, value: Any) -> Iterator[bytes]:
    if not isinstance(value, Node):
        yield msgspec.json.encode(through_doubles(value))
        return
    yield value.levels[-1:]
    for index, item in enumerate(value.items):
        yield b"," if index else b""
        if isinstance(item, Run):
            values = document.values(value, item)
            yield msgspec.json.encode(through_doubles(values))[1:-1]
            continue
        name, large = item
        yield b"" if value.is_list else msgspec.json.encode(name) + b":"
        yield from _pieces(document, large)
    yield b"]" if value.is_list else b"}"


def through_doubles(value: Any) -> Any:
    """Return a JSON value as a protobuf Value writes it: 1.0 as 1, integers as doubles.

    Raises StatusError for deep nesting: since Python 3.13 the parser takes more than functions do.
    """
    try:
        return _as_doubles(value)
    except RecursionError as error:
        raise _not_json(error) from error


def _as_doubles(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_doubles(item) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        number = float(value)
    except OverflowError as error:
        text = f"Invalid value at 'instances' (TYPE_DOUBLE), {value}"
        raise StatusError(Code.INVALID_ARGUMENT, text) from error
    return int(number) if number.is_integer() else number
