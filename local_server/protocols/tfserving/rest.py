"""TensorFlow Serving's REST API.

Source: tensorflow_serving/model_servers/http_server.cc, http_rest_api_handler.cc.
The query string is part of the path there, and so it is here.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from ...codecs.json.layout import COMPACT, PRETTY, Layout
from ...codecs.limits import JsonLimits
from ...deferred import Deferred, Outcome
from ...inference import Inference
from ...inference.requests import Job
from ...inference.types import ModelSpec
from ...status import Code, StatusError
from ...transport.types import Head, Request, Response, Together
from ..errors import ErrorResponse, error_body, http_status
from .example_json import classify_job, regress_job
from .model_json import metadata_json, status_json
from .predict_json import predict_job, small_predictions

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

_MOST_BODY = 2**31 - 1  # a gRPC message's limit; TensorFlow Serving has none
_INFLATED_AT_ONCE = 2**20
_GZIP = 16 + zlib.MAX_WBITS

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}

_JOBS: dict[str, Callable[[ModelSpec, bytes, Layout, JsonLimits], Job[bytes]]] = {
    "predict": predict_job,
    "classify": classify_job,
    "regress": regress_job,
}

# The body of libevent's evhttp_send_error.
_NOT_FOUND = Response(
    404,
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n"
    b"<H1>Not Found</H1>\n</BODY></HTML>\n",
    "text/html",
)


class TfServingRest:
    """Translates HTTP requests to the data plane (an Application)."""

    def __init__(
        self,
        inference: Inference,
        *,
        cors: bool = False,
        timeout_seconds: float | None = None,
        pretty: bool = False,
    ) -> None:
        """Take the data plane and the values of flags.

        `rest_api_enable_cors_support`, `rest_api_timeout_in_ms` (None for no limit), and whether
        to format JSON as TensorFlow Serving does.
        """
        self._inference = inference
        self._headers = _CORS if cors else {}
        self._timeout_seconds = timeout_seconds
        self._layout = PRETTY if pretty else COMPACT
        self._together = lru_cache(256)(self._find_together)

    def body_limit(self, head: Head) -> int | None:  # noqa: ARG002  the same for every request
        """Collect every body."""
        return _MOST_BODY

    def together(self, head: Head) -> Together | None:
        """Return the function for predictions of one model; None for other requests."""
        if head.method != "POST" or "content-encoding" in head.headers:
            return None
        return self._together(head.target)

    def _find_together(self, target: str) -> Together | None:
        try:
            parsed = _read_target("POST", target)
        except StatusError:
            return None
        if parsed is None or parsed[1] != "predict":
            return None
        spec, inference = parsed[0], self._inference
        form = small_predictions(self._layout, inference.json_limits)

        def answer(requests: Sequence[Request]) -> list[Response | None]:
            bodies = [request.content for request in requests]
            answers = inference.serve_together(spec, bodies, form)
            return [None if body is None else self._reply(body) for body in answers]

        return answer

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request; only inference takes long enough to be awaited."""
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
        head = request.head
        parsed = _read_target(head.method, head.target)
        if parsed is None:
            return Response(400, headers=self._headers)
        spec, verb = parsed
        if head.method == "GET":
            return self._describe(spec, verb)
        if "gzip" in head.headers.get("content-encoding", ""):
            return self._infer_inflated(spec, verb, request.content)
        served = self._serve(spec, verb, request.content)
        return self._respond(served.outcome) if served.is_done else served.map(self._respond)

    def _serve(self, spec: ModelSpec, verb: str, body: bytes) -> Deferred[bytes]:
        job = _JOBS[verb](spec, body, self._layout, self._inference.json_limits)
        return self._inference.serve(job, self._timeout_seconds)

    def _respond(self, outcome: Outcome[bytes]) -> Response:
        """Return the response to a request with this outcome; raises what is not a StatusError."""
        if isinstance(outcome, StatusError):
            return self._refuse(outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        return self._reply(outcome)

    def _describe(self, spec: ModelSpec, verb: str) -> Response:
        if verb == "metadata":
            return self._reply(metadata_json(self._inference.metadata(spec)))
        # A label in a status URL is ignored: all versions are returned.
        return self._reply(status_json(self._inference.status(spec.name, spec.version)))

    async def _infer_inflated(self, spec: ModelSpec, verb: str, packed: bytes) -> Response:
        limit = self._inference.json_limits.inflated_bytes
        body = await self._inference.submit(lambda: _inflate(packed, limit))
        try:
            return self._reply(await self._serve(spec, verb, body))
        except StatusError as error:
            return self._refuse(error)

    def _preflight(self, head: Head) -> Response:
        """Answer OPTIONS with an empty body in every case."""
        has_origin = head.headers.get("origin", "").startswith(("http://", "https://"))
        return Response(200 if has_origin else 400, headers=self._headers)

    def _reply(self, body: bytes) -> Response:
        return Response(200, body, _JSON, self._headers)

    def _refuse(self, error: StatusError) -> Response:
        status, body = http_status(error.code), error_body(error.message)
        return ErrorResponse(status, body, _JSON, self._headers, code=error.code)


@lru_cache(256)  # clients repeat the same few URLs
def _read_target(method: str, target: str) -> tuple[ModelSpec, str] | None:
    """Parse the model and the verb (or "") of a URL.

    None for a version beyond int64, which is answered without a text. Raises StatusError.
    """
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    match = pattern.fullmatch(target) if pattern else None
    if match is None:
        raise _malformed(method, target)
    if _is_beyond_int64(match["version"]):
        return None
    if match["model"] is None:
        raise StatusError(Code.INVALID_ARGUMENT, "Missing model name in request.")
    verb = match["verb"] or ""
    if pattern is _POST and verb not in _JOBS:  # upstream dispatches on lower case only
        raise _malformed(method, target)
    return _read_spec(match), verb


def _read_spec(match: re.Match[str]) -> ModelSpec:
    """Return the model that a URL names; names are percent-decoded after they are split."""
    label = match["label"]
    return ModelSpec(
        name=_decode(match["model"]),
        version=int(match["version"]) if match["version"] else None,
        label=_decode(label) if label else None,
    )


def _decode(quoted: str) -> str:
    return unquote_to_bytes(quoted).decode("utf-8", "surrogateescape")


def _malformed(method: str, target: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, f"Malformed request: {method} {target}")


def _is_beyond_int64(version: str | None) -> bool:
    digits = (version or "").lstrip("0")
    return len(digits) > _INT64_DIGITS or int(digits or 0) > _LARGEST_VERSION


def _inflate(body: bytes, limit: int) -> bytes:
    """Return a gzip body's content; b"" if it is broken or larger than the limit."""
    inflater = zlib.decompressobj(_GZIP)
    pieces: list[bytes] = []
    left = limit + 1
    try:
        while left > 0 and not inflater.eof and (body or pieces[-1:] != [b""]):
            pieces.append(inflater.decompress(body, min(left, _INFLATED_AT_ONCE)))
            body = inflater.unconsumed_tail
            left -= len(pieces[-1])
    except zlib.error:
        return b""
    return b"".join(pieces) if inflater.eof and left > 0 else b""
