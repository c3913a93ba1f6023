"""`PredictResponse`: as a message, and as bytes whose constant parts are made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod

import numpy as np

from ....codecs.tensor_proto import to_tensor_proto
from ....inference.types import ModelSpec
from ....messages import message_class
from ....runtime.types import Tensor
from ....status import StatusError
from ....transport.grpc_types import Message, prefix
from .spec import write_spec

PredictResponse = message_class("tensorflow.serving.PredictResponse")

_MOST_KNOWN = 256
_ALL_ONES = b"\xff"
"""The bytes of numbers that no field encodes by these bytes, except as they are in memory."""
_NUMBERS = frozenset("iufc")


@dataclass(frozen=True, slots=True)
class _Template:
    """The bytes before the numbers of each output, first the message's prefix, and at the end."""

    before: tuple[bytes, ...]
    after: bytes


class PredictResponses:
    """Encodes the outputs of predictions.

    With `tensor_content`, tensors hold their values as bytes in `tensor_content`
    (`enable_serialization_as_tensor_content`).
    """

    def __init__(self, *, tensor_content: bool) -> None:
        self._tensor_content = tensor_content
        self._templates: dict[object, _Template | None] = {}

    def message(self, spec: ModelSpec, outputs: Mapping[str, Tensor]) -> Message:
        """Return the response with these outputs, of this version and signature."""
        response = PredictResponse()
        write_spec(response.model_spec, spec)
        for alias, tensor in outputs.items():
            to_tensor_proto(tensor, response.outputs[alias], as_content=self._tensor_content)
        return response

    def encode(
        self, spec: ModelSpec, outputs: Mapping[str, Tensor], counts: Sequence[int]
    ) -> list[bytes]:
        """Return the responses to requests of so many rows; `outputs` are the rows of all.

        Each is a message behind its prefix.
        """
        bounds = [*pairwise([0, *accumulate(counts)])]
        templates = {count: self._template(spec, outputs, count) for count in set(counts)}
        chosen = [template for count in counts if (template := templates[count])]
        if len(chosen) < len(counts):
            parts = [{a: tensor[i:j] for a, tensor in outputs.items()} for i, j in bounds]
            return [_framed(self.message(spec, part).SerializeToString()) for part in parts]
        columns = [
            _with_numbers([template.before[index] for template in chosen], tensor, bounds)
            for index, tensor in enumerate(outputs.values())
        ]
        ends = [template.after for template in chosen]
        return [b"".join(parts) for parts in zip(*columns, ends, strict=True)]

    def _template(
        self, spec: ModelSpec, outputs: Mapping[str, Tensor], count: int
    ) -> _Template | None:
        """Return the template of responses with so many rows; None if a tensor has none."""
        shapes = tuple([(alias, t.dtype, t.shape[1:]) for alias, t in outputs.items()])
        key = spec, count, shapes
        if key not in self._templates:
            if len(self._templates) >= _MOST_KNOWN:
                self._templates.clear()
            self._templates[key] = self._make(spec, outputs, count)
        return self._templates[key]

    def _make(self, spec: ModelSpec, outputs: Mapping[str, Tensor], count: int) -> _Template | None:
        before = [self._before(alias, tensor, count) for alias, tensor in outputs.items()]
        if not before or not all(before):
            return None
        after = self.message(spec, {}).SerializeToString()
        numbers = sum([count * prod(t.shape[1:]) * t.itemsize for t in outputs.values()])
        before[0] = prefix(sum(map(len, before)) + numbers + len(after)) + before[0]
        return _Template(tuple(before), after)

    def _before(self, alias: str, tensor: Tensor, count: int) -> bytes:
        """Return the bytes before an output's numbers; b"" if these are not as in memory."""
        if tensor.dtype.kind not in _NUMBERS:
            return b""
        shape = (count, *tensor.shape[1:])
        numbers = _ALL_ONES * (prod(shape) * tensor.itemsize)
        array = np.frombuffer(numbers, tensor.dtype).reshape(shape)
        response = PredictResponse()
        try:
            to_tensor_proto(array, response.outputs[alias], as_content=self._tensor_content)
        except StatusError:
            return b""
        encoded: bytes = response.SerializeToString()
        return encoded[: -len(numbers)] if numbers and encoded.endswith(numbers) else b""


def _with_numbers(
    before: Sequence[bytes], tensor: Tensor, bounds: Sequence[tuple[int, int]]
) -> list[bytes]:
    """Return the bytes of each request's rows in an output, behind those before them."""
    data, width = tensor.tobytes(), prod(tensor.shape[1:]) * tensor.itemsize
    return [
        start + data[first * width : last * width]
        for start, (first, last) in zip(before, bounds, strict=True)
    ]


def _framed(message: bytes) -> bytes:
    return prefix(len(message)) + message
