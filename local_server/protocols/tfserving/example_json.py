"""TensorFlow Serving's classify and regress JSON.

The request is parsed before the model is looked up; its `signature_name` overrides
`spec.signature`. The errors are StatusErrors with TensorFlow Serving's texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...codecs.examples import parse_examples
from ...codecs.json.layout import COMPACT, Layout
from ...codecs.limits import DEFAULT_LIMITS, JsonLimits
from ...inference.requests import InferenceRequest, Job, Parsed, classify, regress
from ...inference.types import Classifications, ModelSpec, Regressions

# Up to this size the event loop encodes faster than a hand-over to a thread takes.
_SMALL = 16 * 1024


def classify_job(
    spec: ModelSpec, body: bytes, layout: Layout = COMPACT, limits: JsonLimits = DEFAULT_LIMITS
) -> Job[bytes]:
    """Return the job of a classify request's JSON."""

    def write(answer: Classifications) -> bytes:
        return layout.classes(answer.labels, answer.scores)

    return _job(classify, write, spec, body, limits)


def regress_job(
    spec: ModelSpec, body: bytes, layout: Layout = COMPACT, limits: JsonLimits = DEFAULT_LIMITS
) -> Job[bytes]:
    """Return the job of a regress request's JSON."""

    def write(answer: Regressions) -> bytes:
        return layout.values(answer.values)

    return _job(regress, write, spec, body, limits)


def _job(
    make: Callable[[ModelSpec, Any], InferenceRequest[Any]],
    write: Callable[[Any], bytes],
    spec: ModelSpec,
    body: bytes,
    limits: JsonLimits,
) -> Job[bytes]:
    def parse() -> Parsed[bytes]:
        request = parse_examples(body, limits)
        named = replace(spec, signature=request.signature_name or spec.signature)
        return make(named, request.examples), write

    return Job(len(body), parse, small_bytes=_SMALL)
