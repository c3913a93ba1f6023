"""The nginx script, which answers in a container without the user's Python code.

Source: tensorflowServing.js (`invocations`, `ping`, `tfs_json_request`, `return_error`).
"""

from __future__ import annotations

import json

from ...transport.types import Response
from ..release import Release
from ..types import JSON, Answer, Invocation, RefusedError
from ..upstream import Upstream
from .attributes import script_target
from .conversion import to_tfserving
from .js import WHITE

_JSON_TYPES = {"application/json", "application/jsonlines"}


class NginxScript:
    """Answers `/ping` and `/invocations` directly from TensorFlow Serving."""

    def __init__(self, release: Release, upstream: Upstream, default: str) -> None:
        self._release = release
        self._upstream = upstream
        self._default = default

    async def ping(self, invocation: Invocation) -> Answer:
        """Return 200 if the model has an available version, else 502."""
        try:
            target = script_target(self._release, invocation.attributes, self._default)
        except RefusedError as error:
            return self._error_answer(error)
        reply = await self._upstream.call("GET", target.status_path)
        is_ready = reply.status == 200 and b'"AVAILABLE"' in _body(reply)  # noqa: PLR2004 HTTP's OK
        return Answer(200 if is_ready else 502)

    async def invoke(self, invocation: Invocation) -> Answer:
        """Convert a request, call TensorFlow Serving, and edit the answer by the Accept header."""
        release, submit = self._release, self._upstream.inference.submit
        kind, body = invocation.content_type, invocation.body
        try:
            # In the executor: converting megabytes takes long.
            request = await submit(lambda: to_tfserving(release, kind, body))
            target = script_target(release, invocation.attributes, self._default)
        except RefusedError as error:
            return self._error_answer(error)
        reply = await self._upstream.call("POST", target.path, request)
        return self._edited(reply, invocation.accept)

    def _edited(self, reply: Response, accept: str | None) -> Answer:
        body, content_type = _body(reply), JSON
        if reply.status == 400:  # noqa: PLR2004 the only status that the script handles
            body = body.replace(rb"\'instances\'", b"'instances'", 1)
        accepted = self._accepted(accept or "")
        if _JSON_TYPES.intersection(accepted):
            body = body.replace(b"\n", b"")
            content_type = accepted[0] if self._release is Release.V2_19 else JSON
        return Answer(reply.status, body, content_type)

    def _accepted(self, accept: str) -> list[str]:
        """Return the types of an Accept header, as the script parses it."""
        if self._release is Release.V2_19:
            return accept.strip(WHITE).replace(" ", "", 1).split(",")
        return [item.strip(WHITE) for item in accept.split(",")]

    def _error_answer(self, error: RefusedError) -> Answer:
        """Return an error: 2.19 quotes the message without escaping, 2.20 writes compact JSON."""
        if self._release is Release.V2_19:
            return Answer(error.status, f'{{"error": "{error.message}"}}'.encode())
        text = json.dumps({"error": error.message}, ensure_ascii=False, separators=(",", ":"))
        return Answer(error.status, text.encode())


def _body(reply: Response) -> bytes:
    assert isinstance(reply.body, bytes)
    return reply.body
