"""TensorFlow Serving's predict JSON, for every protocol that uses it."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from time import perf_counter

from ...codecs.json.layout import COMPACT, Layout
from ...codecs.request import PredictRequest, parse_request, scan_request
from ...inference import ExecutionMode, Inference
from ...inference.latency import LatencyEstimate, Stopwatch
from ...inference.types import ModelSpec, Prediction
from ...status import StatusError
from ..errors import error_body, http_status

__all__ = [
    "begin_predict_json",
    "error_body",
    "http_status",
    "predict_json",
    "predict_json_here",
]


# Up to this size the event loop parses or encodes faster than a hand-over to a thread takes.
_SMALL = 16 * 1024


async def predict_json(inference: Inference, spec: ModelSpec, body: bytes) -> bytes:
    """Answer a predict request's JSON; see `begin_predict_json`."""
    begun = begin_predict_json(inference, spec, body)
    return begun if isinstance(begun, bytes) else await begun


def begin_predict_json(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    timeout_seconds: float | None = None,
) -> bytes | Awaitable[bytes]:
    """Answer a predict request's JSON in the request's format, or return an awaitable that does.

    The request's `signature_name` overrides `spec.signature`. The request runs where that is
    fastest without blocking the event loop: directly on the loop, in a batch, or in a thread of the
    executor. It and the awaitable raise StatusError with TensorFlow Serving's texts (tfserving.md
    2.6).
    """
    plain = scan_request(body) if len(body) <= _SMALL else None
    named = _named(spec, plain) if plain else spec
    mode = inference.execution_mode(named, len(body))
    if mode is ExecutionMode.BATCH:
        return _answer_in_batch(inference, spec, plain or body, layout, timeout_seconds)
    if mode is ExecutionMode.LOOP and plain is not None:
        return _answer_on_loop(inference, named, plain, layout)
    return inference.submit(
        lambda: predict_json_here(inference, spec, body, layout, plain),
        timeout_seconds=timeout_seconds,
    )


def predict_json_here(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    plain: PredictRequest | None = None,
) -> bytes:
    """Answer a request in the calling thread; `plain` is its body if already parsed."""
    stopwatch = Stopwatch()
    request = plain or parse_request(body, inference.json_limits)
    answer, encoded = _answer(inference, spec, request, layout)
    _latency(inference, answer).record_threaded(len(body), *stopwatch.read())
    return encoded


def _answer_on_loop(
    inference: Inference, spec: ModelSpec, request: PredictRequest, layout: Layout
) -> bytes:
    began = perf_counter()
    try:
        answer, encoded = _answer(inference, spec, request, layout)
    except StatusError:
        with suppress(StatusError):  # the version may be gone
            inference.latency(spec).record_on_loop(perf_counter() - began)
        raise
    _latency(inference, answer).record_on_loop(perf_counter() - began)
    return encoded


def _latency(inference: Inference, answer: Prediction) -> LatencyEstimate:
    return inference.latencies.of(answer.spec.name, answer.spec.version, answer.spec.signature)


def _answer(
    inference: Inference, spec: ModelSpec, request: PredictRequest, layout: Layout
) -> tuple[Prediction, bytes]:
    answer = inference.predict_here(_named(spec, request), request.decode)
    return answer, _encode(request, answer, layout)


async def _answer_in_batch(
    inference: Inference,
    spec: ModelSpec,
    body: PredictRequest | bytes,
    layout: Layout,
    timeout_seconds: float | None,
) -> bytes:
    request = (
        await inference.submit(
            lambda: parse_request(body, inference.json_limits), timeout_seconds=timeout_seconds
        )
        if isinstance(body, bytes)
        else body
    )
    small = request.is_scanned and len(request.body) <= _SMALL
    named = _named(spec, request)
    answer = await inference.predict(
        named, request.decode, timeout_seconds=timeout_seconds, small=small
    )
    if sum(tensor.nbytes for tensor in answer.outputs.values()) <= _SMALL:
        return _encode(request, answer, layout)
    return await inference.submit(lambda: _encode(request, answer, layout))


def _named(spec: ModelSpec, request: PredictRequest) -> ModelSpec:
    return replace(spec, signature=request.signature_name) if request.signature_name else spec


def _encode(request: PredictRequest, answer: Prediction, layout: Layout) -> bytes:
    return layout.rows(answer.outputs) if request.by_row else layout.columns(answer.outputs)
