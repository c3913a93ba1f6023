"""TensorFlow Serving's gRPC API: PredictionService and ModelService.

This module is light: the messages are made when the server starts.

Source: tensorflow_serving/apis/*.proto, tensorflow_serving/model_servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ....config import ModelServerConfig
from ....inference import Inference
from ....transport.grpc_types import Service


class Reloader(Protocol):
    """Replaces the configured models: `models.ServerCore`."""

    async def reload(self, config: ModelServerConfig, seconds: float | None = None) -> None:
        """Replace the configuration, and wait until every new model is available.

        Raises StatusError; DEADLINE_EXCEEDED after `seconds`.
        """
        ...


class TfServingGrpc:
    """Translates gRPC calls to the data plane (a GrpcApplication).

    With `tensor_content`, predictions hold their values as bytes in `tensor_content`
    (`enable_serialization_as_tensor_content`). Without a reloader the models are fixed; with one, a
    new configuration has a timeout of `reload_seconds` (TensorFlow Serving: none).
    """

    def __init__(
        self,
        inference: Inference,
        reloader: Reloader | None = None,
        *,
        tensor_content: bool = False,
        reload_seconds: float | None = None,
    ) -> None:
        self._inference = inference
        self._reloader = reloader
        self._tensor_content = tensor_content
        self._reload_seconds = reload_seconds

    def services(self) -> Sequence[Service]:
        """Return both services."""
        from .models import ModelService
        from .prediction import PredictionService

        predictions = PredictionService(self._inference, tensor_content=self._tensor_content)
        models = ModelService(self._inference, self._reloader, self._reload_seconds)
        return predictions.service(), models.service()
