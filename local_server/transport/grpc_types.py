"""What a face sees of gRPC: a call, messages in and out, a status. No HTTP/2, no library's types.

Faces (protocols) are written against this module alone, so that grpcio can be replaced by a faster
transport without touching them. Calls are unary: one message in, one out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Message = Any
"""A protobuf message or message class: made at run time, beyond mypy's sight."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call besides its message."""

    method: str
    """The path: `/package.Service/Method`."""
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    """Keys are lower case and may repeat; values of `…-bin` keys are bytes."""
    deadline_seconds: float | None = None
    """What the client still waits, counted from when the call came; None is for ever."""
    peer: str = ""


Handler = Callable[[Call, Message], Awaitable[Message]]
"""Answers a decoded request with a response, or raises StatusError."""


Admit = Callable[[Call], None]
"""Raises StatusError for a call that is not to be answered."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service: the class of its requests, and who answers them."""

    request: Message
    handle: Handler
    admit: Admit | None = None
    """Looks at a call before its message is decoded."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service by its full name (`package.Service`), its methods by their names."""

    name: str
    methods: Mapping[str, Method]


class GrpcApplication(Protocol):
    """What a gRPC transport serves."""

    def services(self) -> Sequence[Service]:
        """Return the services. Called once, by a thread, before listening: it may import much."""
        ...
