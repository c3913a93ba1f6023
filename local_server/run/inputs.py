"""Inputs of a run: from expressions, files and Examples to the arrays that a signature takes."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cloudserve.client.payloads.arrays import numpy_dtype
from cloudserve.client.payloads.files import read_arrays
from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.local.model_run import ArrayFile, BytesFile, Examples, Expression, Source
from cloudserve.savedmodel import Signature, TensorSpec

from ..codecs.examples import encode_example
from ..codecs.tfrecord import RecordError, read_records
from ..runtime.types import Tensor
from ..status import StatusError, invalid_argument
from .expression import evaluate

_JSON = (str, int, float, list, dict, type(None))
_LEAST_INT64 = -(2**63)
_PICKLES = frozenset({".pickle", ".pkl"})


def read_inputs(sources: Mapping[str, Source], signature: Signature) -> dict[str, Tensor]:
    """Return arrays by alias, in the dtypes of a signature.

    Raises UserError for an unknown alias, a file that cannot be read, and values that the dtype
    cannot hold.
    """
    specs = {spec.alias: spec for spec in signature.inputs}
    for alias in sources:
        if alias not in specs:
            raise UserError(
                f"signature {signature.name} has no input {alias}", hint=choose_from(specs)
            )
    return {alias: _read(source, specs[alias]) for alias, source in sources.items()}


def _read(source: Source, spec: TensorSpec) -> Tensor:
    match source:
        case Expression(text=text):
            return to_tensor(evaluate(text), spec)
        case ArrayFile(path=path, key=key):
            return to_tensor(_array(path, key), spec)
        case BytesFile(path=path):
            return to_tensor([_bytes(path)], spec)
        case Examples(text=text, path=None):
            return to_tensor(_examples(text), spec)
        case Examples(path=Path() as path):
            return to_tensor(_records(path), spec)
    raise AssertionError(source)


def to_tensor(value: Any, spec: TensorSpec) -> Tensor:
    """Return a value as an array of an input's dtype; raises UserError if it does not fit."""
    if spec.dtype == "string":
        return _strings(value, spec)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise _unfit(spec, "its rows have different lengths") from error
    dtype = numpy_dtype(spec.dtype)
    if dtype is None:
        raise _unfit(spec, f"numpy has no dtype for {spec.dtype}")
    if array.dtype.kind not in "biuf" and array.dtype != dtype:
        raise _unfit(spec, "it has texts, and the input takes numbers")
    if array.size and not _may_cast(array.dtype, dtype):
        raise _unfit(spec, f"it has {array.dtype} values")
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if not _holds(converted, array):
        raise _unfit(spec, f"a value is out of the range of {spec.dtype}")
    return np.ascontiguousarray(converted).reshape(array.shape)


def _holds(converted: Tensor, original: Tensor) -> bool:
    """Return whether whole numbers are unchanged, and no other number became infinite."""
    if converted.dtype.kind in "iu":
        return np.array_equal(converted, original)
    return np.array_equal(np.isfinite(converted), np.isfinite(original))


def _may_cast(source: Any, target: Any) -> bool:
    """Return whether values may be converted; signed whole numbers also to unsigned ones."""
    return source.kind + target.kind == "iu" or bool(np.can_cast(source, target, "same_kind"))


def _strings(value: Any, spec: TensorSpec) -> Tensor:
    try:
        array = np.array(value, dtype=object)
        flat = [one.encode() if isinstance(one, str) else one for one in array.ravel()]
    except ValueError as error:  # rows of different shapes, or half of a surrogate pair
        raise _unfit(spec, str(error)) from error
    if not all(isinstance(one, bytes) for one in flat):
        raise _unfit(spec, "the input takes strings, in rows of equal length")
    result = np.empty(len(flat), dtype=object)
    result[:] = flat
    return result.reshape(array.shape)


def _unfit(spec: TensorSpec, reason: str) -> UserError:
    return UserError(
        f"the value of {spec.alias} does not fit: {reason}",
        hint=f"give values of {spec.type}",
    )


def _array(path: Path, key: str) -> Any:
    if path.suffix in _PICKLES:
        raise UserError(
            "a pickle file is not read: it can run any code",
            where=str(path),
            hint="save the array with numpy.save",
        )
    return read_arrays(path, key)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _records(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return list(read_records(file))
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except RecordError as error:
        raise _unreadable(path, str(error), "give a TFRecord file of tf.Examples") from error


def _unreadable(path: Path, reason: str, hint: str = "check its path") -> UserError:
    return UserError(f"the file cannot be read: {reason}", where=str(path), hint=hint)


def _examples(text: str) -> list[bytes]:
    """Return serialized Examples of a list of objects, as Python literals or in JSON.

    `saved_model_cli run` reads literals alone: JSON's true and false are taken here too, as the
    REST API takes them, and null is refused as it refuses it.
    """
    hint = "write a list of objects such as [{'age': [31], 'name': ['ada']}]"
    listed = _literal(text)
    objects = [listed] if isinstance(listed, dict) else listed
    if not isinstance(objects, list) or not objects or not all(map(_is_object, objects)):
        raise UserError("the Examples are not a list of objects", hint=hint)
    try:
        return [encode_example(_encodable(one)) for one in objects]
    except (StatusError, UnicodeEncodeError) as error:
        raise UserError(f"an Example is invalid: {error}", hint=hint) from error


def _literal(text: str) -> Any:
    """Return the value of a text, None if it is neither a Python literal nor JSON."""
    for parse in (ast.literal_eval, json.loads):
        try:
            return parse(text)
        except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _encodable(features: Mapping[str, Any]) -> dict[str, Any]:
    """Return features with bytes, which saved_model_cli takes, in the form of the REST API."""
    return {
        name: [_b64(one) for one in value] if isinstance(value, list) else _b64(value)
        for name, value in features.items()
    }


def _b64(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if not isinstance(value, _JSON):
        raise invalid_argument(f"a value of Python's type {type(value).__name__}")
    if isinstance(value, int) and value < _LEAST_INT64:
        raise invalid_argument(f"{value} is less than an int64 holds")
    return value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)
