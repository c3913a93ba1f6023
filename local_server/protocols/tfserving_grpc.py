"""TensorFlow Serving's gRPC API: PredictionService and ModelService.

This module is light; what it serves is imported at the start, as the generated messages bring
TensorFlow along. Source: tensorflow_serving/apis/*.proto, tensorflow_serving/model_servers; see
tfserving.md 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudserve.errors import MissingExtraError

from ..inference import Inference
from ..runtime.tensorflow import import_tensorflow
from ..transport.grpc_types import Message, Service


class Lifecycle(Protocol):
    """Who decides which models are served."""

    async def reload(self, config: Message) -> None:
        """Replace what is served by a `ModelServerConfig` of the kind `model_config_list`.

        Returns when every newly named model is available. Raises StatusError.
        """
        ...


class TfServingGrpc:
    """Translates gRPC calls onto the data plane (a GrpcApplication).

    With `tensor_content`, predictions are answered as bytes in `tensor_content`
    (`enable_serialization_as_tensor_content`). Without a lifecycle the models are fixed.
    """

    def __init__(
        self,
        inference: Inference,
        lifecycle: Lifecycle | None = None,
        *,
        tensor_content: bool = False,
    ) -> None:
        self._inference = inference
        self._lifecycle = lifecycle
        self._tensor_content = tensor_content

    def services(self) -> Sequence[Service]:
        """Return both services. Raises MissingExtraError where the messages are not installed."""
        import_tensorflow()  # quietly, before the messages import it
        try:
            from .grpc_models import ModelService
            from .grpc_prediction import PredictionService
        except ModuleNotFoundError as error:
            raise MissingExtraError("serving gRPC", "server") from error
        predictions = PredictionService(self._inference, tensor_content=self._tensor_content)
        return (
            predictions.service(),
            ModelService(self._inference, self._lifecycle).service(),
        )
