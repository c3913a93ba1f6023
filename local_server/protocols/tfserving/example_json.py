"""TensorFlow Serving's classify and regress JSON.

The request is parsed before the model is looked up; its `signature_name` overrides
`spec.signature`.
All raise StatusError with TensorFlow Serving's texts (tfserving.md 2.6, 3.4).
"""

from __future__ import annotations

from dataclasses import replace

from ...codecs.examples import ExamplesRequest, parse_examples
from ...codecs.json.layout import COMPACT, Layout
from ...inference import Inference
from ...inference.types import ModelSpec


async def classify_json(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    timeout_seconds: float | None = None,
) -> bytes:
    """Answer a classify request's JSON in the executor; if the model batches, in a batch."""
    if not inference.batches(spec):
        return await inference.submit(
            lambda: classify_json_here(inference, spec, body, layout),
            timeout_seconds=timeout_seconds,
        )
    request = await inference.submit(
        lambda: parse_examples(body, inference.json_limits), timeout_seconds=timeout_seconds
    )
    answer = await inference.classify(
        _named(spec, request), request.examples, timeout_seconds=timeout_seconds
    )
    return await inference.submit(lambda: layout.classes(answer.labels, answer.scores))


async def regress_json(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    timeout_seconds: float | None = None,
) -> bytes:
    """Answer a regress request's JSON in the same way."""
    if not inference.batches(spec):
        return await inference.submit(
            lambda: regress_json_here(inference, spec, body, layout),
            timeout_seconds=timeout_seconds,
        )
    request = await inference.submit(
        lambda: parse_examples(body, inference.json_limits), timeout_seconds=timeout_seconds
    )
    answer = await inference.regress(
        _named(spec, request), request.examples, timeout_seconds=timeout_seconds
    )
    return await inference.submit(lambda: layout.values(answer.values))


def classify_json_here(
    inference: Inference, spec: ModelSpec, body: bytes, layout: Layout = COMPACT
) -> bytes:
    """Answer a classify request's JSON in the calling thread."""
    request = parse_examples(body, inference.json_limits)
    answer = inference.classify_here(_named(spec, request), request.examples)
    return layout.classes(answer.labels, answer.scores)


def regress_json_here(
    inference: Inference, spec: ModelSpec, body: bytes, layout: Layout = COMPACT
) -> bytes:
    """Answer a regress request's JSON in the calling thread."""
    request = parse_examples(body, inference.json_limits)
    answer = inference.regress_here(_named(spec, request), request.examples)
    return layout.values(answer.values)


def _named(spec: ModelSpec, request: ExamplesRequest) -> ModelSpec:
    return replace(spec, signature=request.signature_name or spec.signature)
