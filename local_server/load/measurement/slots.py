"""A slot: a place for one request in flight, over whatever protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cloudserve.errors import RemoteError

REFUSED = "connection refused"
CLOSED = "connection closed"
TIMEOUT = "timeout"
UNAVAILABLE = "UNAVAILABLE"
UNREACHABLE = frozenset({REFUSED, UNAVAILABLE})
"""Failures that mean that no server answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; `failure` is None for a success, else its kind."""

    failure: str | None
    body: bytes
    """HTTP's body; of gRPC the response message, or a failure's status message."""


class Slot(Protocol):
    """A place for one request in flight.

    `done(slot, failure)` is called once for each request, with None for a success.
    """

    done: Callable[[Any, str | None], None]
    intended: int
    """When the request in flight was to be sent, in nanoseconds; the owner's."""

    def send(self, request: bytes) -> None:
        """Send a prepared request; the slot must be free."""
        ...

    def expire(self, before: int) -> None:
        """Fail a request that was sent before this time with a timeout."""
        ...


class Wire(Protocol):
    """A protocol to a server: its slots, and single requests."""

    def prepare(self, body: bytes) -> bytes:
        """Return what a slot sends for the body of a prediction."""
        ...

    async def open(self, count: int) -> list[Slot]:
        """Return slots that are connected. Raises UnreachableError."""
        ...

    async def ask(self, request: bytes) -> Answer:
        """Send one prepared request. Raises UnreachableError."""
        ...

    def refusal(self, answer: Answer, request: str = "the prediction") -> RemoteError:
        """Return the error of a failed answer, with the server's own words."""
        ...

    async def metadata(self) -> Any:
        """Return the model's SignatureDefMap. Raises RemoteError, UnreachableError."""
        ...

    async def close(self) -> None:
        """Release all connections."""
        ...
