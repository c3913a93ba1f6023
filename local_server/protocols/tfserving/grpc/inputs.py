"""Inputs of requests; a PredictRequest's are checked with TensorFlow Serving's texts.

Source: tensorflow_serving/servables/tensorflow/predict_util.cc (`PreProcessPrediction`),
tensorflow/cc/saved_model/util.cc (`GetInputValues`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cloudserve.savedmodel.signature import Signature

from ....codecs.room import Room
from ....codecs.tensor_proto import TensorProtoError, from_tensor_proto
from ....inference.requests import InferenceRequest, predict
from ....inference.types import ModelSpec, Prediction, Task
from ....runtime.types import Tensor
from ....status import Code, StatusError, invalid_argument
from ....transport.grpc_types import Message
from .spec import to_spec


def predict_request(spec: ModelSpec, message: Message) -> InferenceRequest[Prediction]:
    """Return a `PredictRequest` as a request for this model."""

    def decode(signature: Signature) -> Mapping[str, Tensor]:
        inputs = read_inputs(signature, message.inputs)
        check_filter(signature, message.output_filter)
        return inputs

    return predict(spec, decode, tuple(message.output_filter), _unknown_signature)


def read_tasks(message: Message) -> list[Task]:
    """Return the tasks of a `MultiInferenceRequest`."""
    return [Task(to_spec(task.model_spec), task.method_name) for task in message.tasks]


def read_inputs(signature: Signature, inputs: Mapping[str, Message]) -> dict[str, Tensor]:
    """Return the input arrays of a signature by alias, without those that use their default.

    Raises StatusError (INVALID_ARGUMENT) for missing or unknown names, for an invalid TensorProto,
    and for tensors that together take too much memory (`Room`).
    """
    _check_count(signature, inputs)
    arrays: dict[str, Tensor] = {}
    room = Room()
    for spec in signature.inputs:
        if spec.alias in inputs:
            arrays[spec.alias] = _read_tensor(spec.alias, inputs[spec.alias], room)
        elif spec.alias not in signature.defaults:
            raise invalid_argument(
                f"Signature input alias: {spec.alias}(feed name: {spec.tensor_name}) not found in "
                "request and no default value provided. Inputs expected to be in the request "
                f"{{{_join(inputs)}}}, or default input alias set: {_join(signature.defaults)}"
            )
    if len(arrays) != len(inputs):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_join(arrays)}, "
            f"request input: {_join(inputs)}"
        )
    return arrays


def check_filter(signature: Signature, output_filter: Sequence[str]) -> None:
    """Refuse outputs that are not in the signature or are named twice."""
    known = {spec.alias for spec in signature.outputs}
    requested: set[str] = set()
    for alias in output_filter:
        if alias not in known:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_join(known)}}}."
            )
        if alias in requested:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        requested.add(alias)


def _unknown_signature(name: str) -> StatusError:
    return StatusError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')


def _check_count(signature: Signature, inputs: Mapping[str, Message]) -> None:
    sent, required = set(inputs), {spec.alias for spec in signature.inputs}
    too_few = len(sent) < len(required) and not signature.defaults
    if len(sent) > len(required) or too_few:
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(required)} "
            f"len({{{_join(sent)}}}) != len({{{_join(required)}}}). "
            f"Sent extra: {{{_join(sent - required)}}}. "
            f"Missing but required: {{{_join(required - sent)}}}."
        )


def _read_tensor(alias: str, proto: Message, room: Room) -> Tensor:
    try:
        return from_tensor_proto(proto, room)
    except (TensorProtoError, MemoryError) as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def _join(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
