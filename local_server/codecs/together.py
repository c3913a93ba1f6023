"""Small predict requests of one turn: read into one array for all, and written from one.

The numbers of all requests are converted in one call, and so are those of all answers. A request
that is not plain, or that has an error, is left out: the general path (`request`) answers it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import simdjson

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import StatusError
from .json.fast_path import Kind, count_lists, kind_of, shape_of
from .json.layout import COMPACT, Layout
from .limits import DEFAULT_LIMITS, JsonLimits
from .request import scan_request
from .response import split_rows

_NOT_PLAIN = (AttributeError, KeyError, RuntimeError, TypeError, ValueError, StatusError)
_BEGIN = {True: b'{\n    "predictions": ', False: b'{\n    "outputs": '}


@dataclass(slots=True)
class Rows:
    """The rows of several requests, those of one after those of the other."""

    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    """How many rows each request has; 0 for one that is left out."""
    by_row: list[bool] = field(default_factory=list)
    """Whether each request, and therefore its answer, is in row format."""
    largest: int = 0
    """The size of the largest request, in bytes."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A signature with one input of numbers, whose rows have one shape."""

    alias: str
    kind: Kind
    shape: tuple[int, ...]
    """The shape of a row."""
    size: int
    """How many numbers a row has."""


class SmallRequests:
    """The predict requests of one URL, for one event loop."""

    encoding = "json"

    def __init__(
        self, small: int, layout: Layout = COMPACT, limits: JsonLimits = DEFAULT_LIMITS
    ) -> None:
        """Take the size of requests and answers, in bytes, up to which the loop processes them."""
        self._small = small
        self._layout = layout
        self._limits = limits
        self._parser = simdjson.Parser()
        self._signature: Signature | None = None
        self._plain: _Plain | None = None
        self._most_rows = small

    def read(self, signature: Signature, bodies: Sequence[bytes]) -> Rows:
        """Return the rows of those requests that can be read and have equal shapes."""
        if signature is not self._signature:
            self._signature, self._plain = signature, _plain(signature)
            self._most_rows = self._small
        rows = Rows(largest=max(map(len, bodies)))
        try:
            if self._plain is None:
                self._read_any(signature, bodies, rows)
            else:
                self._read_plain(signature, self._plain, bodies, rows)
        except ValueError:  # numbers out of range: which request has them is found one by one
            rows.sizes = [0] * len(bodies)
        return rows

    def write(
        self,
        rows: Rows,
        indices: Sequence[int],
        outputs: Mapping[str, Tensor],
        version: int,  # noqa: ARG002  JSON does not name it
    ) -> list[bytes]:
        """Return the answers to these requests; `outputs` are the rows of all of them.

        Raises StatusError for outputs that JSON does not support.
        """
        sizes = [rows.sizes[index] for index in indices]
        self._learn(outputs, sum(sizes))
        bounds = [0, *accumulate(sizes)]
        texts = None
        if len(outputs) == 1 and self._layout is COMPACT:
            texts = split_rows(*outputs.values())
        if texts is None:
            parts = [
                {alias: tensor[start:stop] for alias, tensor in outputs.items()}
                for start, stop in pairwise(bounds)
            ]
            layout = self._layout
            return [
                (layout.rows if rows.by_row[index] else layout.columns)(part)
                for index, part in zip(indices, parts, strict=True)
            ]
        return [
            b"%b[%b]\n}" % (_BEGIN[rows.by_row[index]], b",".join(texts[start:stop]))
            for index, (start, stop) in zip(indices, pairwise(bounds), strict=True)
        ]

    def _learn(self, outputs: Mapping[str, Tensor], count: int) -> None:
        """Note how many rows have a small answer."""
        row_bytes = sum(tensor.nbytes for tensor in outputs.values()) // max(count, 1)
        self._most_rows = min(self._most_rows, self._small // max(row_bytes, 1))

    def _read_plain(
        self, signature: Signature, plain: _Plain, bodies: Sequence[bytes], rows: Rows
    ) -> None:
        pieces: list[memoryview] = []
        for body in bodies:
            size = 0
            try:
                if len(body) <= self._small:
                    piece, size, by_row = self._numbers(body, signature.name, plain)
            except _NOT_PLAIN:
                size = 0
            if size == 0 or size > self._most_rows:
                rows.sizes.append(0)
                rows.by_row.append(True)
                continue
            pieces.append(piece)
            rows.sizes.append(size)
            rows.by_row.append(by_row)
        if pieces:
            whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            rows.inputs = {plain.alias: plain.kind.convert(whole).reshape(-1, *plain.shape)}

    def _numbers(self, body: bytes, name: str, plain: _Plain) -> tuple[memoryview, int, bool]:
        """Return a request's numbers, how many rows they are, and whether it is in row format.

        Raises one of `_NOT_PLAIN` for anything but a regular array of numbers.
        """
        document: Any = self._parser.parse(body)
        members = len(document)
        # The name is not looked for in a document of one member: simdjson would walk its array.
        if members != 1 and not (members == _NAMED and document["signature_name"] == name):
            raise ValueError("other members, or another signature")
        by_row = "instances" in document
        value = document["instances" if by_row else "inputs"]
        size = len(value)
        _check_shape(value, size, plain.shape, body)
        numbers = memoryview(value.as_buffer(of_type=plain.kind.buffer))
        if numbers.nbytes != _NUMBER * size * plain.size:
            raise ValueError("an irregular shape")
        return numbers, size, by_row

    def _read_any(self, signature: Signature, bodies: Sequence[bytes], rows: Rows) -> None:
        """Read requests one by one; the first decides which others have the same shape."""
        taken: list[Mapping[str, Tensor]] = []
        for body in bodies:
            inputs, by_row = self._decode(signature, body)
            size = _rows_of(inputs)
            if taken and not _is_alike(inputs, taken[0]):
                size = 0
            if size > self._most_rows:
                size = 0
            if size:
                taken.append(inputs)
            rows.sizes.append(size)
            rows.by_row.append(by_row)
        if taken:
            rows.inputs = {
                alias: np.concatenate([inputs[alias] for inputs in taken]) for alias in taken[0]
            }

    def _decode(self, signature: Signature, body: bytes) -> tuple[Mapping[str, Tensor], bool]:
        """Return a request's arrays, none if it must be answered by itself."""
        request = scan_request(body, self._limits) if len(body) <= self._small else None
        if request is None or request.signature_name not in {"", signature.name}:
            return {}, True
        try:
            return request.decode(signature), request.by_row
        except StatusError:
            return {}, True


_NAMED = 2
"""The members of a request that names its signature."""
_NUMBER = 8
"""The bytes of a number in simdjson's buffers."""


def _plain(signature: Signature) -> _Plain | None:
    if len(signature.inputs) != 1:
        return None
    (spec,) = signature.inputs
    kind, shape = kind_of(spec.dtype), spec.shape
    if kind is None or not shape or shape[0] is not None:
        return None
    row = tuple(size for size in shape[1:] if size)
    is_known = len(row) == len(shape) - 1
    return _Plain(spec.alias, kind, row, math.prod(row)) if is_known else None


def _check_shape(value: simdjson.Array, size: int, row: tuple[int, ...], body: bytes) -> None:
    """Refuse lists that are not so many rows of this shape.

    A list among the numbers adds an opening bracket, whatever the number of leaves.
    """
    if len(row) == 1 and size == 1:
        # As below for one row, where looking for a third bracket is faster than counting.
        second = body.find(b"[", body.find(b"[") + 1)
        is_regular = len(value[0]) == row[0] and body.find(b"[", second + 1) < 0
    elif row:
        is_regular = shape_of(value) == (size, *row)
        is_regular = is_regular and body.count(b"[") == count_lists((size, *row))
    else:
        is_regular = body.count(b"[") == 1
    if not is_regular:
        raise ValueError("an irregular shape, or another")


def _rows_of(inputs: Mapping[str, Tensor]) -> int:
    """Return the rows that all inputs have; 0 if they have not the same number, or none."""
    sizes = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else 0


def _is_alike(inputs: Mapping[str, Tensor], first: Mapping[str, Tensor]) -> bool:
    return inputs.keys() == first.keys() and all(
        array.dtype == first[alias].dtype and array.shape[1:] == first[alias].shape[1:]
        for alias, array in inputs.items()
    )
