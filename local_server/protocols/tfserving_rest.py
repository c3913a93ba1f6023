"""TensorFlow Serving's REST API.

Source: tensorflow_serving/model_servers/http_server.cc, http_rest_api_handler.cc; tfserving.md 2.
The query string is part of the path there, and so it is here.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable
from urllib.parse import unquote_to_bytes

from ..inference import Inference, ModelSpec
from ..status import Code, StatusError
from ..transport.types import Head, Request, Response
from .errors import error_body, http_status
from .model_json import metadata_json, status_json
from .predict_json import predict_json

_JSON = "application/json"
_API = re.compile(r"/v1/.*", re.IGNORECASE)
_WHICH = r"(?:(?:/versions/(?P<version>[0-9]+))|(?:/labels/(?P<label>[^/:]+)))?"
_POST = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_WHICH}:(?P<verb>classify|regress|predict)", re.IGNORECASE
)
_GET = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_WHICH}(?:/(?P<verb>metadata))?", re.IGNORECASE
)
_LARGEST_VERSION = 2**63 - 1

_MOST_BODY = 2**31 - 1  # as much as a gRPC message; TensorFlow Serving itself sets no bound
_MOST_INFLATED = 100 * 2**20  # net_http's `ZLib::kMaxUncompressedBytes`
_GZIP = 16 + zlib.MAX_WBITS

# What libevent's evhttp_send_error writes.
_NOT_FOUND = Response(
    404,
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n"
    b"<H1>Not Found</H1>\n</BODY></HTML>\n",
    "text/html",
)


class TfServingRest:
    """Translates HTTP requests onto the data plane (an Application)."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def body_limit(self, head: Head) -> int | None:  # noqa: ARG002  the same for every request
        """Collect every body."""
        return _MOST_BODY

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request; only predictions take more than a moment."""
        head = request.head
        if not _API.fullmatch(head.target):
            return _NOT_FOUND
        if head.method == "OPTIONS":
            return _preflight(head)
        try:
            return self._route(request)
        except StatusError as error:
            return error_response(error)

    def _route(self, request: Request) -> Response | Awaitable[Response]:
        pattern = {"POST": _POST, "GET": _GET}.get(request.head.method)
        match = pattern.fullmatch(request.head.target) if pattern else None
        if match is None:
            raise _malformed(request.head)
        if match["version"] and int(match["version"]) > _LARGEST_VERSION:
            return Response(400)
        if match["model"] is None:
            raise StatusError(Code.INVALID_ARGUMENT, "Missing model name in request.")
        spec = _read_spec(match)
        if pattern is _GET:
            return self._describe(spec, match["verb"])
        if match["verb"] == "predict":
            return self._predict(spec, request)
        raise _unserved(request.head, match["verb"])

    def _describe(self, spec: ModelSpec, verb: str | None) -> Response:
        if verb == "metadata":
            return Response(200, metadata_json(self._inference.metadata(spec)), _JSON)
        # A label in a status URL is passed over: all versions come back.
        return Response(200, status_json(self._inference.status(spec.name, spec.version)), _JSON)

    async def _predict(self, spec: ModelSpec, request: Request) -> Response:
        body = request.content
        if "gzip" in request.head.headers.get("content-encoding", ""):
            body = await self._inference.submit(lambda: _inflate(request.content))
        try:
            return Response(200, await predict_json(self._inference, spec, body), _JSON)
        except StatusError as error:
            return error_response(error)


def error_response(error: StatusError) -> Response:
    """Return a failed request's answer."""
    return Response(http_status(error.code), error_body(error.message), _JSON)


def _read_spec(match: re.Match[str]) -> ModelSpec:
    """Read the model that a URL names; names are percent-decoded once they are apart."""
    label = match["label"]
    return ModelSpec(
        name=_decode(match["model"]),
        version=int(match["version"]) if match["version"] else None,
        label=_decode(label) if label else None,
    )


def _decode(quoted: str) -> str:
    return unquote_to_bytes(quoted).decode("utf-8", "surrogateescape")


def _malformed(head: Head) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, f"Malformed request: {head.method} {head.target}")


def _unserved(head: Head, verb: str) -> StatusError:
    """Return the error of another verb; the dispatch knows verbs in lower case only."""
    if verb != verb.lower():
        return _malformed(head)
    return StatusError(
        Code.UNIMPLEMENTED,
        f":{verb} is not served; use :predict, with each tf.Example as a base64 string",
    )


def _preflight(head: Head) -> Response:
    """Answer OPTIONS: with an empty body, whatever the outcome."""
    return Response(
        200 if head.headers.get("origin", "").startswith(("http://", "https://")) else 400
    )


def _inflate(body: bytes) -> bytes:
    """Return a gzip body's content; one that is broken or too large counts as empty."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        content = inflater.decompress(body, _MOST_INFLATED)
    except zlib.error:
        return b""
    return content if inflater.eof else b""
