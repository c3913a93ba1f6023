"""Classify and regress: requirements on their signatures, and the meaning of their outputs.

Both feed serialized `tf.Example`s to the only input of a signature, as one tensor of strings.
Source: tensorflow_serving/servables/tensorflow/{classifier,regressor,multi_inference}.cc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf import text_format

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import Code, StatusError, invalid_argument

CLASSIFY = "tensorflow/serving/classify"
"""The `method_name` of a signature made for classification."""
REGRESS = "tensorflow/serving/regress"
"""The `method_name` of a signature made for regression."""
_PREDICT = "tensorflow/serving/predict"

_INPUTS, _OUTPUTS = "inputs", "outputs"
_CLASSES, _SCORES = "classes", "scores"
_MATRIX, _VECTOR = 2, 1
_PROTO_DTYPES = {dtype_name(number): name for number, name in PROTO_NAMES.items()}


def to_input(examples: Sequence[bytes]) -> dict[str, Tensor]:
    """Return serialized Examples as the one input, strings of shape [n]; refuses an empty list."""
    if not examples:
        raise invalid_argument("Input is empty.")
    tensor: Tensor = np.empty(len(examples), object)
    tensor[:] = examples
    return {_INPUTS: tensor}


def check_method(signature: Signature, method: str) -> None:
    """Refuse a signature of another method (`enable_signature_method_name_check`)."""
    if signature.method_name != method:
        kind = "classification" if method == CLASSIFY else "regression"
        raise invalid_argument(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )


def check_predict_method(signature: Signature) -> None:
    """Refuse a signature of an unknown method (predict_util.cc `VerifySignature`)."""
    known = (_PREDICT, CLASSIFY, REGRESS)
    if signature.method_name not in known:
        raise StatusError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(known)}}}. Was: {signature.method_name}",
        )


def check_classification(signature: Signature, definition: Any) -> None:
    """Refuse a signature whose inputs and outputs are not a classifier's.

    Errors quote `definition`, its `SignatureDef`.
    """
    _check_one_input(signature)
    aliases = {spec.alias for spec in signature.outputs}
    if len(aliases) not in {1, 2}:
        raise invalid_argument(f"Expected one or two output Tensors, found {len(aliases)}")
    _check_input_alias(signature, "classification", definition)
    if not aliases & {_CLASSES, _SCORES}:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" '
            f'or "{_SCORES}". Signature was: {_debug_string(definition)}'
        )


def check_regression(signature: Signature, definition: Any) -> None:
    """Refuse a signature whose inputs and outputs are not a regressor's, in the same way."""
    _check_one_input(signature)
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    _check_input_alias(signature, "regression", definition)
    if signature.outputs[0].alias != _OUTPUTS:
        text = _debug_string(definition)
        raise invalid_argument(f"No regression outputs found in SignatureDef: {text}")


def read_classes(outputs: Mapping[str, Tensor], count: int) -> tuple[Tensor, Tensor]:
    """Return labels (bytes) and scores (float32) of `count` examples, both of shape [n, classes].

    If the model returns only one of the two, the other is b"" or 0.0 throughout.
    """
    labels, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if labels is not None:
        _check_classes(_CLASSES, labels, "DT_STRING", count)
    if scores is not None:
        _check_classes(_SCORES, scores, "DT_FLOAT", count)
    if labels is None:
        assert scores is not None
        labels = np.full(scores.shape, b"", object)
    if scores is None:
        scores = np.zeros(labels.shape, np.float32)
    if labels.shape != scores.shape:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    return labels, scores


def read_values(outputs: Mapping[str, Tensor], count: int) -> Tensor:
    """Return the values (float32) of `count` examples, of shape [n]."""
    values = outputs[_OUTPUTS]
    if values.ndim != _VECTOR and not (values.ndim == _MATRIX and values.shape[1] == 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {_shape(values)}"
        )
    if len(values) != count:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {len(values)}"
        )
    if (dtype := _dtype(values)) != "DT_FLOAT":
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {dtype}")
    return values.reshape(count)


def _check_one_input(signature: Signature) -> None:
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")


def _check_input_alias(signature: Signature, kind: str, definition: Any) -> None:
    if signature.inputs[0].alias != _INPUTS:
        text = _debug_string(definition)
        raise invalid_argument(f"No {kind} inputs found in SignatureDef: {text}")


def _check_classes(alias: str, tensor: Tensor, dtype: str, count: int) -> None:
    if tensor.ndim != _MATRIX:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {_shape(tensor)}"
        )
    if (actual := _dtype(tensor)) != dtype:
        raise invalid_argument(f"Expected {alias} Tensor of {dtype}. Got: {actual}")
    if len(tensor) != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {len(tensor)}")


def _dtype(tensor: Tensor) -> str:
    return "DT_STRING" if tensor.dtype.hasobject else _PROTO_DTYPES[tensor.dtype.name]


def _shape(tensor: Tensor) -> str:
    return f"[{','.join(map(str, tensor.shape))}]"


def _debug_string(definition: Any) -> str:
    """Return a SignatureDef as `DebugString` prints it."""
    text: str = text_format.MessageToString(definition)
    return text
