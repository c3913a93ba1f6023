"""A Classify or Regress request that a server has answered, as an example of a golden file.

It is recorded as the REST request that asks the same: each `tf.Example` as an object of features.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from cloudserve.golden.file import Example, Refusal, RestMethod

from ...codecs.response import encode_classes, encode_values
from ...inference.types import Classifications, Method, Regressions
from ...messages import message_class
from ...protocols.errors import http_status
from ...runtime.types import DEFAULT_SIGNATURE
from ...status import Code
from .recorded_request import NoJsonFormError

_METHODS: dict[Method, RestMethod] = {Method.CLASSIFY: "classify", Method.REGRESS: "regress"}


@dataclass(frozen=True, slots=True)
class RecordedExamples:
    """The recorded part of one request."""

    model: str
    version: int
    label: str
    method: Method
    signature_name: str
    examples: Sequence[bytes]
    answer: Classifications | Regressions | None
    code: Code
    batch_rows: int = 0

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        return sum(map(len, self.examples))


def examples_example(request: RecordedExamples) -> Example:
    """Return the example of a request; raises StatusError or NoJsonFormError if it has none."""
    body: dict[str, Any] = {"examples": [_features(example) for example in request.examples]}
    if request.signature_name != DEFAULT_SIGNATURE:
        body["signature_name"] = request.signature_name
    is_refused = request.code is not Code.OK
    return Example(
        request=body,
        answer=None if is_refused else _answer(request.answer),
        error=Refusal(http_status(request.code), request.code.name) if is_refused else None,
        version=request.version,
        label=request.label,
        method=_METHODS[request.method],
    )


def _answer(answer: Classifications | Regressions | None) -> dict[str, Any]:
    if isinstance(answer, Classifications):
        data = encode_classes(answer.labels, answer.scores)
    else:
        assert answer is not None
        data = encode_values(answer.values)
    try:
        document: dict[str, Any] = json.loads(data)
    except UnicodeDecodeError as error:
        raise NoJsonFormError("a label is not a text") from error
    return document


def _features(example: bytes) -> dict[str, Any]:
    """Return a serialized Example as REST writes it; concatenated ones are merged."""
    try:
        parsed = message_class("tensorflow.Example").FromString(example)
    except DecodeError as error:
        raise NoJsonFormError("an Example cannot be parsed") from error
    features = parsed.features.feature
    return {name: _feature(features[name]) for name in sorted(features)}


def _feature(feature: Any) -> Any:
    kind = feature.WhichOneof("kind")
    listed = list(getattr(feature, kind).value) if kind else []
    values = [_text(value) for value in listed] if kind == "bytes_list" else listed
    return values[0] if len(values) == 1 else values


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode("ascii")}
