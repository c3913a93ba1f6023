"""The REST request that a gRPC message stands for, and the message of its response.

Source: google/api/http.proto, whose bindings google-api-core applies for REST clients as well;
proto3's JSON; google/api/httpbody.proto for bodies that are not JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from ....status import Code, StatusError
from ....transport.grpc_http2.wire import escape
from ....transport.grpc_types import Call, CallError, Message
from ....transport.types import Head, Request, Response
from ...google.common.errors import ApiError
from .methods import RpcMethod

_JSON: Final = "application/json"
_HTTP_BODY: Final = "google.api.HttpBody"
_INVALID_NAME: Final = "Invalid resource field value in the request."
# Clients refuse trailers of more than 8 KiB, if not always (grpc's soft limit of metadata).
_LONGEST_TEXT: Final = 3072
"""Bytes of an error's text, in the percent-encoding of trailers."""
_LONGEST_DETAILS: Final = 3072
_MARK: Final = "...TRUNCATED"
_CODES: Mapping[int, Code] = MappingProxyType(
    {
        400: Code.INVALID_ARGUMENT,
        401: Code.UNAUTHENTICATED,
        403: Code.PERMISSION_DENIED,
        404: Code.NOT_FOUND,
        409: Code.ABORTED,
        429: Code.RESOURCE_EXHAUSTED,
        499: Code.CANCELLED,
        501: Code.UNIMPLEMENTED,
        503: Code.UNAVAILABLE,
        504: Code.DEADLINE_EXCEEDED,
    }
)
"""Codes of errors that name none (google/rpc/code.proto); others are INTERNAL."""


def request_of(method: RpcMethod, call: Call, message: Message) -> Request:
    """Return the REST request of a call; raises StatusError if its message has none.

    The request's size is that of the message, which is what the service limits.
    """
    from google.protobuf import json_format

    if not method.http:
        raise unavailable(method)
    try:
        parts = _transcode(method, message)
        content, kind = _content(parts.get("body"))
        query = _query(parts["query_params"])
    except json_format.SerializeToJsonError as error:
        # A number that JSON does not have.
        raise StatusError(Code.INVALID_ARGUMENT, str(error)) from error
    except ValueError as error:
        # The text of a bad name (trailofbits/algo#14854); the service's reason depends on its part.
        raise ApiError(Code.INVALID_ARGUMENT, _INVALID_NAME) from error
    size = message.ByteSize()
    headers = {key: value for key, value in call.metadata if isinstance(value, str)}
    headers |= {"host": call.authority, "content-type": kind, "content-length": str(size)}
    head = Head(parts["method"].upper(), parts["uri"], query, headers)
    return Request(head, content, size=size)


def _transcode(method: RpcMethod, message: Message) -> Mapping[str, Any]:
    """Return the parts of the first binding that the message fits; raises ValueError."""
    from google.api_core import path_template

    transcode: Callable[..., Mapping[str, Any]] = path_template.transcode
    return transcode(method.http, message=message)


def _content(body: Message | None) -> tuple[bytes, str]:
    """Return a request's body and its media type."""
    from google.protobuf import json_format

    if body is None:
        return b"", _JSON
    for field, value in body.ListFields():
        if field.message_type is not None and field.message_type.full_name == _HTTP_BODY:
            return value.data, value.content_type or _JSON
    return json_format.MessageToJson(body, indent=None).encode(), _JSON


def _query(message: Message) -> str:
    from google.api_core import rest_helpers
    from google.protobuf import json_format

    flatten: Callable[..., list[tuple[str, str]]] = rest_helpers.flatten_query_params
    return urlencode(flatten(json_format.MessageToDict(message), strict=True))


def unavailable(method: RpcMethod) -> StatusError:
    """Return the error of a method that Vertex AI has over gRPC alone."""
    name = method.path.rpartition(".")[2].replace("/", ".")
    return ApiError(Code.UNIMPLEMENTED, f"{name} is not available offline.")


def message_of(method: RpcMethod, response: Response) -> Message:
    """Return the message of a response; raises StatusError for that of an error."""
    from google.protobuf import json_format

    body = response.body
    assert isinstance(body, bytes), "Vertex AI answers from memory"
    if response.status != HTTPStatus.OK:
        raise error_of(response.status, body)
    if method.response.DESCRIPTOR.full_name == _HTTP_BODY:
        return method.response(content_type=response.content_type or "", data=body)
    return json_format.Parse(body, method.response(), ignore_unknown_fields=True)


def error_of(status: int, body: bytes) -> StatusError:
    """Return the status of an error response, with its details as google.rpc.Status."""
    error = _error(body)
    name, message = str(error.get("status", "")), str(error.get("message", ""))
    code = Code[name] if name in Code.__members__ else _CODES.get(status, Code.INTERNAL)
    text = _cut(message or body.decode("utf-8", "replace"))
    details = error.get("details")
    encoded = _status(code, text, details) if details else b""
    if not encoded or len(encoded) > _LONGEST_DETAILS:
        return StatusError(code, text)
    return CallError(code, text, encoded)


def _cut(text: str) -> str:
    """Return a text that clients accept, with a mark if it was cut."""
    size = len(escape(text))
    if size <= _LONGEST_TEXT:
        return text
    kept = text
    while size > _LONGEST_TEXT:
        kept = kept[: len(kept) * _LONGEST_TEXT // size]
        size = len(escape(kept))
    return kept + _MARK


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _status(code: Code, message: str, details: list[Any]) -> bytes:
    # The messages of the details, which are found by their names.
    from google.protobuf import json_format
    from google.rpc import error_details_pb2, status_pb2  # noqa: F401

    document = {"code": int(code), "message": message, "details": details}
    status: bytes = json_format.ParseDict(document, status_pb2.Status()).SerializeToString()
    return status
