"""What a model takes and gives: signatures and the tensors behind their aliases, as plain nouns.

Source: `SignatureDef`, `TensorInfo` in tensorflow/core/protobuf/meta_graph.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudserve.errors import UserError
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.proto import Message

HIDDEN_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
"""Signatures that are the loader's business (tensorflow/cc/saved_model/constants.h)."""

Shape = tuple[int | None, ...] | None
"""Sizes of the dimensions, None where any size fits; None altogether where the rank is unknown."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A named input or output of a signature.

    `shape` is what the model states; models of TensorFlow 1.0 state `()` where they take more
    dimensions, so it is no ground to refuse a request.
    """

    alias: str
    """The name that requests use."""
    tensor_name: str
    """The graph's tensor, such as `x:0`; "" when `components` has several."""
    dtype: str
    """TensorFlow's name: `float32`, `string`, …; of the values when there are components."""
    shape: Shape
    components: tuple[str, ...] = ()
    """The graph's tensors of a sparse (values, indices, dense shape) or composite tensor."""

    @property
    def type(self) -> str:
        """Return dtype and shape in one word: `float32[?,784]`, `string[]`, `int64[...]`."""
        if self.shape is None:
            return f"{self.dtype}[...]"
        return f"{self.dtype}[{','.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of the model that requests name; inputs and outputs are sorted by alias."""

    name: str
    method_name: str
    """`tensorflow/serving/predict`, `…/classify`, `…/regress`, or "" in init ops."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    defaults: tuple[str, ...] = ()
    """Aliases of the inputs that a request may leave out, sorted."""

    def input(self, alias: str) -> TensorSpec:
        """Return the input of this alias. Raises UserError, naming those there are."""
        found = next((spec for spec in self.inputs if spec.alias == alias), None)
        if found is None:
            raise UserError(
                f"signature {self.name!r} has no input {alias!r}",
                hint=f"its inputs: {', '.join(s.alias for s in self.inputs) or 'none'}",
            )
        return found


def read_signature(name: str, definition: Message) -> Signature:
    """Make a Signature from a `SignatureDef` message."""
    return Signature(
        name=name,
        method_name=definition.method_name,
        inputs=_read_specs(definition.inputs),
        outputs=_read_specs(definition.outputs),
        defaults=tuple(sorted(definition.defaults)),
    )


def _read_specs(tensors: Mapping[str, Message]) -> tuple[TensorSpec, ...]:
    return tuple(_read_spec(alias, tensors[alias]) for alias in sorted(tensors))


def _read_spec(alias: str, info: Message) -> TensorSpec:
    return TensorSpec(
        alias=alias,
        tensor_name=info.name,
        dtype=dtype_name(_values_dtype(info)),
        shape=_read_shape(info),
        components=_components(info),
    )


def _values_dtype(info: Message) -> int:
    """Return the tensor's dtype; for a composite one, which states none, its first component's.

    TensorFlow flattens a ragged tensor to its values first, then the row splits.
    """
    number: int = info.dtype
    if number == 0 and info.composite_tensor.components:
        return _values_dtype(info.composite_tensor.components[0])
    return number


def _read_shape(info: Message) -> Shape:
    """Return the stated shape, None when there is none.

    TensorFlow would take a missing one for a scalar's, but writes scalars as an empty shape; models
    of TensorFlow 1.0 leave it out for tensors of any rank.
    """
    if not info.HasField("tensor_shape") or info.tensor_shape.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim)


def _components(info: Message) -> tuple[str, ...]:
    if info.HasField("coo_sparse"):
        sparse = info.coo_sparse
        return (
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        )
    return tuple(_flat_names(info.composite_tensor.components))


def _flat_names(components: Message) -> list[str]:
    names: list[str] = []
    for component in components:
        names.extend(_components(component) or [component.name])
    return names
