"""Replacement of the model configuration over gRPC."""

from __future__ import annotations

from typing import Protocol

from ....config import ModelServerConfig


class Reloader(Protocol):
    """Replaces the configured models: `models.ServerCore`."""

    async def reload(self, config: ModelServerConfig, seconds: float | None = None) -> None:
        """Replace the configuration, and wait until every new model is available.

        Raises StatusError; DEADLINE_EXCEEDED after `seconds`.
        """
        ...
