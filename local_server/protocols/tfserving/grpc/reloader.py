"""Who is asked for another configuration over gRPC."""

from __future__ import annotations

from typing import Protocol

from ....config import ModelServerConfig


class Reloader(Protocol):
    """Who decides which models are served: `models.ServerCore`."""

    async def reload(self, config: ModelServerConfig, seconds: float | None = None) -> None:
        """Replace the configuration, and wait until every newly named model is available.

        Raises StatusError; DEADLINE_EXCEEDED when `seconds` are over.
        """
        ...
