"""HTTP application of a Google API: bodies up to a limit in, JSON and google.rpc.Status out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from ....status import Code, StatusError
from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from .discovery import Call
from .errors import ApiError, error_response

_T = TypeVar("_T")


class GoogleApp(ABC):
    """The part that the applications of all APIs have in common."""

    @abstractmethod
    def limit(self, head: Head) -> int:
        """Return the largest body of a request in bytes."""

    @abstractmethod
    def too_large(self, head: Head) -> StatusError:
        """Return the error for a body above the limit."""

    @abstractmethod
    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request; raises StatusError."""

    def body_limit(self, head: Head) -> int | None:
        """Buffer bodies up to the limit; stream larger ones to refuse them."""
        return collect_limit(head, self.limit(head))

    async def handle(self, request: Request) -> Response:
        """Answer one request; errors are google.rpc.Status JSON."""
        head = request.head
        try:
            return await self.answer(head, await collect(request, self.limit(head)))
        except BodyTooLargeError:
            return error_response(self.too_large(head))
        except StatusError as error:
            return error_response(error)

    def failed(self, _: Head) -> Response:
        """Return the response to a request that failed for a reason of this server."""
        return error_response(ApiError(Code.INTERNAL, "Internal error encountered."))


def handler_of(handlers: Mapping[str, _T], call: Call) -> _T:
    """Return the handler of a call's method; raises ApiError UNIMPLEMENTED if there is none."""
    handler = handlers.get(call.method.id)
    if handler is None:
        name = call.method.id.partition(".")[2]
        raise ApiError(Code.UNIMPLEMENTED, f"{name} is not available offline.")
    return handler
