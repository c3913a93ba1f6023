"""TensorFlow Serving's predict JSON, for every protocol that uses it."""

from __future__ import annotations

from dataclasses import replace

from ...codecs.json.layout import COMPACT, Layout
from ...codecs.limits import DEFAULT_LIMITS, JsonLimits
from ...codecs.request import PredictRequest, parse_request, scan_request
from ...codecs.together import SmallRequests
from ...inference import Inference
from ...inference.requests import Job, Parsed, predict
from ...inference.types import ModelSpec

_ENCODING = "json"
# Up to this size the event loop parses or encodes faster than a hand-over to a thread takes.
_SMALL = 16 * 1024


async def predict_json(inference: Inference, spec: ModelSpec, body: bytes) -> bytes:
    """Answer a predict request's JSON in the request's format.

    Raises StatusError with TensorFlow Serving's texts.
    """
    return await inference.serve(predict_job(spec, body, limits=inference.json_limits))


def predict_job(
    spec: ModelSpec, body: bytes, layout: Layout = COMPACT, limits: JsonLimits = DEFAULT_LIMITS
) -> Job[bytes]:
    """Return the job of a predict request's JSON; its `signature_name` overrides the spec's.

    Its error is a StatusError with TensorFlow Serving's text.
    """
    plain = scan_request(body, limits) if len(body) <= _SMALL else None
    return Job(
        len(body),
        lambda: _parsed(spec, parse_request(body, limits), layout),
        _parsed(spec, plain, layout) if plain else None,
        small_bytes=_SMALL,
        encoding=_ENCODING,
    )


def small_predictions(
    layout: Layout = COMPACT, limits: JsonLimits = DEFAULT_LIMITS
) -> SmallRequests:
    """Return the format of those predict requests that the event loop may process together."""
    return SmallRequests(_SMALL, layout, limits)


def _parsed(spec: ModelSpec, request: PredictRequest, layout: Layout) -> Parsed[bytes]:
    name = request.signature_name
    write = layout.rows if request.by_row else layout.columns
    named = replace(spec, signature=name) if name else spec
    return predict(named, request.decode), lambda answer: write(answer.outputs)
