"""botocore's own definition of SageMaker, read when the service is first called."""

from __future__ import annotations

from typing import Any

from cloudserve.errors import MissingExtraError


class ServiceModel:
    """The operations of one AWS service and the shapes of their inputs."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._model: Any = None

    def input_shape(self, operation: str) -> Any | None:
        """Return the operation's input shape, or None for a name the service does not know.

        Reading the definition takes a tenth of a second, once. Raises MissingExtraError without
        botocore.
        """
        model = self._read()
        if operation not in model.operation_names:
            return None
        return model.operation_model(operation).input_shape

    def _read(self) -> Any:
        if self._model is None:
            try:
                from botocore.loaders import Loader
                from botocore.model import ServiceModel as BotocoreModel
            except ImportError as error:
                raise MissingExtraError("The offline AWS", "aws") from error
            self._model = BotocoreModel(Loader().load_service_model(self._service, "service-2"))
        return self._model
