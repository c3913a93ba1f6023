"""SageMaker runtime: InvokeEndpoint, InvokeEndpointAsync, InvokeEndpointWithResponseStream."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from ....container import Invocation
from ....transport.types import BodyTooLargeError, Head, Request, Response
from ...bodies import collect, collect_limit
from ...offers import Offers, offers
from ...resources import Document
from ..protocol.arns import region
from ..protocol.errors import AwsError, request_id, rest_error
from ..protocol.json_app import Authorize
from ..protocol.validation import ServiceModel, Shape, check_members
from .async_invocations import INLINE_LIMIT, AsyncInvocations
from .event_stream import CONTENT_TYPE, payload_parts
from .invoker import PAYLOAD_LIMIT, Invoker
from .requests import CodedError, InvokeRequest, InvokeResult, too_large, validation_error

_PATH = re.compile(
    r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)"
)
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
# Members that would change which container answers, or how; those that only name a request are ok.
_NOT_OFFLINE = ("SessionId", "EnableExplanations")
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_INVOKED = "x-Amzn-Invoked-Production-Variant"


def is_runtime(head: Head) -> bool:
    """Return whether a request is for the runtime."""
    return _PATH.fullmatch(head.path) is not None


class RuntimeApp:
    """The HTTP application of the SageMaker runtime."""

    def __init__(
        self,
        invoker: Invoker,
        async_invocations: AsyncInvocations,
        authorize: Authorize | None = None,
    ) -> None:
        self._invoker = invoker
        self._authorize = authorize
        self._async_invocations = async_invocations
        self._model = ServiceModel("sagemaker-runtime")
        self._handlers: dict[str, Callable[[Head, Document, bytes], Awaitable[Response]]] = {
            "InvokeEndpoint": self._invoke,
            "InvokeEndpointAsync": self._invoke_async,
            "InvokeEndpointWithResponseStream": self._invoke_streamed,
        }

    @property
    def offers(self) -> Offers:
        """Return the operations that the service answers."""
        return offers("sagemaker-runtime", self._handlers)

    def body_limit(self, head: Head) -> int | None:
        """Collect bodies up to the payload limit; stream larger ones to refuse them."""
        return collect_limit(head, _limit(head))

    async def handle(self, request: Request) -> Response:
        """Answer one invocation; errors are typed REST-JSON errors."""
        head = request.head
        try:
            return await self._answer(head, await collect(request, _limit(head)))
        except BodyTooLargeError:
            return rest_error(too_large(_limit(head)))
        except CodedError as error:
            return rest_error(error, error.extra)
        except AwsError as error:
            return rest_error(error)

    def refused(self, error: AwsError) -> Response:
        """Render an error raised in front of this application."""
        return rest_error(error)

    def failed(self, _: Head) -> Response:
        """Render an internal error."""
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
        fields = read_headers(shape, head, EndpointName=unquote(match[1]))
        for member in _NOT_OFFLINE:
            if member in fields:
                raise validation_error(f"{member} is not available offline.")
        if self._authorize is not None:
            self._authorize(head, operation, fields)
        return await self._handlers[operation](head, fields, body)

    async def _invoke(self, head: Head, fields: Document, body: bytes) -> Response:
        result = await self._invoker.invoke(_invoke_request(head, fields, body))
        headers = _headers(result)
        answer = result.answer
        return Response(HTTPStatus.OK, answer.body, answer.content_type, headers)

    async def _invoke_streamed(self, head: Head, fields: Document, body: bytes) -> Response:
        result = await self._invoker.invoke(_invoke_request(head, fields, body))
        headers = _headers(result)
        if result.answer.content_type:
            headers["X-Amzn-SageMaker-Content-Type"] = result.answer.content_type
        return Response(HTTPStatus.OK, payload_parts(result.answer.body), CONTENT_TYPE, headers)

    async def _invoke_async(self, head: Head, fields: Document, body: bytes) -> Response:
        accepted = await self._async_invocations.accept(region(head), fields, body)
        headers = {
            f"X-Amzn-SageMaker-{name}": accepted[name]
            for name in ("OutputLocation", "FailureLocation")
            if name in accepted
        }
        content = json.dumps({"InferenceId": accepted["InferenceId"]}).encode()
        return Response(HTTPStatus.ACCEPTED, content, "application/json", headers | request_id())


def _headers(result: InvokeResult) -> dict[str, str]:
    attributes = result.answer.attributes
    custom = {} if attributes is None else {_ATTRIBUTES: attributes}
    return {_INVOKED: result.variant} | custom | request_id()


def _limit(head: Head) -> int:
    return INLINE_LIMIT if head.path.endswith("/async-invocations") else PAYLOAD_LIMIT


def _invoke_request(head: Head, fields: Document, body: bytes) -> InvokeRequest:
    return InvokeRequest(
        region(head),
        fields["EndpointName"],
        Invocation(
            body, fields.get("ContentType"), fields.get("Accept"), fields.get("CustomAttributes")
        ),
        fields.get("TargetVariant"),
        fields.get("TargetModel"),
        fields.get("InferenceId"),
        container=fields.get("TargetContainerHostname"),
        component=fields.get("InferenceComponentName"),
        is_streamed=head.path.endswith("/invocations-response-stream"),
    )


def read_headers(shape: Shape, head: Head, **path: str) -> Document:
    """Return an input's members without its body; `path` holds those of the request path.

    Raises AwsError (ValidationError) if a member violates a constraint.
    """
    values: Document = dict(path)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header":
            text = head.headers.get(member.serialization["name"].lower())
            if text is not None:
                values[name] = _value(name, member.type_name, text)
    try:
        check_members(_Headers(shape), values)
    except AwsError as error:
        raise AwsError("ValidationError", error.message) from error
    return values


class _Headers:
    """The members of a shape that travel in the path and in headers."""

    type_name = "structure"

    def __init__(self, shape: Shape) -> None:
        self.members = {
            name: member for name, member in shape.members.items() if member.serialization
        }
        self.required_members = [n for n in shape.required_members if n in self.members]


def _value(name: str, kind: str, text: str) -> Any:
    if kind != "integer":
        return text
    try:
        return int(text)
    except ValueError:
        message = f"{name} is not a whole number: {text!r}"
        raise AwsError("ValidationError", message) from None
