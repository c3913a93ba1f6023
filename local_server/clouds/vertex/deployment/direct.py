"""directRawPredict: TensorFlow Serving's gRPC methods on a deployed model, as bytes.

A container may name its model as it likes, so any name in a ModelSpec means the deployed model; the
response repeats it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cached_property

from google.protobuf.message import DecodeError

from ....inference import Inference
from ....status import Code, StatusError
from ....transport.grpc_types import Call, Message, Method
from ...google.common.errors import ApiError
from ..records import invalid

_METHOD = re.compile(r"/tensorflow\.serving\.PredictionService/(\w+)/?")


class DirectPredictions:
    """Answers gRPC methods of TensorFlow Serving for models by key."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def answer(self, servable: str, name: str, data: bytes, seconds: float) -> bytes:
        """Return the serialized response of a method; raises StatusError."""
        match = _METHOD.fullmatch(name)
        methods = await asyncio.to_thread(lambda: self._methods)
        method = methods.get(match[1]) if match else None
        if method is None:
            raise ApiError(Code.UNIMPLEMENTED, f'The model server has no method "{name}".')
        request = _decoded(method, data)
        names = [spec.name for spec in _specs(request)]
        for spec in _specs(request):
            spec.name = servable
            spec.ClearField("version_choice")
        called = names[0] if names else ""
        try:
            response = await method.handle(Call(name, deadline_seconds=seconds), request)
        except StatusError as error:
            raise StatusError(error.code, error.message.replace(servable, called)) from error
        for spec in _specs(response):
            spec.name = called
        encoded: bytes = response.SerializeToString()
        return encoded

    @cached_property
    def _methods(self) -> Mapping[str, Method]:
        # Importing the messages imports TensorFlow.
        from ....protocols.tfserving.grpc.prediction import PredictionService

        return PredictionService(self._inference).service().methods


def _decoded(method: Method, data: bytes) -> Message:
    try:
        return method.request.FromString(data)
    except DecodeError as error:
        raise invalid(f"The input is not a {method.request.DESCRIPTOR.full_name}.") from error


def _specs(message: Message) -> list[Message]:
    """Return the ModelSpecs of a request or response: its own, or those of its parts."""
    fields = message.DESCRIPTOR.fields_by_name
    if "model_spec" in fields:
        return [message.model_spec] if message.HasField("model_spec") else []
    parts = message.tasks if "tasks" in fields else message.results
    return [part.model_spec for part in parts]
