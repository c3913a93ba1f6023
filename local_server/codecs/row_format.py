"""The row form of a predict request: `instances`, a list with one element for each example.

Source: tensorflow_serving/util/json_tensor.cc (`FillTensorMapFromInstancesList`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import Code, StatusError
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
    """Refuse instances that are no objects for a signature of several inputs."""
    if not as_objects and len(dtypes) > 1:
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple input "
            "tensors required as per tensorinfo_map"
        )


def convert(
    instances: list[Any],
    dtypes: Mapping[str, str],
    as_objects: bool,
) -> dict[str, Tensor] | None:
    """Return arrays by input alias; None where something is wrong."""
    if {*map(is_object, instances)} != {as_objects}:
        return None
    try:
        columns = _split(instances, dtypes) if as_objects else dict.fromkeys(dtypes, instances)
        return {alias: to_tensor(column, dtypes[alias]) for alias, column in columns.items()}
    except StatusError:
        return None


def too_deep(rank: int) -> StatusError:
    """Return what is wrong with values each of which passes alone.

    Only the dimension that batching adds is left to be too many.
    """
    return _invalid(f"A batch of tensors of {rank} dimensions has too many")


def is_object(item: Any) -> bool:
    """Say whether an instance is an object of inputs."""
    return isinstance(item, dict) and not is_base64(item)


def _split(instances: list[dict[str, Any]], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the values by input. Raises StatusError when some object has other keys."""
    if any(item.keys() != names.keys() for item in instances):
        raise _invalid("keys differ")
    return {name: [item[name] for item in instances] for name in names}


class RowChecks:
    """Finds what is wrong first with instances, going through them in their order.

    The shapes of the first instance are those that the others have to have.
    """

    def __init__(
        self,
        dtypes: Mapping[str, str],
        as_objects: bool,
    ) -> None:
        self.inputs = {alias: _Check(dtype) for alias, dtype in dtypes.items()}
        self._as_objects = as_objects

    def first_error(self, instances: list[Any], start: int) -> StatusError | None:
        """Look through instances, the first of which has the index `start`."""
        try:
            for index, item in enumerate(instances, start):
                self.check_form(item, index)
                self._check_object(item, index) if self._as_objects else self._check(item, index)
        except StatusError as error:
            return error
        return None

    def check_form(self, item: Any, index: int) -> None:
        """Refuse an instance of the other form than the first."""
        if self._as_objects != is_object(item):
            found = "object but got list" if self._as_objects else "value/list but got object"
            raise _invalid(f"Expecting {found} at item {index} of input list")

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
        """Return the check of an input. Raises StatusError for a name that is none."""
        if name not in self.inputs:
            raise _invalid(f"JSON object: does not have named input: {name}")
        return self.inputs[name]

    def check_names(self, item: Mapping[str, Any], index: int) -> None:
        """Refuse an object that lacks an input."""
        if item.keys() != self.inputs.keys():
            raise _invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{json_text(item)} keys must be equal to: {','.join(sorted(self.inputs))}"
            )


class _Check:
    """Compares the values given to one input with the first of them."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.shape: tuple[int, ...] | None = None

    def __call__(self, value: Any) -> None:
        to_tensor(value, self.dtype)
        self.compare(shape_of(value))

    def compare(self, shape: tuple[int, ...]) -> None:
        """Refuse a shape other than the first."""
        first = self.shape = shape if self.shape is None else self.shape
        size, first_size = math.prod(shape), math.prod(first)
        if size != first_size:
            raise _invalid(f"Expecting tensor size: {first_size} but got: {size}")
        if shape != first:
            raise _invalid(f"Expecting shape {_brackets(first)} but got: {_brackets(shape)}")


@contextmanager
def wrapped(index: int, name: str | None = None) -> Iterator[None]:
    """Say in an error's text in which instance it was found, and at which of its keys."""
    try:
        yield
    except StatusError as error:
        place = f"{index} of" if name is None else f"{index} key: {name} of"
        raise _wrapped(place, error) from error


def _wrapped(place: str, error: StatusError) -> StatusError:
    return _invalid(
        f"Failed to process element: {place} 'instances' list. "
        f"Error: {error.code.name}: {error.message}"
    )


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _invalid(text: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, text)
