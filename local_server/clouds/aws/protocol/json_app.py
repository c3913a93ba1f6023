"""HTTP application of a JSON 1.x service: `X-Amz-Target` on `POST /` names the operation."""

from __future__ import annotations

import asyncio
import inspect
import zlib
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...offers import Offers, offers
from ...resources import Document
from .arns import region
from .empty_lists import empty_list, empty_lists
from .errors import JSON_1_1, AwsError, json_error, json_response
from .validation import ServiceModel, check

_LIMIT = 1024 * 1024
Handler = Callable[[str, Document], Document | Awaitable[Document] | None]
"""Handles an operation: takes the region and the validated input, returns the output or None."""

Authorize = Callable[[Head, str, Document], None]
"""Raises AwsError if the caller of an operation lacks a permission; takes the validated input."""


class JsonApp:
    """The app of one service: its operations and botocore's model of them.

    With `lists_nothing`, lists of resources that nobody can create are empty. `reasons` end the
    sentence that refuses an operation, by the operation's name.
    """

    def __init__(  # noqa: PLR0913 - keywords for the differences between services
        self,
        service: str,
        target: str,
        handlers: Mapping[str, Handler],
        content_type: str = JSON_1_1,
        authorize: Authorize | None = None,
        *,
        lists_nothing: bool = False,
        reasons: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._service = service
        self._lists_nothing = lists_nothing
        self._reasons = reasons
        self._empty: frozenset[str] | None = None
        self._model = ServiceModel(service)
        self._authorize = authorize
        self._target = target
        self._handlers = handlers
        self._content_type = content_type

    @property
    def offers(self) -> Offers:
        """Return the operations that the service answers; reads the model."""
        return offers(self._service, self._handlers, self._empty_lists())

    def _empty_lists(self) -> frozenset[str]:
        if self._empty is None:
            handled = self._handlers
            self._empty = empty_lists(self._model, handled) if self._lists_nothing else frozenset()
        return self._empty

    def takes(self, head: Head) -> bool:
        """Return whether a request is for this service."""
        return head.headers.get("x-amz-target", "").startswith(self._target)

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies of up to a megabyte, far above the input of any operation."""
        return collect_limit(head, _LIMIT)

    async def handle(self, request: Request) -> Response:
        """Answer one operation; errors are typed JSON errors."""
        try:
            body = _plain(request.head, await collect(request, _LIMIT))
            return json_response(await self._answer(request.head, body), self._content_type)
        except BodyTooLargeError:
            return self._error(
                AwsError(
                    "RequestEntityTooLargeException",
                    f"The request is larger than {_LIMIT} bytes.",
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                )
            )
        except AwsError as error:
            return self._error(error)

    def refused(self, error: AwsError) -> Response:
        """Render an error raised in front of this application."""
        return self._error(error)

    def failed(self, _: Head) -> Response:
        """Render an internal error."""
        return self._error(AwsError.internal())

    def _error(self, error: AwsError) -> Response:
        return json_error(error, self._content_type)

    async def _answer(self, head: Head, body: bytes) -> Document | None:
        operation = head.headers.get("x-amz-target", "").removeprefix(self._target)
        if not self._model.is_read:
            await asyncio.to_thread(self._model.read)
        if operation not in self._model:
            raise AwsError(
                "UnknownOperationException",
                f"The operation {operation} is not recognized by the service.",
            )
        handler = self._handlers.get(operation) or self._list_nothing(operation)
        shape = self._model.input_shape(operation)
        # An operation without an input shape accepts and ignores any object.
        values = check(shape, body) if shape is not None else {}
        if self._authorize is not None:
            self._authorize(head, operation, values)
        answer = handler(region(head), values)
        return await answer if inspect.isawaitable(answer) else answer

    def _list_nothing(self, operation: str) -> Handler:
        """Return the handler of an empty list; raises AwsError if there is no such list."""
        if operation in self._empty_lists():
            output = self._model.output_shape(operation)
            return lambda _region, body: empty_list(output, body)
        reason = self._reasons.get(operation, "")
        raise AwsError(
            "UnsupportedOperationException",
            f"{operation} is not available offline{reason and f': {reason}'}.",
        )


def _plain(head: Head, body: bytes) -> bytes:
    """Return a body without its compression: boto3 compresses large inputs of some operations."""
    if head.headers.get("content-encoding", "") != "gzip":
        return body
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unpacking.decompress(body, _LIMIT + 1)
    except zlib.error as error:
        raise AwsError("SerializationException", "The body is not gzip.") from error
    if len(plain) > _LIMIT:
        raise BodyTooLargeError
    return plain
