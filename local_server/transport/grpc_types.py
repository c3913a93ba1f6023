"""The seam between gRPC transports and applications: a call, messages, a status.

Applications import only this module of the gRPC transport, so that grpcio can be replaced by a
faster one without changing them. Calls are unary: one message in, one out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ..status import Code, StatusError

Message = Any
"""A protobuf message or message class: created at run time, invisible to mypy."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call without its message."""

    method: str
    """The path: `/package.Service/Method`."""
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    """Keys are lower case and may repeat; values of `…-bin` keys are bytes."""
    deadline_seconds: float | None = None
    """The client's timeout, counted from the arrival of the call; None is unlimited."""
    peer: str = ""
    authority: str = ""
    """The host that the client addressed, with its port; "" if the transport does not know it."""


class CallError(StatusError):
    """A failed call with more than a code and a message."""

    def __init__(self, code: Code, message: str, details: bytes) -> None:
        """Take the details: a serialized google.rpc.Status, for `grpc-status-details-bin`."""
        super().__init__(code, message)
        self.details = details


def details_of(error: StatusError) -> bytes:
    """Return the details of a failed call, or b"" if there are none."""
    return error.details if isinstance(error, CallError) else b""


PREFIX_SIZE: Final = 5
"""The bytes before a message: whether it is compressed, and its size (PROTOCOL-HTTP2.md)."""


def prefix(size: int) -> bytes:
    """Return the prefix of an uncompressed message."""
    return b"\0" + size.to_bytes(4, "big")


Handler = Callable[[Call, Message], Awaitable[Message]]
"""Answers a decoded request with a response, or raises StatusError."""


Admit = Callable[[Call], None]
"""Raises StatusError for a call that must not be answered."""


class RequestGroup(Protocol):
    """What requests have in common that can be answered together; hashable."""

    @property
    def model(self) -> str:
        """The model that they name, for metrics."""
        ...


class RequestForm(Protocol):
    """The form of a request that was recognized by its bytes."""

    @property
    def group(self) -> RequestGroup:
        """The group of all requests of this form, and maybe of others."""
        ...


class FastPath(Protocol):
    """Answers requests of one turn of the event loop together, from bytes to bytes.

    The method's handler gives the same responses, and takes all other requests. Called in the
    loop's thread; must not raise.
    """

    def recognize(self, body: bytes) -> RequestForm | None:
        """Return the form of a request; None if it is for the handler.

        The body should be one message behind its prefix.
        """
        ...

    def answer(self, group: Any, parts: Sequence[tuple[Any, bytes]]) -> Sequence[bytes | None]:
        """Return the responses to requests of a group; None for each that is for the handler.

        Each request is its form and its body, each response a message behind its prefix.
        """
        ...


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service: the class of its requests, and their handler."""

    request: Message
    handle: Handler
    admit: Admit | None = None
    """Checks a call before its message is decoded."""
    fast_path: FastPath | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service by its full name (`package.Service`), its methods by their names."""

    name: str
    methods: Mapping[str, Method]


class GrpcApplication(Protocol):
    """A gRPC application."""

    def services(self) -> Sequence[Service]:
        """Return the services. Called once, in a thread, before listening: it may import much."""
        ...
