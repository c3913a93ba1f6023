"""The row format of a predict request: `instances`, a list with one element for each example.

Source: tensorflow_serving/util/json_tensor.cc (`FillTensorMapFromInstancesList`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import StatusError, invalid_argument
from .json.text import json_text
from .tensors import is_base64, shape_of, to_tensor


def decode_instances(instances: list[Any], signature: Signature) -> dict[str, Tensor]:
    """Return arrays by input alias, whose first dimension counts the instances.

    The list is not empty and the signature has inputs. Raises StatusError: INVALID_ARGUMENT.
    """
    dtypes = {spec.alias: spec.dtype for spec in signature.inputs}
    as_objects = is_object(instances[0])
    check_form(as_objects, dtypes)
    tensors = convert(instances, dtypes, as_objects)
    if tensors is None:
        error = RowChecks(dtypes, as_objects).first_error(instances, 0)
        raise error or too_deep(len(shape_of(instances)) - 1)
    return tensors


def check_form(as_objects: bool, dtypes: Mapping[str, str]) -> None:
    """Refuse instances that are not objects for a signature of several inputs."""
    if not as_objects and len(dtypes) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input "
            "tensors required as per tensorinfo_map"
        )


def convert(
    instances: list[Any],
    dtypes: Mapping[str, str],
    as_objects: bool,
) -> dict[str, Tensor] | None:
    """Return arrays by input alias, or None if anything is wrong."""
    if {*map(is_object, instances)} != {as_objects}:
        return None
    try:
        columns = _split(instances, dtypes) if as_objects else dict.fromkeys(dtypes, instances)
        return {alias: to_tensor(column, dtypes[alias]) for alias, column in columns.items()}
    except StatusError:
        return None


def too_deep(rank: int) -> StatusError:
    """Return the error of values each of which is valid alone.

    Only the dimension that batching adds can be one too many.
    """
    return invalid_argument(f"A batch of tensors of {rank} dimensions has too many")


def is_object(item: Any) -> bool:
    """Return whether an instance is an object of inputs."""
    return isinstance(item, dict) and not is_base64(item)


def _split(instances: list[dict[str, Any]], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the values by input. Raises StatusError if an object has other keys."""
    if any(item.keys() != names.keys() for item in instances):
        raise invalid_argument("keys differ")
    return {name: [item[name] for item in instances] for name in names}


class RowChecks:
    """Finds the first error of instances, in their order.

    All instances must have the shapes of the first.
    """

    def __init__(
        self,
        dtypes: Mapping[str, str],
        as_objects: bool,
    ) -> None:
        self.inputs = {alias: _Check(dtype) for alias, dtype in dtypes.items()}
        self._as_objects = as_objects

    def first_error(self, instances: list[Any], start: int) -> StatusError | None:
        """Check instances, the first of which has the index `start`."""
        try:
            for index, item in enumerate(instances, start):
                self.check_form(item, index)
                self._check_object(item, index) if self._as_objects else self._check(item, index)
        except StatusError as error:
            return error
        return None

    def check_form(self, item: Any, index: int) -> None:
        """Refuse an instance of another form than the first."""
        if self._as_objects != is_object(item):
            expected = "object but got list" if self._as_objects else "value/list but got object"
            raise invalid_argument(f"Expecting {expected} at item {index} of input list")

    def _check(self, item: Any, index: int) -> None:
        with wrapped(index):
            for check in self.inputs.values():
                check(item)

    def _check_object(self, item: dict[str, Any], index: int) -> None:
        for name, value in item.items():
            with wrapped(index, name):
                self.of(name)(value)
        self.check_names(item, index)

    def of(self, name: str) -> _Check:
        """Return the check of an input. Raises StatusError for an unknown name."""
        if name not in self.inputs:
            raise invalid_argument(f"JSON object: does not have named input: {name}")
        return self.inputs[name]

    def check_names(self, item: Mapping[str, Any], index: int) -> None:
        """Refuse an object that lacks an input."""
        if item.keys() != self.inputs.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{json_text(item)} keys must be equal to: {','.join(sorted(self.inputs))}"
            )


class _Check:
    """Compares the values of one input with the first of them."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.shape: tuple[int, ...] | None = None

    def __call__(self, value: Any) -> None:
        to_tensor(value, self.dtype)
        self.compare(shape_of(value))

    def compare(self, shape: tuple[int, ...]) -> None:
        """Refuse a shape that differs from the first."""
        first = self.shape = shape if self.shape is None else self.shape
        size, first_size = math.prod(shape), math.prod(first)
        if size != first_size:
            raise invalid_argument(f"Expecting tensor size: {first_size} but got: {size}")
        if shape != first:
            raise invalid_argument(
                f"Expecting shape {_brackets(first)} but got: {_brackets(shape)}"
            )


@contextmanager
def wrapped(index: int, name: str | None = None) -> Iterator[None]:
    """Add the instance and the key of an error to its text."""
    try:
        yield
    except StatusError as error:
        place = f"{index} of" if name is None else f"{index} key: {name} of"
        raise _wrapped(place, error) from error


def _wrapped(place: str, error: StatusError) -> StatusError:
    return invalid_argument(
        f"Failed to process element: {place} 'instances' list. "
        f"Error: {error.code.name}: {error.message}"
    )


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
