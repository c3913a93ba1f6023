"""Requests that differ in nothing but the numbers of their tensor, recognized by the other bytes.

A client sends the same `PredictRequest` again and again, with other numbers. If a message has the
form below, with nothing else in it, the bytes before the numbers are a template: they contain the
lengths of all that follows, so any message of the same length that begins with them means the same.

    model_spec, inputs { key, value { dtype, tensor_shape, NUMBERS } }

The numbers are `tensor_content`, or a packed `float_val` or `double_val`: as in memory.
Source: protobuf's encoding (protobuf.dev/programming-guides/encoding); predict.proto, tensor.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from cloudserve.savedmodel.varint import read_varint

from ....codecs.tensor_proto import TensorProtoError, from_tensor_proto
from ....inference.types import ModelSpec
from ....status import StatusError
from ....transport.grpc_types import PREFIX_SIZE, Message, prefix
from .spec import read_spec

# Tags: a field's number and its type, which is 2 for what begins with its length.
_MODEL_SPEC, _INPUTS = 0x0A, 0x12
_KEY, _VALUE = 0x0A, 0x12
_DTYPE, _SHAPE = 0x08, 0x12
_CONTENT, _FLOATS, _DOUBLES = 0x22, 0x2A, 0x32
_IN_CONTENT = frozenset("iufc")
"""numpy's kinds of numbers that any bytes are valid for."""
_MOST_SIZES = 1024
_MOST_OF_A_SIZE = 4
_LONGEST = 1024
"""The longest template, in bytes: names may be long."""


@dataclass(slots=True, eq=False)
class PredictGroup:
    """What requests have in common that one run can answer (a RequestGroup). Each is unique."""

    spec: ModelSpec
    alias: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """The shape of one row."""
    pause: int = 0
    """How many requests are to be answered one by one."""

    @property
    def model(self) -> str:
        """Return the name of the model."""
        return self.spec.name


@dataclass(frozen=True, slots=True, eq=False)
class RequestTemplate:
    """The bytes before a request's numbers, with the prefix of the message, and their meaning."""

    before: bytes
    start: int
    count: int
    """How many rows the numbers are."""
    group: PredictGroup


class RequestTemplates:
    """The templates of recent requests. A client chooses them: their number is bounded."""

    def __init__(self, request: Message) -> None:
        """Take the message class of `PredictRequest`."""
        self._request = request
        self._by_size: dict[int, list[RequestTemplate]] = {}
        self._groups: dict[object, PredictGroup] = {}

    def find(self, body: bytes) -> RequestTemplate | None:
        """Return the template of a message behind its prefix; None for the first of a form.

        None as well while the group's requests are to be answered one by one.
        """
        known = self._by_size.get(len(body), ())
        for template in known:
            if body.startswith(template.before):
                group = template.group
                if not group.pause:
                    return template
                group.pause -= 1
                return None
        made = self._make(body)
        if made is not None:
            if len(self._by_size) >= _MOST_SIZES:
                self._by_size.clear()
                self._groups.clear()
            self._by_size[len(body)] = [made, *known[: _MOST_OF_A_SIZE - 1]]
        return None

    def _make(self, body: bytes) -> RequestTemplate | None:
        message = body[PREFIX_SIZE:]
        tag, start = find_numbers(message)
        if not 0 < start <= _LONGEST or body[:PREFIX_SIZE] != prefix(len(message)):
            return None
        try:
            request = self._request.FromString(message)
            spec = read_spec(request)
            ((alias, proto),) = request.inputs.items()
            array = from_tensor_proto(proto)
        except (DecodeError, StatusError, TensorProtoError, ValueError):
            return None
        if not array.size or not array.ndim or not _is_in_memory(array.dtype, tag):
            return None
        if array.nbytes != len(message) - start:
            return None
        key = spec, alias, array.dtype, array.shape[1:]
        group = self._groups.setdefault(key, PredictGroup(*key))
        start += PREFIX_SIZE
        return RequestTemplate(body[:start], start, len(array), group)


def find_numbers(message: bytes) -> tuple[int, int]:
    """Return the tag and the start of a request's numbers; (0, 0) if it has another form."""
    try:
        at = _skip(message, 0, _MODEL_SPEC)
        at = _enter(message, at, _INPUTS)
        at = _skip(message, at, _KEY)
        at = _enter(message, at, _VALUE)
        at = _skip(message, _skip_number(message, at, _DTYPE), _SHAPE)
        tag = message[at]
        return tag, _enter(message, at, tag)
    except (ValueError, IndexError):
        return 0, 0


def _skip(message: bytes, at: int, tag: int) -> int:
    """Return the end of a field with this tag."""
    size, start = read_varint(message, _content(message, at, tag))
    return start + size


def _skip_number(message: bytes, at: int, tag: int) -> int:
    return read_varint(message, _content(message, at, tag))[1]


def _enter(message: bytes, at: int, tag: int) -> int:
    """Return the start of the last field's content, which ends with the message."""
    size, start = read_varint(message, _content(message, at, tag))
    if start + size != len(message):
        raise ValueError("other fields follow")
    return start


def _content(message: bytes, at: int, tag: int) -> int:
    if message[at] != tag:
        raise ValueError("another field")
    return at + 1


def _is_in_memory(dtype: np.dtype[Any], tag: int) -> bool:
    """Return whether a field contains numbers as numpy has them in memory."""
    if tag == _CONTENT:
        return dtype.kind in _IN_CONTENT
    return dtype == {_FLOATS: np.float32, _DOUBLES: np.float64}.get(tag)
