"""TensorFlow Serving's predict JSON, for every protocol that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from cloudserve.savedmodel.signature import Signature

from ...codecs.json.layout import COMPACT, Layout
from ...codecs.limits import DEFAULT_LIMITS, JsonLimits
from ...codecs.request import PredictRequest, parse_request, scan_brief, scan_request
from ...codecs.together import SmallRequests
from ...inference import Inference
from ...inference.requests import Decode, Job, NotPlainError, Parsed, predict
from ...inference.types import ModelSpec
from ...runtime.types import Tensor

_ENCODING = "json"
# Up to this size the event loop parses or encodes faster than a hand-over to a thread takes.
_SMALL = 16 * 1024
# Up to this size plain numbers take the event loop less than a millisecond.
_MODERATE = 256 * 1024


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
    size = len(body)
    plain = scan_request(body, limits) if size <= _SMALL else None
    return Job(
        size,
        lambda: _parsed(spec, parse_request(body, limits), layout),
        _parsed(spec, plain, layout) if plain else None,
        small_bytes=_SMALL,
        parse_plain=partial(_parse_plain, spec, body, layout, limits)
        if _SMALL < size <= _MODERATE
        else None,
        encoding=_ENCODING,
    )


def small_predictions(
    layout: Layout = COMPACT, limits: JsonLimits = DEFAULT_LIMITS
) -> SmallRequests:
    """Return the format of those predict requests that the event loop may process together."""
    return SmallRequests(_SMALL, layout, limits)


def _parse_plain(
    spec: ModelSpec, body: bytes, layout: Layout, limits: JsonLimits
) -> Parsed[bytes] | None:
    request = scan_brief(body, limits)
    if request is None:
        return None

    def decode(signature: Signature) -> Mapping[str, Tensor]:
        inputs = request.decode_plain(signature)
        if inputs is None:
            raise NotPlainError
        return inputs

    return _parsed(spec, request, layout, decode)


def _parsed(
    spec: ModelSpec, request: PredictRequest, layout: Layout, decode: Decode | None = None
) -> Parsed[bytes]:
    name = request.signature_name
    write = layout.rows if request.by_row else layout.columns
    named = replace(spec, signature=name) if name else spec
    return predict(named, decode or request.decode), lambda answer: write(answer.outputs)
