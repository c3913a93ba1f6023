"""TensorFlow Serving's classify and regress JSON, whole.

The request is looked at before the model is; its `signature_name` goes before `spec.signature`.
All raise StatusError with TensorFlow Serving's texts (tfserving.md 2.6, 3.4).
"""

from __future__ import annotations

from dataclasses import replace

from ..codecs.examples import ExamplesRequest, parse_examples
from ..codecs.layout import COMPACT, Layout
from ..inference import Inference
from ..nouns import ModelSpec


async def classify_json(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    within: float | None = None,
) -> bytes:
    """Answer a classify request's JSON in the executor."""
    return await inference.submit(
        lambda: classify_json_here(inference, spec, body, layout), within=within
    )


async def regress_json(
    inference: Inference,
    spec: ModelSpec,
    body: bytes,
    layout: Layout = COMPACT,
    within: float | None = None,
) -> bytes:
    """Answer a regress request's JSON in the executor."""
    return await inference.submit(
        lambda: regress_json_here(inference, spec, body, layout), within=within
    )


def classify_json_here(
    inference: Inference, spec: ModelSpec, body: bytes, layout: Layout = COMPACT
) -> bytes:
    """Answer a classify request's JSON in the calling thread."""
    request = parse_examples(body)
    answer = inference.classify_here(_named(spec, request), request.examples)
    return layout.classes(answer.labels, answer.scores)


def regress_json_here(
    inference: Inference, spec: ModelSpec, body: bytes, layout: Layout = COMPACT
) -> bytes:
    """Answer a regress request's JSON in the calling thread."""
    request = parse_examples(body)
    answer = inference.regress_here(_named(spec, request), request.examples)
    return layout.values(answer.values)


def _named(spec: ModelSpec, request: ExamplesRequest) -> ModelSpec:
    return replace(spec, signature=request.signature_name or spec.signature)
