"""A request that a server has answered, as an example of a golden file.

A request of any protocol is recorded as the REST request that asks the same: by rows if all inputs
and outputs are batches of one size, else by columns. Only tensors are recorded, never headers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudserve.golden.file import Example, Refusal
from cloudserve.savedmodel.signature import Signature

from ...codecs.response import BYTES_SUFFIX, encode_columns
from ...codecs.room import STRING_BYTES
from ...protocols.errors import http_status
from ...runtime.types import DEFAULT_SIGNATURE, Tensor
from ...status import Code
from .redact import Redaction

Tensors = Mapping[str, Tensor]


class NoJsonFormError(ValueError):
    """The request has no form in JSON; the message says why."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """The recorded part of one request."""

    model: str
    version: int
    label: str
    signature: Signature
    inputs: Tensors
    outputs: Tensors
    code: Code
    batch_rows: int = 0

    @property
    def signature_name(self) -> str:
        """Return the name of the signature."""
        return self.signature.name

    @property
    def size(self) -> int:
        """Return the approximate size in memory, in bytes."""
        return sum(map(_size, (*self.inputs.values(), *self.outputs.values())))


def to_example(request: RecordedRequest, redaction: Redaction) -> Example:
    """Return the example of a request; raises StatusError or NoJsonFormError if it has none."""
    inputs = redaction.apply(request.inputs)
    outputs = redaction.apply(request.outputs)
    missing = [spec.alias for spec in request.signature.inputs if spec.alias not in request.inputs]
    if missing:
        raise NoJsonFormError(f"a JSON request cannot leave out the input `{missing[0]}`")
    if not inputs.tensors:
        raise NoJsonFormError("nothing is left of the request without the dropped fields")
    by_row = _are_rows((*inputs.tensors.values(), *outputs.tensors.values()))
    is_kept = not inputs.changed and request.code is Code.OK and bool(outputs.tensors)
    return Example(
        request=_request(request.signature, inputs.tensors, by_row),
        answer=_answer(request.signature, outputs.tensors, by_row) if is_kept else None,
        error=None if request.code is Code.OK or inputs.changed else _refusal(request.code),
        version=request.version,
        label=request.label,
        redacted=inputs.rules | _by_output(request.signature, outputs),
        partial=is_kept and len(outputs.tensors) < len(request.signature.outputs),
    )


def _refusal(code: Code) -> Refusal:
    return Refusal(http_status(code), code.name)


def _by_output(signature: Signature, answered: Any) -> dict[str, str]:
    """Return the rules by the outputs' names in the answer, where an only output has none."""
    rules: dict[str, str] = answered.rules
    return {"" if len(signature.outputs) == 1 else name: rule for name, rule in rules.items()}


def _request(signature: Signature, inputs: Tensors, by_row: bool) -> dict[str, Any]:
    values = {alias: _value(alias, tensor) for alias, tensor in inputs.items()}
    only = next(iter(values)) if len(signature.inputs) == 1 else None
    request: dict[str, Any] = {}
    if signature.name != DEFAULT_SIGNATURE:
        request["signature_name"] = signature.name
    if by_row:
        request["instances"] = values[only] if only is not None else _rows(values)
    else:
        request["inputs"] = values
    return request


def _answer(signature: Signature, outputs: Tensors, by_row: bool) -> dict[str, Any]:
    values = {alias: _value(alias, tensor) for alias, tensor in outputs.items()}
    only = next(iter(values)) if len(signature.outputs) == 1 else None
    if by_row:
        return {"predictions": values[only] if only is not None else _rows(values)}
    return {"outputs": values[only] if only is not None else values}


def _rows(values: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _are_rows(tensors: tuple[Tensor, ...]) -> bool:
    sizes = {tensor.shape[0] if tensor.ndim else 0 for tensor in tensors}
    return len(sizes) == 1 and sizes != {0}


def _value(alias: str, tensor: Tensor) -> Any:
    """Return a tensor as REST writes it; texts that are not UTF-8 in base64."""
    as_bytes = alias.endswith(BYTES_SUFFIX) or not _is_text(tensor)
    name = BYTES_SUFFIX if as_bytes else "value"
    return json.loads(encode_columns({name: tensor}))["outputs"]


def _is_text(tensor: Tensor) -> bool:
    if not tensor.dtype.hasobject:
        return True
    try:
        for value in tensor.flat:
            value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _size(tensor: Tensor) -> int:
    if not tensor.dtype.hasobject:
        return tensor.nbytes
    return STRING_BYTES * tensor.size + sum(map(len, tensor.flat))
