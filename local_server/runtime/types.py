"""What a loaded model is to the rest of the server. Imports neither TensorFlow nor numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cloudserve.errors import ModelError
from cloudserve.savedmodel.signature import Signature

from ..status import Code

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tensor: TypeAlias = "NDArray[Any]"
"""An array; strings are an object array of bytes, as TensorFlow hands them out."""

DEFAULT_SIGNATURE = "serving_default"
"""The signature of a request that names none (tensorflow/python/saved_model)."""


Ran = Callable[[float], None]
"""Called after each successful run of a graph, by its thread, with its duration in seconds."""


class LoadError(ModelError):
    """A model that does not load; `code` is what a status request reports of it."""

    def __init__(
        self, code: Code, message: str, *, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.code = code


class LoadedModel(Protocol):
    """A SavedModel in memory; `run` may be called from many threads at once."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The signatures that requests can name."""
        ...

    @property
    def all_signatures(self) -> Mapping[str, Signature]:
        """The same with the loader's own (`__saved_model_init_op`)."""
        ...

    def run(
        self, signature: str, inputs: Mapping[str, Tensor], wanted: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Run a signature on tensors by input alias and return tensors by output alias.

        `wanted` are the aliases of some outputs, none for all; what only others need may be left
        uncomputed. Raises StatusError with TensorFlow's code and text.
        """
        ...

    def close(self) -> None:
        """Release what the model holds; no call may be running."""
        ...


def definitions_of(model: LoadedModel) -> Mapping[str, Any]:
    """Return the `SignatureDef` messages of a model's signatures, as far as it has them."""
    definitions: Mapping[str, Any] = getattr(model, "definitions", {})
    return definitions


def steady_of(model: LoadedModel) -> frozenset[str]:
    """Return the signatures whose cost the sizes of their inputs bound, as far as a model says."""
    steady: frozenset[str] = getattr(model, "steady", frozenset())
    return steady


def stateless_of(model: LoadedModel) -> frozenset[str]:
    """Return the steady signatures that change no variable, if the model reports them."""
    stateless: frozenset[str] = getattr(model, "stateless", frozenset())
    return stateless
