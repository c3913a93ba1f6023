"""HTTP application of a Google API: bodies up to a limit in, JSON and google.rpc.Status out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from ....status import Code, StatusError
from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...resources import Document
from .discovery import Api, Call
from .errors import ApiError, error_response
from .messages import parse

_T = TypeVar("_T")


class GoogleApp(ABC):
    """The part that the applications of all APIs have in common."""

    largest_body: ClassVar[int] = 64 * 1024
    """Bytes of a request's body."""

    def limit(self, head: Head) -> int:  # noqa: ARG002 - for applications with several limits
        """Return the largest body of a request in bytes."""
        return self.largest_body

    def too_large(self, head: Head) -> StatusError:  # noqa: ARG002 - as above
        """Return the error for a body above the limit."""
        return ApiError(Code.INVALID_ARGUMENT, "Request payload is too large.")

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


def read_body(api: Api, call: Call, body: bytes) -> Document:
    """Return the message in the body of a call, {} if its method has none; raises ApiError."""
    schema = call.method.request
    return parse(api.schemas, schema, body, "") if schema else {}
