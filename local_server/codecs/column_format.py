"""The column format of a predict request: `inputs`, a whole tensor for each input.

Source: tensorflow_serving/util/json_tensor.cc (`FillTensorMapFromInputsMap`).
"""

from __future__ import annotations

from typing import Any

from cloudserve.savedmodel.signature import Signature

from ..runtime.types import Tensor
from ..status import StatusError, invalid_argument
from .tensors import is_base64, to_tensor


def decode_inputs(inputs: Any, signature: Signature) -> dict[str, Tensor]:
    """Return arrays by input alias; names that are not in the signature are ignored.

    The signature has inputs. Raises StatusError: INVALID_ARGUMENT, or UNIMPLEMENTED for an element
    type that JSON does not carry.
    """
    specs = signature.inputs
    if isinstance(inputs, dict) and not is_base64(inputs):
        for spec in specs:
            if spec.alias not in inputs:
                raise missing(spec.alias)
        return {spec.alias: to_tensor(inputs[spec.alias], spec.dtype) for spec in specs}
    if len(specs) > 1:
        raise wants_object()
    return {specs[0].alias: to_tensor(inputs, specs[0].dtype)}


def missing(alias: str) -> StatusError:
    """Return the error of an object that lacks an input."""
    return invalid_argument(f"Missing named input: {alias} in 'inputs' object.")


def wants_object() -> StatusError:
    """Return the error of a plain value for a signature of several inputs."""
    return invalid_argument(
        "inputs is a plain value/list, but expecting an object as multiple input tensors "
        "required as per tensorinfo_map"
    )
