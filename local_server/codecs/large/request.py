"""Large predict requests, decoded run by run, with the same arrays and errors as small ones.

The first error is in the run that does not convert; its text depends on the runs before it: the
index of its first instance, and the shape of the very first. The whole document is valid JSON by
then, so that errors are found in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import simdjson

from cloudserve.savedmodel.signature import Signature

from ...runtime.types import Tensor
from ...status import StatusError
from ..column_format import decode_inputs, missing, wants_object
from ..json.fast_path import cast_doubles, is_numeric, read_numbers, read_objects
from ..json.nonfinite import as_finite, put_back
from ..row_format import RowChecks, check_form, convert, is_object, too_deep, wrapped
from ..tensors import (
    first_error,
    is_base64,
    is_supported,
    list_error,
    shape_of,
    to_tensor,
    too_many_dimensions,
    unsupported,
)
from .document import Document, Node, Run

_Arrays = dict[str, Tensor]
_MOST_DIMENSIONS = 64  # numpy's own limit


def decode_large_inputs(document: Document, inputs: Node, signature: Signature) -> _Arrays:
    """Return arrays by input alias from a column format whose value is large."""
    specs, reading = signature.inputs, _Reading(document)
    if inputs.is_list:
        if len(specs) > 1:
            raise wants_object()
        return {specs[0].alias: reading.tensor(inputs, specs[0].dtype)}
    members = document.items(inputs)
    if is_base64(members):
        return decode_inputs(members, signature)
    for spec in specs:
        if spec.alias not in members:
            raise missing(spec.alias)
    return {spec.alias: reading.tensor(members[spec.alias], spec.dtype) for spec in specs}


def decode_large_instances(document: Document, instances: Node, signature: Signature) -> _Arrays:
    """Return arrays by input alias from a row format whose list is large."""
    return _Rows(document, instances, {s.alias: s.dtype for s in signature.inputs}).decode()


class _Reading:
    """Converts values of a document to arrays."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def tensor(self, value: Any, dtype: str) -> Tensor:
        """Return a value as an array. Raises StatusError as `to_tensor` does."""
        if not isinstance(value, Node) or not value.is_list:
            return to_tensor(self._document.value(value), dtype)
        shape = self.shape(value)
        array = self._array(value, 0, shape, dtype)
        if array is not None:
            return array
        raise too_many_dimensions(len(shape)) if is_supported(dtype) else unsupported(dtype)

    def shape(self, value: Any) -> tuple[int, ...]:
        """Return the shape of a value, following its first elements."""
        if not isinstance(value, Node):
            return shape_of(value)
        if not value.is_list:
            return ()
        if not value.items:
            return (0,)
        first = value.items[0]
        inner = self._document.first(value, first) if isinstance(first, Run) else first[1]
        return (value.count, *self.shape(inner))

    def _array(self, node: Node, level: int, shape: Sequence[int], dtype: str) -> Tensor | None:
        """Return a list at a level of a shape; None if it is valid but not an array."""
        error = list_error(node.count, level, shape)
        if error is not None:
            raise error
        if not node.items:
            return to_tensor([], dtype) if is_supported(dtype) else None
        parts = [self._part(node, item, level + 1, shape, dtype) for item in node.items]
        arrays = [part for part in parts if part is not None]
        return np.concatenate(arrays) if len(arrays) == len(parts) else None

    def _part(
        self, node: Node, item: Run | tuple[str, Any], level: int, shape: Sequence[int], dtype: str
    ) -> Tensor | None:
        if isinstance(item, Run):
            array = self.numbers(node, item, dtype)
            if array is None or array.shape[1:] != shape[level:]:
                return self._values(self._document.values(node, item), level, shape, dtype)
            return array
        _, child = item
        if not isinstance(child, Node) or not child.is_list:
            return self._values([self._document.value(child)], level, shape, dtype)
        whole = self._array(child, level, shape, dtype)
        return None if whole is None or whole.ndim == _MOST_DIMENSIONS else whole[np.newaxis]

    def numbers(self, node: Node, run: Run, dtype: str) -> Tensor | None:
        """Return a run of plain numbers in a regular shape, or None."""
        if not is_numeric(dtype) or (run.is_finite and not run.is_plain):
            return None
        text = self._document.text(node, run)
        try:
            if not run.is_finite:
                return _read_nonfinite(text, dtype)
            return read_numbers({"": simdjson.Parser().parse(text)}, {"": dtype}, text)[""]
        except (TypeError, ValueError, RuntimeError):
            return None

    def objects(self, node: Node, run: Run, dtypes: Mapping[str, str]) -> _Arrays | None:
        """Return a run of objects of plain numbers, or None."""
        if not run.is_plain or not all(map(is_numeric, dtypes.values())):
            return None
        text = self._document.text(node, run)
        try:
            rows = simdjson.Parser().parse(text)
            return read_objects(rows, dtypes, text) if isinstance(rows, simdjson.Array) else None
        except (KeyError, TypeError, ValueError, RuntimeError):
            return None

    @staticmethod
    def _values(values: list[Any], level: int, shape: Sequence[int], dtype: str) -> Tensor | None:
        try:
            array = to_tensor(values, dtype)
        except StatusError:
            array = None
        if array is not None and array.shape[1:] == shape[level:]:
            return array
        error = first_error(values, level, shape, dtype)
        if error is not None:
            raise error
        return None


def _read_nonfinite(text: bytes, dtype: str) -> Tensor:
    """Return lists of numbers that include NaN or Infinity. Raises ValueError or similar."""
    finite = as_finite(text)
    assert finite is not None
    values = {"": simdjson.Parser().parse(finite)}
    doubles = read_numbers(values, {"": "float64"}, finite)[""]
    return cast_doubles(put_back(doubles, finite), dtype)


class _Rows:
    """Decodes a list of instances."""

    def __init__(self, document: Document, node: Node, dtypes: Mapping[str, str]) -> None:
        self._document, self._node, self._dtypes = document, node, dtypes
        self._reading = _Reading(document)
        self._as_objects = self._begins_with_object()
        self._checks = RowChecks(dtypes, self._as_objects)
        self._is_too_deep = False
        self._parts: dict[str, list[Tensor]] = {alias: [] for alias in dtypes}

    def decode(self) -> _Arrays:
        """Return the arrays. Raises StatusError for the first error."""
        check_form(self._as_objects, self._dtypes)
        if self._as_objects:
            self._document.check_objects(self._node)
        index = 0
        for item in self._node.items:
            if isinstance(item, Run):
                self._take_run(item, index)
                index += item.count
            else:
                self._take_large(item[1], index)
                index += 1
        if self._is_too_deep:
            raise too_deep(0 if self._as_objects else self._rank())
        return {alias: np.concatenate(parts) for alias, parts in self._parts.items()}

    def _begins_with_object(self) -> bool:
        first = self._node.items[0]
        if isinstance(first, Run):
            return is_object(self._document.first(self._node, first))
        _, value = first
        if not isinstance(value, Node):
            return is_object(value)
        return not value.is_list and is_object(self._document.items(value))

    def _rank(self) -> int:
        (check,) = self._checks.inputs.values()
        return len(check.shape or ())

    def _take_run(self, run: Run, index: int) -> None:
        arrays = self._quickly(run)
        if arrays is None or not self._fits(arrays):
            self._take_values(self._document.values(self._node, run), index)
        else:
            self._add(arrays)

    def _quickly(self, run: Run) -> _Arrays | None:
        if self._as_objects:
            return self._reading.objects(self._node, run, self._dtypes)
        ((alias, dtype),) = self._dtypes.items()
        array = self._reading.numbers(self._node, run, dtype)
        return None if array is None else {alias: array}

    def _take_values(self, values: list[Any], index: int) -> None:
        arrays = convert(values, self._dtypes, self._as_objects)
        if arrays is not None and self._fits(arrays):
            self._add(arrays)
            return
        error = self._checks.first_error(values, index)
        if error is not None:
            raise error
        self._is_too_deep = True

    def _take_large(self, value: Any, index: int) -> None:
        if isinstance(value, Node):
            self._take_node(value, index)
        else:
            self._take_values([value], index)

    def _take_node(self, node: Node, index: int) -> None:
        if node.is_list:
            self._checks.check_form([], index)
            ((alias, check),) = self._checks.inputs.items()
            with wrapped(index):
                array = self._reading.tensor(node, check.dtype)
                check.compare(array.shape)
            self._add_one({alias: array})
            return
        members = self._document.items(node)
        if is_base64(members):
            self._take_values([members], index)
        else:
            self._take_object(members, index)

    def _take_object(self, members: Mapping[str, Any], index: int) -> None:
        self._checks.check_form(members, index)
        arrays: _Arrays = {}
        for name, value in members.items():
            with wrapped(index, name):
                check = self._checks.of(name)
                arrays[name] = self._reading.tensor(value, check.dtype)
                check.compare(arrays[name].shape)
        shown = {name: self._document.shown(value) for name, value in members.items()}
        self._checks.check_names(shown, index)
        self._add_one(arrays)

    def _fits(self, arrays: _Arrays) -> bool:
        """Return whether arrays have the shapes of the first instance; those of the first do."""
        checks = self._checks.inputs
        shapes = {alias: array.shape[1:] for alias, array in arrays.items()}
        return all(checks[alias].shape in {None, shape} for alias, shape in shapes.items())

    def _add(self, arrays: _Arrays) -> None:
        for alias, array in arrays.items():
            self._checks.inputs[alias].shape = array.shape[1:]
            self._parts[alias].append(array)

    def _add_one(self, arrays: _Arrays) -> None:
        if any(array.ndim == _MOST_DIMENSIONS for array in arrays.values()):
            self._is_too_deep = True
        else:
            self._add({alias: array[np.newaxis] for alias, array in arrays.items()})
