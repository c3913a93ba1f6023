"""botocore's model of an AWS service, read on the first call."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from cloudserve.errors import MissingExtraError


class ServiceModel:
    """The operations of one AWS service and the shapes of their inputs.

    Raises MissingExtraError without botocore.
    """

    def __init__(self, service: str) -> None:
        if find_spec("botocore") is None:
            raise MissingExtraError("The offline AWS", "aws")
        self._service = service
        self._model: Any = None

    @property
    def is_read(self) -> bool:
        """Return whether the model is in memory."""
        return self._model is not None

    def read(self) -> None:
        """Read the model; takes a tenth of a second."""
        from botocore.loaders import Loader
        from botocore.model import ServiceModel as BotocoreModel

        self._model = BotocoreModel(Loader().load_service_model(self._service, "service-2"))

    def __contains__(self, operation: str) -> bool:
        """Return whether the service has an operation of this name."""
        return operation in self._read_model().operation_names

    def input_shape(self, operation: str) -> Any | None:
        """Return the operation's input shape; None if it has no input."""
        return self._read_model().operation_model(operation).input_shape

    def _read_model(self) -> Any:
        if self._model is None:
            self.read()
        return self._model
