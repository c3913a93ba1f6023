"""TensorFlow Serving's predict JSON, whole: the one road of every face that speaks it."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from time import perf_counter

from ...codecs.json.layout import COMPACT, Layout
from ...codecs.request import PredictRequest, parse_request, scan_request
from ...inference import Inference, Way
from ...inference.nouns import ModelSpec, Prediction
from ...inference.pace import Pace, Stopwatch
from ...status import StatusError
from ..errors import error_body, http_status

__all__ = [
    "begin_predict_json",
    "error_body",
    "http_status",
    "predict_json",
    "predict_json_here",
]


# What takes the event loop less time to read or write than to hand to a thread and back.
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
    within: float | None = None,
) -> bytes | Awaitable[bytes]:
    """Answer a predict request's JSON, in the form it came in, or return what will.

    The request's `signature_name` goes before `spec.signature`. It is done where that is quickest
    without holding up the event loop: there, at once and without a task; in a batch, or in one of
    the executor's threads. Raises StatusError, as does what is awaited, with TensorFlow Serving's
    texts (tfserving.md 2.6).
    """
    plain = scan_request(body) if len(body) <= _SMALL else None
    named = _named(spec, plain) if plain else spec
    way = inference.way(named, len(body))
    if way is Way.BATCH:
        return _answer_in_batch(inference, spec, plain or body, layout, within)
    if way is Way.LOOP and plain is not None:
        return _answer_on_loop(inference, named, plain, layout)
    return inference.submit(
        lambda: predict_json_here(inference, spec, body, layout, plain), within=within
    )


def predict_json_here(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    plain: PredictRequest | None = None,
) -> bytes:
    """Answer one in the calling thread; `plain` is the body where it is parsed already."""
    stopwatch = Stopwatch()
    request = plain or parse_request(body, inference.json_limits)
    answer, encoded = _answer(inference, spec, request, layout)
    _pace(inference, answer).learn(len(body), *stopwatch.read())
    return encoded


def _answer_on_loop(
    inference: Inference, spec: ModelSpec, request: PredictRequest, layout: Layout
) -> bytes:
    began = perf_counter()
    try:
        answer, encoded = _answer(inference, spec, request, layout)
    except StatusError:
        with suppress(StatusError):  # that the version is gone by now
            inference.pace(spec).check(perf_counter() - began)
        raise
    _pace(inference, answer).check(perf_counter() - began)
    return encoded


def _pace(inference: Inference, answer: Prediction) -> Pace:
    return inference.paces.of(answer.spec.name, answer.spec.version, answer.spec.signature)


def _answer(
    inference: Inference, spec: ModelSpec, request: PredictRequest, layout: Layout
) -> tuple[Prediction, bytes]:
    answer = inference.predict_here(_named(spec, request), request.decode)
    return answer, _encode(request, answer, layout)


async def _answer_in_batch(
    inference: Inference,
    spec: ModelSpec,
    given: PredictRequest | bytes,
    layout: Layout,
    within: float | None,
) -> bytes:
    request = (
        await inference.submit(lambda: parse_request(given, inference.json_limits), within=within)
        if isinstance(given, bytes)
        else given
    )
    small = request.is_scanned and len(request.body) <= _SMALL
    named = _named(spec, request)
    answer = await inference.predict(named, request.decode, within=within, small=small)
    if sum(tensor.nbytes for tensor in answer.outputs.values()) <= _SMALL:
        return _encode(request, answer, layout)
    return await inference.submit(lambda: _encode(request, answer, layout))


def _named(spec: ModelSpec, request: PredictRequest) -> ModelSpec:
    return replace(spec, signature=request.signature_name) if request.signature_name else spec


def _encode(request: PredictRequest, answer: Prediction, layout: Layout) -> bytes:
    return layout.rows(answer.outputs) if request.by_row else layout.columns(answer.outputs)
