"""TensorFlow Serving's predict JSON, whole: the one road of every face that speaks it."""

from __future__ import annotations

from dataclasses import replace

from ..codecs.layout import COMPACT, Layout
from ..codecs.request import parse_request
from ..inference import Inference, ModelSpec
from .errors import error_body, http_status

__all__ = ["error_body", "http_status", "predict_json", "predict_json_here"]


async def predict_json(inference: Inference, spec: ModelSpec, body: bytes) -> bytes:
    """Answer a predict request's JSON, in the form it came in.

    The request's `signature_name` goes before `spec.signature`. All of it happens in the
    executor's thread. Raises StatusError with TensorFlow Serving's texts (tfserving.md 2.6).
    """
    return await inference.submit(lambda: predict_json_here(inference, spec, body))


def predict_json_here(
    inference: Inference, spec: ModelSpec, body: bytes, layout: Layout = COMPACT
) -> bytes:
    """Do what `predict_json` does in the calling thread."""
    request = parse_request(body)
    if request.signature_name:
        spec = replace(spec, signature=request.signature_name)
    outputs = inference.predict_here(spec, request.decode).outputs
    return layout.rows(outputs) if request.by_row else layout.columns(outputs)
