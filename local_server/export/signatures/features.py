"""Features of `tf.Example`s: of a model, of a JSON file, of a graph that parses them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cloudserve.errors import UserError
from cloudserve.savedmodel.graph import read_graph, source

from ...codecs.examples import encode_example
from ...messages import Message
from ...runtime.dtypes import STRING
from ...runtime.types import Tensor

FORM = '{"age": {"dtype": "int64", "shape": [1], "default": 0}}'
_VALUES: Mapping[str, tuple[type, ...]] = {
    "float32": (float, int),
    "int64": (int,),
    "string": (str,),
}
_TYPES = tuple(_VALUES)
_SIZES = range(1, 2**31)
_INT64 = range(-(2**63), 2**63)
_KEYS = frozenset({"dtype", "shape", "default"})
_FLOAT32 = 1
_PARSERS = {"ParseExample": 2, "ParseExampleV2": 2}
"""Ops that parse Examples, and the position of the input with the first sparse keys."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature with its values: one of the three kinds that an Example has."""

    dtype: str
    """float32, int64 or string."""
    shape: tuple[int | None, ...]
    """Of one Example; only the first dimension may be open."""
    default: Any = None
    """The value of an Example without the feature; None if it must have it."""


def of_inputs(specs: Sequence[Any]) -> dict[str, Feature]:
    """Return a feature for each input of a model; raises UserError for one that has none."""
    return {spec.name: _of_input(spec) for spec in specs}


def _of_input(spec: Any) -> Feature:
    shape = spec.shape.as_list() if spec.shape.rank else None
    if shape is None or None in shape[2:]:
        raise UserError(
            f"the shape of the input {spec.name} is open, and an Example has a list of values",
            hint=f"give it with --features FILE: {FORM}",
        )
    return Feature(_kind(spec.dtype), tuple(shape[1:]))


def _kind(dtype: Any) -> str:
    """Return the kind of feature that a dtype is cast from."""
    if dtype.is_floating:
        return "float32"
    return "int64" if dtype.is_integer or dtype.is_bool else "string"


def read_features(path: Path, specs: Sequence[Any]) -> dict[str, Feature]:
    """Return the features of a JSON file; raises UserError if they are not those of the inputs."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        raise _invalid(path, reason) from error
    if not isinstance(document, dict):
        raise _invalid(path, "it is not an object")
    features = {name: _feature(path, name, value) for name, value in document.items()}
    names = [spec.name for spec in specs]
    if sorted(features) != sorted(names):
        raise _invalid(path, f"its features are not the model's inputs, {', '.join(names)}")
    return features


def _feature(path: Path, name: str, value: Any) -> Feature:
    if not isinstance(value, dict) or not set(value) <= _KEYS or "dtype" not in value:
        raise _invalid(path, f"{name} is not an object of dtype, shape and default")
    shape = value.get("shape", [])
    is_size = isinstance(shape, list) and all(
        (one is None and not n) or (type(one) is int and one in _SIZES)
        for n, one in enumerate(shape)
    )
    if value["dtype"] not in _TYPES or not is_size:
        raise _invalid(path, f"{name} needs a dtype ({', '.join(_TYPES)}) and a shape such as [3]")
    feature = Feature(value["dtype"], tuple(shape), value.get("default"))
    if feature.default is not None and not _has_fitting_default(feature):
        text = f"the default of {name} is not {feature.dtype}{shape}"
        raise _invalid(path, text if None not in shape else f"{text}, of which it is one value")
    return feature


def _has_fitting_default(feature: Feature) -> bool:
    """Return whether the default has the dtype, and the values of the shape; one for a list."""
    is_open = None in feature.shape
    values = [feature.default] if is_open else list(_flat(feature.default))
    size = 1 if is_open else math.prod(n or 1 for n in feature.shape)
    kinds = _VALUES[feature.dtype]
    return len(values) == size and all(
        type(one) in kinds and (feature.dtype != "int64" or one in _INT64) for one in values
    )


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _invalid(path: Path, reason: str) -> UserError:
    return UserError(f"the features cannot be read: {reason}", where=str(path), hint=FORM)


def parsed_by(graph_def: Message, tensor: str) -> dict[str, Feature]:
    """Return the features that a graph parses the Examples of a tensor into; {} if it does not.

    TensorFlow 2 parses them in a function, whose argument is not traced: the features of all
    functions are returned then.
    """
    graph = read_graph(graph_def)
    placeholder = tensor.partition(":")[0]
    for node in graph.nodes.values():
        if node.op in _PARSERS and source(graph.nodes, node.input[0]) == placeholder:
            return dict(_parsed(node, graph.nodes))
    found: dict[str, Feature] = {}
    for function in graph.functions.values():
        nodes = {node.name: node for node in function.node_def}
        for node in nodes.values():
            if node.op in _PARSERS:
                found |= dict(_parsed(node, nodes))
    return found


def _parsed(node: Message, nodes: Mapping[str, Message]) -> Iterator[tuple[str, Feature]]:
    keys = [_texts(nodes, tensor) for tensor in node.input[_PARSERS[node.op] :]]
    sparse_types = list(node.attr["sparse_types"].list.type)
    dense_types = list(node.attr["Tdense"].list.type)
    if node.op == "ParseExample":  # a scalar for each key
        flat = [key for each in keys for key in each[:1]]
        sparse, dense = flat[: len(sparse_types)], flat[len(sparse_types) :]
    else:
        sparse, dense = keys[0], keys[1]
    for name, dtype in zip(sparse, sparse_types, strict=False):
        yield name, Feature(_kind_of(dtype), (1,))
    shapes = node.attr["dense_shapes"].list.shape
    for name, dtype, shape in zip(dense, dense_types, shapes, strict=False):
        yield name, Feature(_kind_of(dtype), tuple(max(dim.size, 1) for dim in shape.dim))


def _kind_of(dtype: int) -> str:
    return {_FLOAT32: "float32", STRING: "string"}.get(dtype, "int64")


def _texts(nodes: Mapping[str, Message], tensor: str) -> list[str]:
    name = source(nodes, tensor)
    if name not in nodes or nodes[name].op != "Const":
        return []
    values = nodes[name].attr["value"].tensor.string_val
    return [value.decode("utf-8", "replace") for value in values]


def sample(features: Mapping[str, Feature], rows: int, random: np.random.Generator) -> Tensor:
    """Return serialized Examples of made-up values."""
    examples = np.empty(rows, object)
    examples[:] = [
        encode_example({name: _values(one, random) for name, one in features.items()})
        for _ in range(rows)
    ]
    return examples


def _values(feature: Feature, random: np.random.Generator) -> list[Any]:
    size = int(np.prod([1 if n is None else n for n in feature.shape]))
    if feature.dtype == "string":
        return ["a"] * size
    numbers = random.random(size)
    return numbers.tolist() if feature.dtype == "float32" else [int(n < 1 / 2) for n in numbers]
