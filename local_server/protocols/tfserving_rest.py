"""TensorFlow Serving's REST API.

Source: tensorflow_serving/model_servers/http_server.cc, http_rest_api_handler.cc; tfserving.md 2.
The query string is part of the path there, and so it is here.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_to_bytes

from ..codecs.layout import COMPACT, PRETTY, Layout
from ..inference import Inference
from ..nouns import ModelSpec
from ..status import Code, StatusError
from ..transport.types import Head, Request, Response
from .errors import ErrorResponse, error_body, http_status
from .example_json import classify_json, regress_json
from .model_json import metadata_json, status_json
from .predict_json import predict_json

_JSON = "application/json"
_API = re.compile(r"/v1/.*", re.IGNORECASE | re.ASCII)
_WHICH = r"(?:(?:/versions/(?P<version>[0-9]+))|(?:/labels/(?P<label>[^/:]+)))?"
_POST = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_WHICH}:(?P<verb>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_GET = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_WHICH}(?:/(?P<verb>metadata))?", re.IGNORECASE | re.ASCII
)
_LARGEST_VERSION = 2**63 - 1
_INT64_DIGITS = len(str(_LARGEST_VERSION))

_MOST_BODY = 2**31 - 1  # as much as a gRPC message; TensorFlow Serving itself sets no bound
_MOST_INFLATED = 100 * 2**20  # net_http's `ZLib::kMaxUncompressedBytes`
_GZIP = 16 + zlib.MAX_WBITS

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}

_Answer = Callable[[Inference, ModelSpec, bytes, Layout, float | None], Awaitable[bytes]]
_ANSWERS: dict[str, _Answer] = {
    "predict": predict_json,
    "classify": classify_json,
    "regress": regress_json,
}

# What libevent's evhttp_send_error writes.
_NOT_FOUND = Response(
    404,
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n"
    b"<H1>Not Found</H1>\n</BODY></HTML>\n",
    "text/html",
)


class TfServingRest:
    """Translates HTTP requests onto the data plane (an Application)."""

    def __init__(
        self,
        inference: Inference,
        *,
        cors: bool = False,
        timeout_seconds: float | None = None,
        pretty: bool = False,
    ) -> None:
        """Take the data plane, and what flags say.

        `rest_api_enable_cors_support`, `rest_api_timeout_in_ms` (None for no limit), and whether
        answers are laid out as TensorFlow Serving lays them out.
        """
        self._inference = inference
        self._headers = _CORS if cors else {}
        self._within = timeout_seconds
        self._layout = PRETTY if pretty else COMPACT

    def body_limit(self, head: Head) -> int | None:  # noqa: ARG002  the same for every request
        """Collect every body."""
        return _MOST_BODY

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request; only inference takes more than a moment."""
        head = request.head
        if not _API.fullmatch(head.target):
            return _NOT_FOUND
        if head.method == "OPTIONS":
            return self._preflight(head)
        try:
            return self._route(request)
        except StatusError as error:
            return self._refuse(error)

    def _route(self, request: Request) -> Response | Awaitable[Response]:
        pattern = {"POST": _POST, "GET": _GET}.get(request.head.method)
        match = pattern.fullmatch(request.head.target) if pattern else None
        if match is None:
            raise _malformed(request.head)
        if _is_beyond_int64(match["version"]):
            return Response(400, headers=self._headers)
        if match["model"] is None:
            raise StatusError(Code.INVALID_ARGUMENT, "Missing model name in request.")
        spec = _read_spec(match)
        if pattern is _GET:
            return self._describe(spec, match["verb"])
        answer = _ANSWERS.get(match["verb"])
        if answer is None:  # the dispatch knows verbs in lower case only
            raise _malformed(request.head)
        return self._infer(answer, spec, request)

    def _describe(self, spec: ModelSpec, verb: str | None) -> Response:
        if verb == "metadata":
            return self._reply(metadata_json(self._inference.metadata(spec)))
        # A label in a status URL is passed over: all versions come back.
        return self._reply(status_json(self._inference.status(spec.name, spec.version)))

    async def _infer(self, answer: _Answer, spec: ModelSpec, request: Request) -> Response:
        body = request.content
        try:
            if "gzip" in request.head.headers.get("content-encoding", ""):
                body = await self._inference.submit(lambda: _inflate(request.content))
            return self._reply(
                await answer(self._inference, spec, body, self._layout, self._within)
            )
        except StatusError as error:
            return self._refuse(error)

    def _preflight(self, head: Head) -> Response:
        """Answer OPTIONS: with an empty body, whatever the outcome."""
        has_origin = head.headers.get("origin", "").startswith(("http://", "https://"))
        return Response(200 if has_origin else 400, headers=self._headers)

    def _reply(self, body: bytes) -> Response:
        return Response(200, body, _JSON, self._headers)

    def _refuse(self, error: StatusError) -> Response:
        status, body = http_status(error.code), error_body(error.message)
        return ErrorResponse(status, body, _JSON, self._headers, code=error.code)


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


def _is_beyond_int64(version: str | None) -> bool:
    digits = (version or "").lstrip("0")
    return len(digits) > _INT64_DIGITS or int(digits or 0) > _LARGEST_VERSION


def _inflate(body: bytes) -> bytes:
    """Return a gzip body's content; one that is broken or too large counts as empty."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        content = inflater.decompress(body, _MOST_INFLATED + 1)
    except zlib.error:
        return b""
    return content if inflater.eof and len(content) <= _MOST_INFLATED else b""
