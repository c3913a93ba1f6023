"""A step for one tensor: in a graph, and as the comparison computes it without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from cloudserve.errors import UserError

from ...runtime.types import Tensor


@dataclass(frozen=True, slots=True)
class Stage:
    """A step that fits a tensor."""

    in_graph: Callable[[Any], Any]
    in_numpy: Callable[[Tensor], Any]


def refuse(text: str, hint: str) -> NoReturn:
    """Raise UserError for a step that does not fit its tensor."""
    raise UserError(text, hint=hint)


def describe(spec: Any) -> str:
    """Return the dtype and shape of a tensor, such as float32[?,3]."""
    if spec.shape.rank is None:
        return f"{spec.dtype.name} of any shape"
    sizes = ",".join("?" if size is None else str(size) for size in spec.shape.as_list())
    return f"{spec.dtype.name}[{sizes}]"
