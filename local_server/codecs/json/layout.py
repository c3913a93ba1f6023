"""Layouts of responses: compact, or as TensorFlow Serving formats them (`--pretty-json`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...runtime.types import Tensor
from .. import response
from . import pretty


@dataclass(frozen=True, slots=True)
class Layout:
    """The encoders of rows, columns, classifications and regressions.

    Each raises StatusError (INVALID_ARGUMENT) as the functions of `response` do.
    """

    rows: Callable[[Mapping[str, Tensor]], bytes]
    columns: Callable[[Mapping[str, Tensor]], bytes]
    classes: Callable[[Tensor, Tensor], bytes]
    values: Callable[[Tensor], bytes]


COMPACT = Layout(
    response.encode_rows,
    response.encode_columns,
    response.encode_classes,
    response.encode_values,
)
PRETTY = Layout(
    pretty.encode_rows,
    pretty.encode_columns,
    pretty.encode_classes,
    pretty.encode_values,
)
