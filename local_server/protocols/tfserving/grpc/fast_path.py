"""The fast path of `Predict`: requests of a known form, answered together from bytes to bytes.

A request is recognized by the bytes before its numbers and is not parsed; a response is made of
known bytes and the numbers of the model's outputs. `PredictionService.predict` takes every other
request, and those that the data plane leaves to be served by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cloudserve.savedmodel.signature import Signature

from ....inference import Inference
from ....inference.types import ModelSpec
from ....messages import message_class
from ....runtime.types import DEFAULT_SIGNATURE, Tensor
from .request_templates import PredictGroup, RequestTemplate, RequestTemplates
from .responses import PredictResponses

_PAUSE = 32
"""How many requests go to the handler after some that could not be answered together."""

_Part = tuple[RequestTemplate, bytes]


class PredictFastPath:
    """Answers predictions (a FastPath)."""

    def __init__(self, inference: Inference, responses: PredictResponses) -> None:
        self._inference = inference
        templates = RequestTemplates(message_class("tensorflow.serving.PredictRequest"))
        self.recognize = templates.find
        self._responses = responses

    def answer(self, group: PredictGroup, parts: Sequence[_Part]) -> Sequence[bytes | None]:
        """Return the responses to requests of a group; None for each that is for the handler."""
        tensors = Tensors(group, self._responses)
        responses = self._inference.serve_together(group.spec, parts, tensors)
        if None in responses:
            group.pause = _PAUSE
        return responses


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of several requests (an `inference.turn.Rows`)."""

    inputs: Mapping[str, Tensor]
    sizes: Sequence[int]
    payloads: Sequence[_Part]

    @property
    def largest(self) -> int:
        """Return the size of the largest request, in bytes."""
        return max([len(body) for _, body in self.payloads])


@dataclass(frozen=True, slots=True)
class Tensors:
    """The encoding of a group (an `inference.turn.Format`)."""

    group: PredictGroup
    responses: PredictResponses
    encoding: str = "tensors"

    def read(self, signature: Signature, payloads: Sequence[_Part]) -> Rows:
        """Return the rows of requests, none if the signature has other inputs."""
        group = self.group
        sizes = [template.count for template, _ in payloads]
        if [spec.alias for spec in signature.inputs] != [group.alias]:
            return Rows({}, sizes, payloads)
        numbers = b"".join([body[template.start :] for template, body in payloads])
        rows = np.frombuffer(numbers, group.dtype).reshape(sum(sizes), *group.shape)
        return Rows({group.alias: rows}, sizes, payloads)

    def write(
        self, rows: Rows, indices: Sequence[int], outputs: Mapping[str, Tensor], version: int
    ) -> list[bytes]:
        """Return the responses to these requests, whose outputs are given."""
        sizes = [rows.sizes[index] for index in indices]
        group_spec = self.group.spec
        spec = ModelSpec(group_spec.name, version, None, group_spec.signature or DEFAULT_SIGNATURE)
        return self.responses.encode(spec, outputs, sizes)
