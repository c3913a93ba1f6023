"""The row form of a predict request: `instances`, a list with one element for each example.

Source: tensorflow_serving/util/json_tensor.cc (`FillTensorMapFromInstancesList`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import Code, StatusError
from .json_text import json_text
from .tensors import is_base64, shape_of, to_tensor


def decode_instances(instances: list[Any], signature: Signature) -> dict[str, Tensor]:
    """Return arrays by input alias, whose first dimension counts the instances.

    The list is not empty and the signature has inputs. Raises StatusError: INVALID_ARGUMENT.
    """
    dtypes = {spec.alias: spec.dtype for spec in signature.inputs}
    as_objects = _is_object(instances[0])
    if not as_objects and len(dtypes) > 1:
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple input "
            "tensors required as per tensorinfo_map"
        )
    if len({*map(_is_object, instances)}) > 1:
        raise _first_error(instances, dtypes)
    try:
        columns = _split(instances, dtypes) if as_objects else dict.fromkeys(dtypes, instances)
        return {alias: to_tensor(column, dtypes[alias]) for alias, column in columns.items()}
    except StatusError as error:
        raise _first_error(instances, dtypes) from error


def _is_object(item: Any) -> bool:
    return isinstance(item, dict) and not is_base64(item)


def _split(instances: list[dict[str, Any]], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the values by input. Raises StatusError when some object has other keys."""
    if any(item.keys() != names.keys() for item in instances):
        raise _invalid("keys differ")
    return {name: [item[name] for item in instances] for name in names}


def _first_error(instances: list[Any], dtypes: Mapping[str, str]) -> StatusError:
    """Return what is wrong first, going through the elements in their order."""
    checks = {alias: _Check(dtype) for alias, dtype in dtypes.items()}
    as_objects = _is_object(instances[0])
    try:
        for index, item in enumerate(instances):
            if as_objects != _is_object(item):
                found = "object but got list" if as_objects else "value/list but got object"
                return _invalid(f"Expecting {found} at item {index} of input list")
            _check_object(item, index, checks) if as_objects else _check_value(item, index, checks)
    except StatusError as error:
        return error
    # Each element passes alone: only the dimension that batching adds is left to be too many.
    return _invalid(f"A batch of tensors of {len(shape_of(instances)) - 1} dimensions has too many")


class _Check:
    """Compares the values given to one input with the first of them."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._shape: tuple[int, ...] | None = None

    def __call__(self, value: Any) -> None:
        to_tensor(value, self._dtype)
        shape = shape_of(value)
        first = self._shape = shape if self._shape is None else self._shape
        size, first_size = math.prod(shape), math.prod(first)
        if size != first_size:
            raise _invalid(f"Expecting tensor size: {first_size} but got: {size}")
        if shape != first:
            raise _invalid(f"Expecting shape {_brackets(first)} but got: {_brackets(shape)}")


def _check_value(item: Any, index: int, checks: Mapping[str, _Check]) -> None:
    (check,) = checks.values()
    try:
        check(item)
    except StatusError as error:
        raise _wrapped(f"{index} of", error) from error


def _check_object(item: dict[str, Any], index: int, checks: Mapping[str, _Check]) -> None:
    for name, value in item.items():
        try:
            if name not in checks:
                raise _invalid(f"JSON object: does not have named input: {name}")
            checks[name](value)
        except StatusError as error:
            raise _wrapped(f"{index} key: {name} of", error) from error
    if item.keys() != checks.keys():
        raise _invalid(
            f"Failed to process element: {index} of 'instances' list. JSON object: "
            f"{json_text(item)} keys must be equal to: {','.join(sorted(checks))}"
        )


def _wrapped(place: str, error: StatusError) -> StatusError:
    return _invalid(
        f"Failed to process element: {place} 'instances' list. "
        f"Error: {error.code.name}: {error.message}"
    )


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _invalid(text: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, text)
