"""SageMaker's runtime: InvokeEndpoint, InvokeEndpointAsync, InvokeEndpointWithResponseStream."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote

from ....container import Invocation
from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...resources import Document
from ..protocol.arns import region
from ..protocol.errors import AwsError, request_id, rest_error
from ..protocol.service_model import ServiceModel
from .async_invocations import INLINE_LIMIT, AsyncInvocations
from .event_stream import CONTENT_TYPE, payload_parts
from .invocation_input import read_headers
from .invoker import (
    PAYLOAD_LIMIT,
    Asked,
    Invoked,
    Invoker,
    ModelRefusalError,
    too_large,
    validation_error,
)

_PATH = re.compile(
    r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)"
)
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
# What would change who answers, or how; a member that only names the request may come.
_NOT_OFFLINE = (
    "TargetContainerHostname",
    "InferenceComponentName",
    "SessionId",
    "EnableExplanations",
)
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_INVOKED = "x-Amzn-Invoked-Production-Variant"


def is_runtime(head: Head) -> bool:
    """Say whether a request is for the runtime."""
    return _PATH.fullmatch(head.path) is not None


class Runtime:
    """The runtime's face."""

    def __init__(self, invoker: Invoker, later: AsyncInvocations) -> None:
        self._invoker = invoker
        self._later = later
        self._model = ServiceModel("sagemaker-runtime")
        self._handlers: dict[str, Callable[[Head, Document, bytes], Awaitable[Response]]] = {
            "InvokeEndpoint": self._invoke,
            "InvokeEndpointAsync": self._invoke_later,
            "InvokeEndpointWithResponseStream": self._invoke_streamed,
        }

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies up to the payload limit; stream larger ones to refuse them."""
        return collect_limit(head, _limit(head))

    async def handle(self, request: Request) -> Response:
        """Answer one invocation; every refusal is a typed REST-JSON error."""
        head = request.head
        try:
            return await self._answer(head, await collect(request, _limit(head)))
        except BodyTooLargeError:
            return rest_error(too_large(_limit(head)))
        except ModelRefusalError as error:
            return rest_error(error, error.extra)
        except AwsError as error:
            return rest_error(error)

    def refused(self, error: AwsError) -> Response:
        """Answer a request that was refused before it came here."""
        return rest_error(error)

    def failed(self, _: Head) -> Response:
        """Answer a request that broke down here."""
        return rest_error(AwsError.internal())

    async def _answer(self, head: Head, body: bytes) -> Response:
        match = _PATH.fullmatch(head.path)
        assert match is not None
        operation = _OPERATIONS[match[2]]
        if head.method != "POST":
            raise validation_error(f"{operation} is a POST request.")
        if not self._model.is_read:
            await asyncio.to_thread(self._model.read)
        shape = self._model.input_shape(operation)
        asked = read_headers(shape, head, EndpointName=unquote(match[1]))
        for member in _NOT_OFFLINE:
            if member in asked:
                raise validation_error(f"{member} is not available offline.")
        return await self._handlers[operation](head, asked, body)

    async def _invoke(self, head: Head, asked: Document, body: bytes) -> Response:
        invoked = await self._invoker.invoke(_asked(head, asked, body))
        headers = _headers(invoked)
        answer = invoked.answer
        return Response(HTTPStatus.OK, answer.body, answer.content_type, headers)

    async def _invoke_streamed(self, head: Head, asked: Document, body: bytes) -> Response:
        invoked = await self._invoker.invoke(_asked(head, asked, body))
        headers = _headers(invoked)
        if invoked.answer.content_type:
            headers["X-Amzn-SageMaker-Content-Type"] = invoked.answer.content_type
        return Response(HTTPStatus.OK, payload_parts(invoked.answer.body), CONTENT_TYPE, headers)

    async def _invoke_later(self, head: Head, asked: Document, body: bytes) -> Response:
        accepted = await self._later.accept(region(head), asked, body)
        headers = {
            f"X-Amzn-SageMaker-{name}": accepted[name]
            for name in ("OutputLocation", "FailureLocation")
            if name in accepted
        }
        content = json.dumps({"InferenceId": accepted["InferenceId"]}).encode()
        return Response(HTTPStatus.ACCEPTED, content, "application/json", headers | request_id())


def _headers(invoked: Invoked) -> dict[str, str]:
    attributes = invoked.answer.attributes
    given = {} if attributes is None else {_ATTRIBUTES: attributes}
    return {_INVOKED: invoked.variant} | given | request_id()


def _limit(head: Head) -> int:
    return INLINE_LIMIT if head.path.endswith("/async-invocations") else PAYLOAD_LIMIT


def _asked(head: Head, asked: Document, body: bytes) -> Asked:
    return Asked(
        region(head),
        asked["EndpointName"],
        Invocation(
            body, asked.get("ContentType"), asked.get("Accept"), asked.get("CustomAttributes")
        ),
        asked.get("TargetVariant"),
        asked.get("TargetModel"),
        asked.get("InferenceId"),
    )
