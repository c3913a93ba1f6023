"""Requests made from a signature, or read from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import orjson

from cloudserve.bench.settings import DEFAULT_SIGNATURE, Request
from cloudserve.bench.target import Target
from cloudserve.errors import UserError
from cloudserve.golden.generate import given_inputs
from cloudserve.savedmodel.signature import Signature, TensorSpec

from ..codecs.request import parse_request
from ..codecs.tensor_proto import to_tensor_proto
from ..messages import message_class
from ..runtime.types import Tensor
from ..status import StatusError

VARIANTS = 8
"""Generated requests with different values, used in turn."""
_DECIMALS = 4
_TEXT = b"sample"
_OTHER_METHODS = ("/classify", "/regress")
_LARGEST_SMALL_INTEGER = 2
_PIXEL_VALUES = 256

Inputs = Mapping[str, Tensor]


def generate(signature: Signature, request: Request, count: int = VARIANTS) -> list[Inputs]:
    """Return inputs with random values: numbers from 0 to 1, small integers, pixels, one text.

    Raises UserError for a signature that takes Examples, and for types without a JSON form.
    """
    if signature.method_name.endswith(_OTHER_METHODS):
        raise UserError(
            f"signature {signature.name!r} takes Examples, whose features it does not declare",
            hint="measure the URL of its method with --payload FILE, or another --signature",
        )
    chance = np.random.default_rng(0)
    specs = given_inputs(signature)
    for alias in request.shapes:
        signature.input(alias)
    return [{spec.alias: _values(spec, request, chance) for spec in specs} for _ in range(count)]


def _values(spec: TensorSpec, request: Request, chance: np.random.Generator) -> Tensor:
    shape = request.shapes.get(spec.alias) or _shape(spec, request.rows)
    if spec.dtype == "string":
        return np.full(shape, _TEXT, object)
    if spec.dtype == "bool":
        return chance.random(shape) < 1 / 2
    try:
        dtype = np.dtype(getattr(ml_dtypes, spec.dtype, spec.dtype))
    except TypeError:
        dtype = np.dtype(object)
    if dtype == np.uint8:
        return chance.integers(0, _PIXEL_VALUES, shape, np.uint8)
    if dtype.kind in "iu":
        return chance.integers(0, _LARGEST_SMALL_INTEGER, shape).astype(dtype)
    if dtype.kind == "f" or hasattr(ml_dtypes, spec.dtype):
        return np.round(chance.random(shape), _DECIMALS).astype(dtype)
    raise UserError(
        f"input {spec.alias!r} is {spec.type}, for which no value can be made up",
        hint="give a request: --payload FILE",
    )


def _shape(spec: TensorSpec, rows: int) -> tuple[int, ...]:
    """Return a spec's shape with `rows` for an open first dimension and 1 for others."""
    if spec.shape is None:
        return (rows,)
    first, *others = (*spec.shape,) or (None,)
    if not spec.shape:
        return ()
    return (rows if first is None else first, *(1 if size is None else size for size in others))


def rest_body(signature: Signature, inputs: Inputs) -> bytes:
    """Return a predict request's JSON: rows if every input has an open first dimension."""
    document: dict[str, Any] = {}
    if signature.name != DEFAULT_SIGNATURE:
        document["signature_name"] = signature.name
    by_row = all(spec.shape and spec.shape[0] is None for spec in signature.inputs)
    columns = {alias: _plain(values) for alias, values in inputs.items()}
    if by_row and len(columns) == 1:
        (document["instances"],) = columns.values()
    elif by_row and len({len(values) for values in columns.values()}) == 1:
        rows = zip(*columns.values(), strict=True)
        document["instances"] = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        document["inputs"] = columns
    return orjson.dumps(document)


def _plain(values: Tensor) -> Any:
    if values.dtype == object:
        return np.char.decode(values.astype(bytes)).tolist()
    if values.dtype.kind in "iub":
        return values.tolist()
    return np.round(values.astype(np.float64), _DECIMALS).tolist()


def grpc_body(target: Target, signature: str, inputs: Inputs) -> bytes:
    """Return a serialized PredictRequest, its tensors in `tensor_content`."""
    request = message_class("tensorflow.serving.PredictRequest")()
    fill_spec(request.model_spec, target)
    request.model_spec.signature_name = signature
    for alias, values in inputs.items():
        to_tensor_proto(values, request.inputs[alias], as_content=True)
    serialized: bytes = request.SerializeToString()
    return serialized


def fill_spec(spec: Any, target: Target) -> None:
    """Write a target's model and version into a ModelSpec message."""
    spec.name = target.model
    if target.version is not None:
        spec.version.value = target.version


def read_bodies(file: Path) -> list[bytes]:
    """Return the requests of a file: one JSON document, or one per line in a `.jsonl` file.

    Raises UserError if there is none, or one is not JSON.
    """
    data = file.read_bytes()
    lines = data.splitlines() if file.suffix == ".jsonl" else [data]
    bodies = [line for line in lines if line.strip()]
    for number, body in enumerate(bodies, 1):
        try:
            json.loads(body)
        except ValueError as error:
            place = f"{file}, line {number}" if len(lines) > 1 else str(file)
            raise UserError(
                f"the payload is not JSON: {error}",
                where=place,
                hint='write {"instances": […]}; in a .jsonl file one request on each line',
            ) from error
    if not bodies:
        raise UserError(
            "the file has no request", where=str(file), hint='write {"instances": […]} into it'
        )
    return bodies


def decode_bodies(bodies: Sequence[bytes], signature: Signature, where: str) -> list[Inputs]:
    """Return the inputs of JSON predict requests. Raises UserError with the server's words."""
    try:
        return [parse_request(body).decode(signature) for body in bodies]
    except StatusError as error:
        raise UserError(
            f"the payload is invalid: {error.message}",
            where=where,
            hint="compare it with `cloudserve inspect MODEL --requests`",
        ) from error
