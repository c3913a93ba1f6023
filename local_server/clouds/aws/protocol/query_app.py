"""HTTP application of a service in the query protocol: `Action` in a form names the operation."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...offers import Offers, offers
from ...resources import Document
from .arns import scope
from .errors import AwsError, xml_error
from .query import read_form, write_xml
from .validation import ServiceModel

_LIMIT = 256 * 1024
Handler = Callable[[Head, Document], Document | None]
"""Handles an operation: takes the request's head and the validated input, returns the output."""


class QueryApp:
    """The app of one service: its operations and botocore's model of them."""

    _namespace = ""

    def __init__(
        self,
        service: str,
        namespace: str,
        handlers: Mapping[str, Handler],
        *,
        takes_unsigned: bool = False,
        limit: int = _LIMIT,
    ) -> None:
        self._limit = limit
        self._takes_unsigned = takes_unsigned
        self._model = ServiceModel(service)
        self._service = service
        self._namespace = namespace
        self._handlers = handlers

    @property
    def offers(self) -> Offers:
        """Return the operations that the service answers."""
        return offers(self._service, self._handlers)

    def takes(self, head: Head) -> bool:
        """Return whether a request is signed for this service, or is an unsigned form for it."""
        signed = scope(head)
        if signed is not None:
            return signed.service == self._service
        return self._takes_unsigned and _is_form(head)

    def body_limit(self, head: Head) -> int | None:
        """Collect the small forms of these services."""
        return collect_limit(head, self._limit)

    async def handle(self, request: Request) -> Response:
        """Answer one operation; errors are typed XML errors."""
        try:
            text = _text(await collect(request, self._limit))
            form = dict(parse_qsl(text, keep_blank_values=True))
            if not self._model.is_read:
                await asyncio.to_thread(self._model.read)
            return self._answer(request.head, form)
        except BodyTooLargeError:
            return self._error(AwsError("ValidationError", "The request is too large."))
        except AwsError as error:
            return self._error(error)

    def _answer(self, head: Head, form: Mapping[str, str]) -> Response:
        action = form.get("Action", "")
        if action not in self._model:
            text = f"Could not find operation {action} for version {form.get('Version', '')}"
            raise AwsError("InvalidAction", text)
        handler = self._handlers.get(action)
        if handler is None:
            raise AwsError("InvalidAction", f"The action {action} is not available offline.")
        shape = self._model.input_shape(action)
        output = handler(head, read_form(shape, form) if shape is not None else {})
        return self._rendered(action, output or {})

    def _rendered(self, action: str, output: Document) -> Response:
        shape = self._model.output_shape(action)
        result = f"<{action}Result>{write_xml(shape, output)}</{action}Result>" if shape else ""
        body = (
            f'<{action}Response xmlns="{self._namespace}">{result}<ResponseMetadata>'
            f"<RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
        )
        return Response(HTTPStatus.OK, body.encode(), "text/xml")

    def failed(self, _: Head) -> Response:
        """Render an internal error."""
        return self._error(AwsError.internal())

    def _error(self, error: AwsError) -> Response:
        return xml_error(error, self._namespace)


def _is_form(head: Head) -> bool:
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (head.method, head.path, kind) == ("POST", "/", "application/x-www-form-urlencoded")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
