"""TensorFlow Serving's predict JSON, whole: the one road of every face that speaks it."""

from __future__ import annotations

from dataclasses import replace

from ..codecs.layout import COMPACT, Layout
from ..codecs.request import PredictRequest, parse_request, scan_request
from ..inference import Inference, ModelSpec, Prediction
from .errors import error_body, http_status

__all__ = ["error_body", "http_status", "predict_json", "predict_json_here"]


# What takes the event loop less time to read or write than to hand to a thread and back.
_SMALL = 16 * 1024


async def predict_json(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    within: float | None = None,
) -> bytes:
    """Answer a predict request's JSON, in the form it came in.

    The request's `signature_name` goes before `spec.signature`. All of it happens in one of the
    executor's threads; where the model batches, in the batch's, and on the event loop what is
    small. Raises StatusError with TensorFlow Serving's texts (tfserving.md 2.6).
    """
    if not inference.batches(spec):
        return await inference.submit(
            lambda: predict_json_here(inference, spec, body, layout), within=within
        )
    small = len(body) <= _SMALL
    request = scan_request(body) if small else None
    if request is None:
        request = await inference.submit(lambda: parse_request(body))
    named = _named(spec, request)
    answer = await inference.predict(named, request.decode, within=within, small=small)
    if sum(tensor.nbytes for tensor in answer.outputs.values()) <= _SMALL:
        return _encode(request, answer, layout)
    return await inference.submit(lambda: _encode(request, answer, layout))


def predict_json_here(
    inference: Inference, spec: ModelSpec, body: bytes, layout: Layout = COMPACT
) -> bytes:
    """Do what `predict_json` does in the calling thread."""
    request = parse_request(body)
    return _encode(request, inference.predict_here(_named(spec, request), request.decode), layout)


def _named(spec: ModelSpec, request: PredictRequest) -> ModelSpec:
    return replace(spec, signature=request.signature_name) if request.signature_name else spec


def _encode(request: PredictRequest, answer: Prediction, layout: Layout) -> bytes:
    return layout.rows(answer.outputs) if request.by_row else layout.columns(answer.outputs)
