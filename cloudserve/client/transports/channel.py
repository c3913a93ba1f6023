"""The contract of all transports, and the values that pass through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cloudserve.savedmodel.signature import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[Any]"]
"""Arrays by the name of an input or an output."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a version accepts."""

    signatures: Mapping[str, Signature]
    version: str = ""
    """The version that has these signatures; "" if the server does not name it."""
    is_certain: bool = True
    """Whether the asked model is known to have these signatures, so that they may refuse."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: arrays for a known signature, or the `rows` as they were given."""

    signature: str
    """"" is the default one."""
    version: str = ""
    """A version's number or label, a revision; "" lets the server or the target choose."""
    inputs: Arrays = field(default_factory=dict)
    spec: Signature | None = None
    rows: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    outputs: Arrays
    version: str = ""


class Wire(Protocol):
    """The form of requests on a transport."""

    @property
    def where(self) -> str:
        """Return the address, for errors and answers."""
        ...

    @property
    def limit(self) -> int:
        """Return the largest request in bytes; 0 without a limit."""
        ...

    @property
    def pins(self) -> bool:
        """Return whether requests name the version of the contract: answers do not."""
        ...

    def encode(self, call: Call) -> Any:
        """Return a request, whose `len()` counts against `limit`; raises UserError."""
        ...


class Channel(Protocol):
    """A transport for threads. Errors are RemoteError."""

    @property
    def wire(self) -> Wire:
        """Return the form of its requests."""
        ...

    def describe(self, version: str, seconds: float) -> Contract | None:
        """Read the signatures of a version; None if the server does not tell them."""
        ...

    def confirm(self, version: str) -> bool:
        """Return whether what answers has the signatures of `describe`, if they are uncertain."""
        ...

    def send(self, call: Call, request: Any, seconds: float) -> Reply:
        """Send a request of `encode`.

        Raises UnreachableError if it was not sent, LostAnswerError if only its answer is missing.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class AsyncChannel(Protocol):
    """A transport for an event loop; as Channel."""

    @property
    def wire(self) -> Wire:
        """Return the form of its requests."""
        ...

    async def describe(self, version: str, seconds: float) -> Contract | None:
        """Read the signatures of a version."""
        ...

    async def confirm(self, version: str) -> bool:
        """Return whether what answers has the signatures of `describe`."""
        ...

    async def send(self, call: Call, request: Any, seconds: float) -> Reply:
        """Send a request of `encode`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
