"""The connection, as its frame handler sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .stream import Link, Stream, WholeRequest
from .wire.errors import ErrorCode
from .wire.request_head import RequestHead


class Owner(Link, Protocol):
    """Begins, drops and ends requests for the frames of a client."""

    def open(self, stream: Stream, head: RequestHead) -> None:
        """Begin a request."""
        ...

    def begin(self, requests: Sequence[WholeRequest]) -> None:
        """Begin requests that arrived with their bodies."""
        ...

    def drop(self, stream: Stream, code: ErrorCode) -> None:
        """Close a stream with RST_STREAM, and notify its receiver."""
        ...

    def was_reset(self, stream: Stream) -> None:
        """Close a stream after its client has reset it."""
        ...

    def ping_acknowledged(self, payload: bytes) -> None:
        """Handle the response to a PING."""
        ...
