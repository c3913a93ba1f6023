"""A signature to write: the function behind it, and the source's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudserve.savedmodel.signature import PREDICT_METHOD

if TYPE_CHECKING:
    import numpy as np

    from ..runtime.types import Tensor

Sample = Callable[[int, "np.random.Generator"], "Tensor"]
"""Returns made-up values of an input for a number of rows."""


@dataclass(frozen=True, slots=True)
class Served:
    """A function with the specs of its arguments, to be a signature."""

    function: Callable[..., Any]
    """Takes a tensor for each spec; in a graph of TensorFlow 1, an array."""
    specs: tuple[Any, ...]
    """`tf.TensorSpec`s, whose names are the aliases of the inputs."""
    method: str = PREDICT_METHOD
    reference: Callable[..., Any] | None = None
    """The answers of the source, if they are not those of `function`."""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """Made-up values of inputs that are not any numbers or texts, such as encoded images."""
    batch: int = 0
    """The fixed number of rows that was opened; 0 if none was."""


def named(tf: Any, results: Any) -> Mapping[str, Any]:
    """Return results by name; those without names by the ones that TensorFlow gives them."""
    if isinstance(results, dict):
        return results
    return {f"output_{n}": one for n, one in enumerate(tf.nest.flatten(results))}
