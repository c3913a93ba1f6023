"""Signatures: the inputs and outputs of a model, and the tensors of their aliases.

Source: `SignatureDef`, `TensorInfo` in tensorflow/core/protobuf/meta_graph.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudserve.errors import UserError
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.proto import Message

HIDDEN_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})
"""Signatures for the loader, not for requests (tensorflow/cc/saved_model/constants.h)."""

PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
METHODS = frozenset({PREDICT_METHOD, CLASSIFY_METHOD, REGRESS_METHOD})
"""The methods of signatures that requests can name (signature_constants.h)."""

Shape = tuple[int | None, ...] | None
"""Sizes of the dimensions, None for any size; None for an unknown rank."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A named input or output of a signature.

    `shape` is declared by the model. Models of TensorFlow 1.0 declare `()` for inputs of higher
    rank, so a request must not be refused because of it.
    """

    alias: str
    """The name that requests use."""
    tensor_name: str
    """The graph's tensor, such as `x:0`; "" if there are `components`."""
    dtype: str
    """TensorFlow's name: `float32`, `string`, …; that of the values if there are components."""
    shape: Shape
    components: tuple[str, ...] = ()
    """The graph's tensors of a sparse (values, indices, dense shape) or composite tensor."""

    @property
    def type(self) -> str:
        """Return dtype and shape as text: `float32[?,784]`, `string[]`, `int64[...]`."""
        if self.shape is None:
            return f"{self.dtype}[...]"
        return f"{self.dtype}[{','.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of the model that requests can call; inputs and outputs are sorted by alias."""

    name: str
    method_name: str
    """`tensorflow/serving/predict`, `…/classify`, `…/regress`, or "" in init ops."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    defaults: tuple[str, ...] = ()
    """Aliases of the optional inputs, sorted."""

    def input(self, alias: str) -> TensorSpec:
        """Return the input with this alias. Raises UserError with the existing aliases."""
        spec = next((spec for spec in self.inputs if spec.alias == alias), None)
        if spec is None:
            raise UserError(
                f"signature {self.name!r} has no input {alias!r}",
                hint=f"its inputs: {', '.join(s.alias for s in self.inputs) or 'none'}",
            )
        return spec


def read_signature(name: str, definition: Message) -> Signature:
    """Return the Signature of a `SignatureDef` message."""
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
        shape=_declared_shape(info),
        components=_components(info),
    )


def _values_dtype(info: Message) -> int:
    """Return a tensor's dtype, or that of a composite tensor's first component.

    TensorFlow flattens a ragged tensor to its values first, then the row splits.
    """
    number: int = info.dtype
    if number == 0 and info.composite_tensor.components:
        return _values_dtype(info.composite_tensor.components[0])
    return number


def _declared_shape(info: Message) -> Shape:
    """Return the declared shape, or None.

    TensorFlow takes a missing shape for a scalar's, but writes a scalar's shape as an empty one;
    models of TensorFlow 1.0 omit it for tensors of any rank.
    """
    return read_shape(info.tensor_shape) if info.HasField("tensor_shape") else None


def read_shape(shape: Message) -> Shape:
    """Return the shape of a `TensorShapeProto`."""
    if shape.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)


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
