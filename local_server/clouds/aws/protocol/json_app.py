"""A service of the JSON protocols: the operation is named by `X-Amz-Target` on `POST /`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...resources import Document
from .arns import region
from .errors import JSON_1_1, AwsError, json_error, json_response
from .service_model import ServiceModel
from .validation import check

_LIMIT = 1024 * 1024
Handler = Callable[[str, Document], Document | Awaitable[Document] | None]
"""Answers an operation: region and checked input to its output, None for one without."""


class JsonFace:
    """The face of one service: its operations, and botocore's model of them."""

    def __init__(
        self,
        service: str,
        target: str,
        handlers: Mapping[str, Handler],
        content_type: str = JSON_1_1,
    ) -> None:
        self._model = ServiceModel(service)
        self._target = target
        self._handlers = handlers
        self._content_type = content_type

    def takes(self, head: Head) -> bool:
        """Say whether a request is for this service."""
        return head.headers.get("x-amz-target", "").startswith(self._target)

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies of up to a megabyte, far above what any operation takes."""
        return collect_limit(head, _LIMIT)

    async def handle(self, request: Request) -> Response:
        """Answer one operation; every refusal is a typed JSON error."""
        try:
            body = await collect(request, _LIMIT)
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
        """Answer a request that was refused before it came here."""
        return self._error(error)

    def failed(self, _: Head) -> Response:
        """Answer a request that broke down here."""
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
        handler = self._handlers.get(operation)
        if handler is None:
            raise AwsError(
                "UnsupportedOperationException", f"{operation} is not available offline."
            )
        shape = self._model.input_shape(operation)
        # An operation without input takes, and passes over, any object.
        answer = handler(region(head), check(shape, body) if shape is not None else {})
        return await answer if inspect.isawaitable(answer) else answer
